"""Values for a first run, by weights, pictures and budget; docs/decisions/values.md says where each comes from."""

import math
from typing import Any, Literal, NamedTuple

Budget = Literal["smoke", "standard", "thorough"]

# shorter side up to which pictures are not photographs, but digits, icons or crops of cells
SMALL_PX = 64
# nearly all networks take every one of these sides; the others take the last
SIDES_PX = (32, 64, 96, 128, 224)
# the epochs below were measured with so many steps in each; runs with fewer steps get more epochs
STEPS_OF_AN_EPOCH = 6
# from this number of train images on, half of the epochs are enough
MANY_IMAGES = 2_000
# share of the train split that a seed sees: training.subsample
SEEN = 0.9


class Wanted(NamedTuple):
    """What a preset depends on."""

    network: str
    weights: str
    """pretrain, file or a torchvision weight name"""
    size_px: int | None
    """side of the images that was asked for; None: the side that fits"""
    budget: Budget
    n_train: int
    """number of images in the train split"""
    short_px: int
    """median of the pictures' shorter sides"""
    grey: bool
    """whether all pictures are grey: scans, X-rays, text, where left and right may differ"""


class _Spent(NamedTuple):
    """Values that depend on the budget."""

    epochs: int
    n_rates: int
    long_factor: int
    photograph_px: int
    small_px: int
    """side for pictures whose shorter side is at most SMALL_PX"""
    sample_images: int
    pretrain_epochs: int


PUBLISHED: dict[Budget, _Spent] = {
    "smoke": _Spent(4, 3, 3, 64, 64, 200, 8),
    "standard": _Spent(8, 3, 3, 128, 96, 400, 20),
    "thorough": _Spent(16, 5, 5, 224, 128, 1000, 40),
}
# for weights that are pretrained on the user's own source images
MADE_HERE: dict[Budget, _Spent] = {
    "smoke": _Spent(10, 3, 2, 64, 32, 200, 8),
    "standard": _Spent(30, 3, 3, 128, 32, 400, 20),
    "thorough": _Spent(60, 5, 5, 224, 64, 1000, 40),
}


class _Grids(NamedTuple):
    """Rates that the arms try, by their number. The best rates measured lie inside.

    Of three, the middle one lies among them and the others beyond: where all lie side by side among rates that differ
    little, noise chooses, often an end. Five are a factor of three apart.
    """

    transfer: dict[int, list[float]]
    scratch: dict[int, list[float]]


GRIDS = _Grids(
    transfer={3: [0.0001, 0.0005, 0.003], 5: [0.0001, 0.0003, 0.001, 0.003, 0.01]},
    scratch={3: [0.0003, 0.003, 0.03], 5: [0.0003, 0.001, 0.003, 0.01, 0.03]},
)
SMALL_CNN_GRIDS = _Grids(
    transfer={3: [0.0003, 0.003, 0.03], 5: [0.001, 0.003, 0.01, 0.03, 0.1]},
    scratch={3: [0.001, 0.1, 1.0], 5: [0.003, 0.01, 0.03, 0.1, 0.3]},
)


def preset(wanted: Wanted) -> dict[str, Any]:
    """Values of params.yaml, by dotted key, that depend on weights, pictures and budget.

    Both arms get equally many rates. Runs with few images get smaller batches and more epochs; runs with many images
    get fewer epochs.
    """
    made_here = wanted.weights == "pretrain"
    spent = (MADE_HERE if made_here else PUBLISHED)[wanted.budget]
    small = wanted.network == "small_cnn"
    grids = SMALL_CNN_GRIDS if small else GRIDS
    batch_size, augmentation = _batch_size(wanted.n_train), "digits" if wanted.grey else "photographs"
    pretraining = {
        "epochs": spent.pretrain_epochs,
        "rate": 0.01 if small else 0.003,
        "batch_size": batch_size,
        "augmentation": augmentation,
    }
    return {
        "images.size_px": _size_px(wanted, spent) if wanted.size_px is None else wanted.size_px,
        "training.budget": wanted.budget,
        "training.epochs": _epochs(wanted.n_train, batch_size, spent.epochs),
        "training.patience": None,
        "training.augmentation": augmentation,
        "training.batch_size": batch_size,
        "finetune_target.rates": list(grids.transfer[spent.n_rates]),
        "finetune_target.views": None,
        "finetune_target.batchnorm": None,
        "train_scratch.rates": list(grids.scratch[spent.n_rates]),
        "train_scratch.long_factor": spent.long_factor,
        "extract_features.sample_images": spent.sample_images,
        **({f"pretrain_source.{key}": value for key, value in pretraining.items()} if made_here else {}),
    }


def _size_px(wanted: Wanted, spent: _Spent) -> int:
    """Side of the images by the budget; for photographs it is at most their own."""
    if wanted.short_px <= SMALL_PX:
        return _taken(wanted.network, spent.small_px)
    own = max(each for each in SIDES_PX if each <= wanted.short_px)
    return _taken(wanted.network, min(own, spent.photograph_px))


def _taken(network: str, size_px: int) -> int:
    """The smallest side, not below this one, that a network takes."""
    if network == "small_cnn":
        return size_px
    from graft.networks.families import check_size

    for each in SIDES_PX[SIDES_PX.index(size_px) : -1]:
        try:
            check_size(network, each)
        except ValueError:
            continue
        return each
    return SIDES_PX[-1]


def _batch_size(n_train: int) -> int:
    """Batch size; smaller for small sets, so that an epoch has several steps."""
    return 32 if n_train >= 160 else 16 if n_train >= 64 else 8


def _epochs(n_train: int, batch_size: int, epochs: int) -> int:
    """Epochs with at least as many steps as those of the budget had when they were measured."""
    n_steps = math.ceil(max(1, round(SEEN * n_train)) / batch_size)
    if n_train >= MANY_IMAGES:
        return max(1, epochs // 2)
    return max(epochs, math.ceil(epochs * STEPS_OF_AN_EPOCH / n_steps))
