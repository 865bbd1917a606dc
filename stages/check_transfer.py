"""Open the test split, once, and say whether transfer helped.

Reads   the stamp, weights and training records of both arms, catalogue record, the target's catalogue and image store
Writes  per-image predictions (CSV) and a VerdictRecord
Run     dvc repro check_transfer
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from graft import stage
from graft.decisions.verdict import JudgedArm, OnTest, judge_transfer, majority_of
from graft.files import read_record, write_record
from graft.networks.outputs import outputs_of
from graft.networks.runtime import make_runtime
from graft.networks.saving import load_network
from graft.params.pipeline import read_params
from graft.records.catalog import CatalogRecord
from graft.records.training import TrainingRecord
from graft.store.catalogue import check_judged, labelled, open_images, read_catalog
from graft.store.predictions import write_predictions


def main(argv: Sequence[str] | None = None) -> dict[str, str | int]:
    """Write predictions and verdict."""
    names = ("params", "stamp", "training", "scratch", "transfer-weights", "scratch-weights", "catalog")
    args = stage.arguments(__doc__, (*names, "target-catalog", "target-images", "predictions", "record"), argv)
    check_judged(args.stamp, args.target_catalog)
    made_from = stage.made_from(args, "catalog", "training", "scratch")
    params = read_params(args.params)
    runtime = make_runtime(params.seed)

    catalog = read_record(CatalogRecord, args.catalog)
    classes, rows = catalog.target.classes, read_catalog(args.target_catalog)
    train, test = labelled(rows, classes, "train"), labelled(rows, classes, "test")
    images = open_images(args.target_images)[test.rows]

    def judged(record: Path, weights: Path) -> JudgedArm:
        training = read_record(TrainingRecord, record)
        networks = (load_network(weights / f"seed_{run.seed}.safetensors").to(runtime.device) for run in training.runs)
        logits = [outputs_of(network, images).logits for network in networks]
        return JudgedArm(training, np.argmax(logits, axis=2))

    transfer = judged(args.training, args.transfer_weights)
    scratch = judged(args.scratch, args.scratch_weights)
    on = OnTest(test, majority_of(train, test, classes))
    verdict = judge_transfer(transfer, scratch, on, params.check_transfer, params.seed)
    predicted = {
        f"{arm.training.arm}_{run.seed}": arm.predicted[place]
        for arm in (transfer, scratch)
        for place, run in enumerate(arm.training.runs)
    }
    write_predictions(predicted, test, args.predictions)
    write_record(verdict.model_copy(update=made_from), args.record)
    return runtime.provenance()


if __name__ == "__main__":
    stage.run(main)
