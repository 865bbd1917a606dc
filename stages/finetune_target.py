"""Fine-tune the pretrained network on the target by the chosen strategy, once a seed.

Reads   strategy record, backbone and card, the target's catalogue, image store and features
Writes  a folder with the weights of each seed, and a TrainingRecord
Run     dvc repro finetune_target
"""

from collections.abc import Sequence

import numpy as np

from graft import stage
from graft.cards import BackboneCard
from graft.files import read_record, write_record
from graft.learning.device import make_deterministic, pick_device
from graft.learning.networks import load_network
from graft.params import read_params
from graft.store import open_images, read_catalog
from graft.strategy_record import StrategyRecord
from graft.transfer.arms import target_data
from graft.transfer.finetune import Backbone, Task, finetune_target


def main(argv: Sequence[str] | None = None) -> None:
    """Write the transfer arm."""
    names = ("params", "strategy", "backbone", "card", "target-catalog", "target-images", "target-features")
    args = stage.arguments(__doc__, (*names, "weights", "record"), argv)
    params = read_params(args.params)
    make_deterministic(params.seed)

    card = read_record(BackboneCard, args.card)
    data = target_data(
        read_catalog(args.target_catalog), open_images(args.target_images), card.preprocessing, pick_device()
    )
    backbone = Backbone(load_network(args.backbone), card.network, np.load(args.target_features))
    task = Task(backbone, data, read_record(StrategyRecord, args.strategy), params)
    with stage.whole_folder(args.weights) as folder:
        record = finetune_target(task, folder)
    write_record(record, args.record)


if __name__ == "__main__":
    stage.run(main)
