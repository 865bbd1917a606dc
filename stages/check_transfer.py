"""Open the test split, once, and say whether transfer helped.

Reads   the stamp, weights and training records of both arms, catalogue record, the target's catalogue and image store
Writes  logits of every run (.npz), its predicted classes (CSV) and a VerdictRecord
Run     dvc repro check_transfer
"""

from collections.abc import Sequence

import numpy as np

from graft import stage
from graft.decisions.transfer_verdict import JudgedArm, OnTest, judge_transfer, majority_of
from graft.files import read_record, write_record
from graft.networks.outputs import outputs_of
from graft.networks.runtime import make_runtime
from graft.networks.saving import load_network
from graft.params.pipeline import read_params
from graft.records.catalog import CatalogRecord
from graft.records.training import TrainingRecord
from graft.store.catalogue import check_judged, labelled, open_images, read_catalog
from graft.store.predictions import write_logits, write_predictions

RECORDS = ("catalog", "training", "scratch")
DATA = ("transfer-weights", "scratch-weights", "target-catalog", "target-images")


def main(argv: Sequence[str] | None = None) -> dict[str, str | int]:
    """Write logits, predictions and verdict."""
    args = stage.arguments(__doc__, ("params", "stamp", *RECORDS, *DATA, "logits", "predictions", "record"), argv)
    check_judged(args.stamp, args.target_catalog)
    made_from = stage.made_from(args, *RECORDS)
    params = read_params(args.params)
    runtime = make_runtime(params.seed)

    catalog = read_record(CatalogRecord, args.catalog)
    classes, rows = catalog.target.classes, read_catalog(args.target_catalog)
    train, test = labelled(rows, classes, "train"), labelled(rows, classes, "test")
    images = open_images(args.target_images)[test.rows]

    judged, logits, predicted = [], {}, {}
    for record, weights in ((args.training, args.transfer_weights), (args.scratch, args.scratch_weights)):
        training = read_record(TrainingRecord, record)
        names = [f"{training.arm}_{run.seed}" for run in training.runs]
        for name, run in zip(names, training.runs, strict=True):
            network = load_network(weights / f"seed_{run.seed}.safetensors").to(runtime.device)
            logits[name] = outputs_of(network, images).logits
            predicted[name] = logits[name].argmax(axis=1)
        judged.append(JudgedArm(training, np.stack([predicted[name] for name in names])))
    write_logits(logits, test.sha256, test.labels, args.logits)
    write_predictions(predicted, test.sha256, test.labels, args.predictions)
    on = OnTest(test, majority_of(train, test, classes))
    verdict = judge_transfer(judged[0], judged[1], on, params.check_transfer, params.seed)
    write_record(verdict.model_copy(update=made_from), args.record)
    return runtime.provenance()


if __name__ == "__main__":
    stage.run(main)
