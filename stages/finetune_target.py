"""Fine-tune the pretrained network on the target by the chosen strategy, once a seed.

Reads   the stamp, strategy record, backbone and card, the target's catalogue, image store and features; what
        gather_companions copied of the source and of unlabelled images
Writes  a folder with the weights of each seed, a TrainingRecord, its curves as CSV, a sheet of augmented images
Run     dvc repro finetune_target
"""

from collections.abc import Sequence
from functools import partial

from graft import stage
from graft.files import write_record
from graft.params.pipeline import read_params
from graft.store.catalogue import check_judged
from graft.training.resume import half_done
from graft.transfer.arms.results import seconds_a_step, write_curves
from graft.transfer.arms.target_data import write_sheet
from graft.transfer.finetuning.finetune import finetune_target
from graft.transfer.finetuning.task import TaskFiles, read_task

TARGET = ("target-catalog", "target-images", "target-features")
LABELLED = ("labelled-catalog", "labelled-images")
COMPANIONS = ("companion-catalog", "companion-images", "unlabelled-images")
FILES = ("strategy", "backbone", "card", *TARGET, *LABELLED, *COMPANIONS)
# what decides on the result, with data and code: a killed run goes on under the same alone
PARAMS = {"seed", "network", "recipes", "training", "finetune_target"}


def main(argv: Sequence[str] | None = None) -> dict[str, str | int | float]:
    """Write the transfer arm."""
    args = stage.arguments(__doc__, ("params", "stamp", *FILES, "weights", "record", "curves", "sheet"), argv)
    check_judged(args.stamp, args.target_catalog)
    made_from = stage.made_from(args, "strategy", "target-catalog")
    params = read_params(args.params)
    files = TaskFiles(*(getattr(args, name.replace("-", "_")) for name in FILES))
    reread = partial(read_task, params, files)
    read = (args.stamp, *files)
    task = reread()
    with half_done("finetune_target", params.model_dump_json(include=PARAMS), read, task.data.runtime) as kept:
        with stage.whole_folder(args.weights) as folder:
            record = finetune_target(task, folder, kept, reread)
        took = seconds_a_step(record.runs, kept)
        write_sheet(task.data, params.seed, args.sheet)
        write_curves(record.runs, args.curves)
        write_record(record.model_copy(update=made_from), args.record)
    return {**task.data.runtime.provenance(), **took}


if __name__ == "__main__":
    stage.run(main)
