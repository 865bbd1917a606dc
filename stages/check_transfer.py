"""Open the test split, once, and say whether transfer helped.

Reads   the stamp, weights and training records of both arms, catalogue record, the target's catalogue and image store,
        the ledger of looks
Writes  the ledger of looks, logits of every run (.npz), its predicted classes (CSV) and a VerdictRecord
Run     dvc repro check_transfer
"""

from collections.abc import Sequence

from graft import stage
from graft.decisions.verdict.arms import check_records, judged_arm
from graft.decisions.verdict.judge import Asked, judge_transfer, splits_of
from graft.decisions.verdict.looks import close_look, look_at, open_look, standing_of
from graft.decisions.verdict.shipping import pretraining_images
from graft.files import file_sha256, read_record, write_record
from graft.networks.outputs import outputs_of
from graft.networks.runtime import make_runtime
from graft.networks.saving import load_network
from graft.params.pipeline import read_params
from graft.records.catalog import CatalogRecord
from graft.records.training import TrainingRecord
from graft.store.catalogue import check_judged, open_images, read_catalog
from graft.store.predictions import write_logits, write_predictions

RECORDS = ("catalog", "training", "scratch")
DATA = ("transfer-weights", "scratch-weights", "target-catalog", "target-images")


def main(argv: Sequence[str] | None = None) -> dict[str, str | int]:
    """Write the look, logits, predictions and verdict."""
    outs = ("looks", "logits", "predictions", "record")
    args = stage.arguments(__doc__, ("params", "stamp", *RECORDS, *DATA, *outs), argv)
    check_judged(args.stamp, args.target_catalog)
    made_from, params = stage.made_from(args, *RECORDS), read_params(args.params)
    catalog = read_record(CatalogRecord, args.catalog)
    transfer, scratch = (read_record(TrainingRecord, each) for each in (args.training, args.scratch))
    check_records(transfer, scratch, file_sha256(args.target_catalog))
    splits = splits_of(read_catalog(args.target_catalog), catalog.target.classes)
    look = look_at(splits.test, splits.classes, params, transfer.strategy, len(transfer.runs))
    looks = open_look(args.looks, look)

    runtime, images = make_runtime(params.seed), open_images(args.target_images)[splits.test.rows]
    files = {
        f"{arm.arm}_{run.seed}": folder / f"seed_{run.seed}.safetensors"
        for arm, folder in ((transfer, args.transfer_weights), (scratch, args.scratch_weights))
        for run in arm.runs
    }
    logits = {n: outputs_of(load_network(file).to(runtime.device), images).logits for n, file in files.items()}
    write_logits(logits, splits.test.sha256, splits.test.labels, args.logits)
    predicted = {name: each.argmax(axis=1) for name, each in logits.items()}
    write_predictions(predicted, splits.test.sha256, splits.test.labels, args.predictions)
    asked = Asked(params.check_transfer, params.seed, standing_of(looks, look), pretraining_images(params, catalog))
    verdict = judge_transfer(judged_arm(transfer, logits), judged_arm(scratch, logits), splits, asked)
    write_record(verdict.model_copy(update=made_from), args.record)
    close_look(args.looks, looks, look, verdict.verdict)
    return runtime.provenance()


if __name__ == "__main__":
    stage.run(main)
