"""Open the test split, once, and say whether transfer helped, or that no labelled test image can tell.

Reads   the stamp, weights and records of both arms and of what stands beside them, images, the ledger of looks
Writes  the ledger of looks, logits of every run (.npz), its predicted classes (CSV) and a VerdictRecord
Run     dvc repro check_transfer
"""

from collections.abc import Sequence

import numpy as np

from graft import stage
from graft.decisions.verdict.arms import check_records, judged_arm, networks_of, weights_of
from graft.decisions.verdict.judge import Asked, judge
from graft.decisions.verdict.looks import close_look, look_at, open_look, trained_from
from graft.decisions.verdict.shipping import pretraining_images
from graft.decisions.verdict.splits import splits_of
from graft.files import file_sha256, read_record, write_record
from graft.networks.outputs import saved_logits
from graft.networks.runtime import make_runtime
from graft.params.pipeline import read_params
from graft.records.catalog import CatalogRecord
from graft.records.training import TrainingRecord
from graft.records.variants import VariantsRecord
from graft.store.catalogue import check_judged, open_images, read_catalog
from graft.store.predictions import head_logits, write_logits, write_predictions

RECORDS = ("catalog", "training", "scratch")
WEIGHTS = ("transfer-weights", "scratch-weights", "variant-weights")
DATA = ("variants", "labelled-catalog", "target-catalog", "target-images", "target-features")
WRITTEN = ("looks", "logits", "predictions", "record")


def main(argv: Sequence[str] | None = None) -> dict[str, str | int]:
    """Write the look, logits, predictions and verdict."""
    args = stage.arguments(__doc__, ("params", "stamp", *RECORDS, *WEIGHTS, *DATA, *WRITTEN), argv)
    check_judged(args.stamp, args.target_catalog)
    params, catalog = read_params(args.params), read_record(CatalogRecord, args.catalog)
    transfer, scratch = (read_record(TrainingRecord, each) for each in (args.training, args.scratch))
    made_from = stage.made_from(args, *RECORDS)
    check_records(transfer, scratch, file_sha256(args.target_catalog))
    splits = splits_of(read_catalog(args.target_catalog), catalog.classes, read_catalog(args.labelled_catalog))
    look = look_at(splits, params, trained_from(transfer.strategy, len(transfer.runs), catalog))
    standing = open_look(args.looks, look)
    runtime, test = make_runtime(params.seed), splits.test
    arms = weights_of((transfer, args.transfer_weights), (scratch, args.scratch_weights))
    beside = networks_of(read_record(VariantsRecord, args.variants), args.variant_weights)
    logits = saved_logits(arms | beside, open_images(args.target_images)[test.rows], runtime.device)
    logits |= head_logits(args.variant_weights / "heads.npz", np.load(args.target_features)[test.rows])
    write_logits(logits, test.sha256, test.labels, args.logits)
    write_predictions({name: logits[name].argmax(axis=1) for name in arms}, test.sha256, test.labels, args.predictions)
    asked = Asked(params.check_transfer, params.seed, standing, pretraining_images(params, catalog))
    verdict = judge(judged_arm(transfer, logits), judged_arm(scratch, logits), splits, asked)
    write_record(verdict.model_copy(update=made_from), args.record)
    close_look(args.looks, look, verdict.verdict)
    return runtime.provenance()


if __name__ == "__main__":
    stage.run(main)
