"""Train what stands beside the arms and decides nothing: fewer labels, a small network, altered pretrained weights.

Reads   the stamp, what both arms were trained from, and their records
Writes  a folder with the weights of each run and those of all heads, and a VariantsRecord
Run     dvc repro train_variants
"""

from collections.abc import Sequence
from functools import partial

from graft import stage
from graft.files import write_record
from graft.params.pipeline import read_params
from graft.store.catalogue import check_judged
from graft.training.resume import half_done
from graft.transfer.finetuning.task import TaskFiles
from graft.transfer.variants.task import read_variants_task
from graft.transfer.variants.train import train_variants

ARMS = ("training", "scratch")
TARGET = ("target-catalog", "target-images", "target-features")
LABELLED = ("labelled-catalog", "labelled-images")
COMPANIONS = ("companion-catalog", "companion-images", "unlabelled-images")
FILES = ("strategy", "backbone", "card", *TARGET, *LABELLED, *COMPANIONS)
# what decides on the result, with data and code: a killed run goes on under the same alone
PARAMS = {"seed", "network", "recipes", "training", "finetune_target", "train_scratch"}


def main(argv: Sequence[str] | None = None) -> dict[str, str | int]:
    """Write what stands beside the arms."""
    args = stage.arguments(__doc__, ("params", "stamp", *FILES, *ARMS, "weights", "record"), argv)
    check_judged(args.stamp, args.target_catalog)
    made_from = stage.made_from(args, "strategy", "target-catalog", *ARMS)
    params = read_params(args.params)
    files = TaskFiles(*(getattr(args, name.replace("-", "_")) for name in FILES))
    reread = partial(read_variants_task, params, files, args.training, args.scratch)
    read = (args.stamp, *files, args.training, args.scratch)
    variants = reread()
    runtime = variants.task.data.runtime
    with half_done("train_variants", params.model_dump_json(include=PARAMS), read, runtime) as kept:
        with stage.whole_folder(args.weights) as folder:
            record = train_variants(variants, folder, kept, reread)
        write_record(record.model_copy(update=made_from), args.record)
    return runtime.provenance()


if __name__ == "__main__":
    stage.run(main)
