"""What would fail hours later, said before the first image is read."""

import shutil
from pathlib import Path

from graft.learning.networks import outline
from graft.learning.preprocessing import preprocessing_for
from graft.params import Params
from graft.transfer.strategies import block_rates, check_norms


def check_ahead(params: Params, folder: Path) -> list[str]:
    """Hold params against the network and its weights; lines of what was left out of them, and of room that lacks.

    Args:
        params: of the run to come.
        folder: in which models will be kept.

    Raises:
        FileNotFoundError: the weights file is absent.
        ValueError: no such network or weights, weights that do not fit, a size that the network cannot take, or a
            strategy that it cannot have.
    """
    network = params.network
    size_px = preprocessing_for(network, params.images).crop_px
    shapes = outline(network.name, size_px, network.head)
    choice = params.select_strategy.overrule
    if choice is not None:
        block_rates(choice, list(shapes.blocks), 1.0, params.finetune_target)
        check_norms(choice, shapes, network.name)
    read_as = ""
    if network.weights == "file":
        from graft.learning.weights import load_published  # with torchvision, which small_cnn never needs

        read_as = load_published(network, size_px).read_as
    n_bytes = sum(value.numel() * value.element_size() for value in shapes.state_dict().values())
    lines = (f"{network.weights_file}: {read_as}." if read_as else "", _room(n_bytes, params.training.n_seeds, folder))
    return [line for line in lines if line]


def _room(n_bytes: int, n_seeds: int, folder: Path) -> str:
    """What to do about a disk that is too full for the weights of all seeds of both arms; empty where it is not."""
    want, free = 2 * n_seeds * n_bytes, shutil.disk_usage(folder).free
    if free >= want:
        return ""
    weights = f"{want / 2**30:.1f} GiB for the weights of {n_seeds} seeds in both arms"
    return f"{folder}: want {weights}, got {free / 2**30:.1f} GiB free. Make room, or lower training.n_seeds."
