"""`graft check-params`: report what would fail hours later, before the first image is read."""

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from graft.commands.paths import PARAMS
from graft.files import printable

if TYPE_CHECKING:
    from graft.networks.networks import Network
    from graft.params.pipeline import Params

HELP = "say whether params.yaml may be run"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no options."""


def run(args: argparse.Namespace) -> None:
    """Print what to know before a run, if anything."""
    from graft.params.pipeline import read_params
    from graft.params.recipes import mirror_note

    params = read_params(PARAMS)
    note = mirror_note(params.recipes[params.training.augmentation].flip)
    lines = [f"{PARAMS}, training.augmentation: {note}"] if note else []
    for line in (*lines, *check_ahead(params, Path.cwd())):
        print(printable(line), file=sys.stderr)


def check_ahead(params: "Params", folder: Path) -> list[str]:
    """Check params against the network and its weights.

    Args:
        params: params of the run to come.
        folder: the folder in which models will be kept.

    Returns:
        Lines to print: what a file of weights holds beside the weights, and room that is lacking.

    Raises:
        FileNotFoundError: the weights file is absent.
        ValueError: there is no such network, there are no such weights, or the network cannot take the weights, the
            size of the images or the strategy.
    """
    from graft.params.errors import said_as_keys
    from graft.params.network import NETWORK_KEYS
    from graft.transfer.finetuning.strategies import block_rates, check_norms

    with said_as_keys(NETWORK_KEYS):
        shapes, read_as = _checked_network(params)
    choice = params.select_strategy.overrule
    if choice is not None:
        block_rates(choice, list(shapes.blocks), 1.0, params.finetune_target)
        check_norms(choice, shapes, params.network.name)
    n_bytes = sum(value.numel() * value.element_size() for value in shapes.state_dict().values())
    about_weights = f"{params.network.weights_file}: {read_as}." if read_as else ""
    lines = (about_weights, _room(n_bytes, params.training.n_seeds, folder))
    return [line for line in lines if line]


def _checked_network(params: "Params") -> "tuple[Network, str]":
    """The network without values in its weights, and what a file of weights holds beside them."""
    from graft.networks.networks import outline
    from graft.networks.preprocessing import preprocessing_for

    network = params.network
    preprocessing = preprocessing_for(network, params.images)
    if params.images.size_px is not None and network.name != "small_cnn":
        from graft.networks.families import check_size

        check_size(network.name, preprocessing.crop_px)
    shapes = outline(network.name, preprocessing, params.training.head)
    if network.weights != "file":
        return shapes, ""
    # this imports torchvision, which small_cnn does not need
    from graft.networks.published import load_published

    return shapes, load_published(network, preprocessing.crop_px).read_as


def _room(n_bytes: int, n_seeds: int, folder: Path) -> str:
    """A sentence if the disk is too full for the weights of all seeds of both arms; else empty."""
    want, free = 2 * n_seeds * n_bytes, shutil.disk_usage(folder).free
    if free >= want:
        return ""
    weights = f"{want / 2**30:.1f} GiB for the weights of {n_seeds} seeds in both arms"
    return f"{folder}: want {weights}, got {free / 2**30:.1f} GiB free. Make room, or lower training.n_seeds."
