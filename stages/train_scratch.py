"""Train the control: the same network from random start, once a seed and rate.

Reads   the stamp, the target's catalogue and image store, those of the source's labelled images where the target has no
        labels to train on, the preprocessing of all stores
Writes  a folder with the weights of each seed, a TrainingRecord, and its curves as CSV
Run     dvc repro train_scratch
"""

from collections.abc import Sequence
from functools import partial

from graft import stage
from graft.files import write_record
from graft.params.pipeline import read_params
from graft.store.catalogue import check_judged
from graft.training.resume import half_done
from graft.transfer.arms.results import seconds_a_step, write_curves
from graft.transfer.arms.target_data import Labels
from graft.transfer.control import read_target, train_scratch

INPUTS = ("params", "stamp", "preprocessing", "target-catalog", "target-images", "labelled-catalog", "labelled-images")
# what decides on the result, with data and code: a killed run goes on under the same alone
PARAMS = {"seed", "network", "recipes", "training", "train_scratch"}


def main(argv: Sequence[str] | None = None) -> dict[str, str | int | float]:
    """Write the control arm."""
    args = stage.arguments(__doc__, (*INPUTS, "weights", "record", "curves"), argv)
    check_judged(args.stamp, args.target_catalog)
    made_from = stage.made_from(args, "preprocessing", "target-catalog")
    params = read_params(args.params)
    target = Labels(args.target_catalog, args.target_images)
    source = Labels(args.labelled_catalog, args.labelled_images)
    read = (
        args.stamp,
        args.preprocessing,
        args.target_catalog,
        args.target_images,
        args.labelled_catalog,
        args.labelled_images,
    )
    reread = partial(read_target, params, args.preprocessing, target, source)
    data = reread()
    with half_done("train_scratch", params.model_dump_json(include=PARAMS), read, data.runtime) as kept:
        with stage.whole_folder(args.weights) as folder:
            record = train_scratch(data, params, folder, kept, reread)
        took = seconds_a_step(record.runs, kept)
        write_curves(record.runs, args.curves)
        write_record(record.model_copy(update=made_from), args.record)
    return {**data.runtime.provenance(), **took}


if __name__ == "__main__":
    stage.run(main)
