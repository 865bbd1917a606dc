"""Fine-tune the pretrained network on the target by the chosen strategy, once a seed.

Reads   the stamp, strategy record, backbone and card, the target's catalogue, image store and features
Writes  a folder with the weights of each seed, a TrainingRecord, its curves as CSV, a sheet of augmented images
Run     dvc repro finetune_target
"""

from collections.abc import Sequence

import numpy as np

from graft import stage
from graft.files import read_record, write_record
from graft.networks.runtime import make_runtime
from graft.networks.saving import load_network
from graft.params.pipeline import read_params
from graft.records.cards import BackboneCard
from graft.records.strategy import StrategyRecord
from graft.store.catalogue import check_judged, open_images, read_catalog
from graft.training.resume import half_done
from graft.transfer.arms.arms import target_data
from graft.transfer.arms.curves import write_curves
from graft.transfer.finetuning.finetune import Backbone, Task, finetune_target
from graft.transfer.finetuning.sheet import write_sheet

INPUTS = ("params", "stamp", "strategy", "backbone", "card", "target-catalog", "target-images", "target-features")
PARAMS = {"seed", "network", "recipes", "training", "finetune_target"}
"""what decides on the result, with data and code: a killed run goes on under the same alone"""


def main(argv: Sequence[str] | None = None) -> dict[str, str | int]:
    """Write the transfer arm."""
    args = stage.arguments(__doc__, (*INPUTS, "weights", "record", "curves", "sheet"), argv)
    check_judged(args.stamp, args.target_catalog)
    made_from = stage.made_from(args, "strategy", "target-catalog")
    params = read_params(args.params)
    runtime = make_runtime(params.seed)

    card = read_record(BackboneCard, args.card)
    data = target_data(
        read_catalog(args.target_catalog),
        open_images(args.target_images),
        card.preprocessing,
        params.recipes[params.training.augmentation],
        runtime,
    )
    backbone = Backbone(load_network(args.backbone), card.network, np.load(args.target_features))
    task = Task(backbone, data, read_record(StrategyRecord, args.strategy), params)
    read = (
        args.stamp,
        args.strategy,
        args.backbone,
        args.card,
        args.target_catalog,
        args.target_images,
        args.target_features,
    )
    with half_done("finetune_target", params.model_dump_json(include=PARAMS), read, runtime) as kept:
        with stage.whole_folder(args.weights) as folder:
            record = finetune_target(task, folder, kept)
        write_sheet(data, params.seed, args.sheet)
        write_curves(record.runs, args.curves)
        write_record(record.model_copy(update=made_from), args.record)
    return runtime.provenance()


if __name__ == "__main__":
    stage.run(main)
