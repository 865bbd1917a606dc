"""`graft check-params`: report what would fail hours later, before the first image is read."""

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from graft.commands.paths import PARAMS, RAW
from graft.files import printable

if TYPE_CHECKING:
    from graft.networks.networks import Network
    from graft.params.pipeline import Params

HELP = "say whether params.yaml may be run"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no options."""


def run(args: argparse.Namespace) -> None:
    """Print what to know before a run, if anything."""
    from graft.commands.folders_ahead import check_folders
    from graft.params.pipeline import read_params
    from graft.reporting.formatting import mirror_note

    params = read_params(PARAMS)
    note = mirror_note(params.recipes[params.training.augmentation].flip)
    lines = [f"{PARAMS}, training.augmentation: {note}"] if note else []
    for line in (*lines, *check_ahead(params, Path.cwd())):
        print(printable(line), file=sys.stderr)
    check_folders(params, RAW)


def check_ahead(params: "Params", folder: Path) -> list[str]:
    """Check params against the network and its weights.

    Args:
        params: params of the run to come.
        folder: the folder in which models will be kept.

    Returns:
        Lines to print: what a file of weights holds beside the weights, and room that is lacking.

    Raises:
        FileNotFoundError: the weights file is absent.
        ValueError: there is no such network, there are no such weights, the network cannot take the weights, the size
            of the images or the strategy, or a value would have no effect on it.
    """
    from graft.params.errors import said_as_keys
    from graft.params.network import NETWORK_KEYS
    from graft.params.techniques import Dan
    from graft.transfer.adapting.making import check_names
    from graft.transfer.finetuning.strategies import block_rates, check_norms
    from graft.transfer.tuning.prepare import check_tuning

    with said_as_keys(NETWORK_KEYS):
        shapes, read_as = _checked_network(params)
    choice = params.select_strategy.overrule
    if choice is not None:
        block_rates(choice, list(shapes.blocks), 1.0, params.finetune_target)
        check_norms(choice, shapes, params.network.name)
    # where the evidence will choose the strategy, it may train all blocks
    blocks = [] if choice in ("feature_extraction", "norms") else list(shapes.blocks)
    check_tuning(shapes.to("meta"), params.finetune_target.tuning, blocks)
    _check_effects(params, shapes)
    if isinstance(params.finetune_target.adapting, Dan):
        check_names(params.finetune_target.adapting.blocks, list(shapes.blocks))
    n_bytes = sum(value.numel() * value.element_size() for value in shapes.state_dict().values())
    about_weights = f"{params.network.weights_file}: {read_as}." if read_as else ""
    lines = (about_weights, _room(n_bytes, params.training.n_seeds, folder))
    return [line for line in lines if line]


def _check_effects(params: "Params", shapes: "Network") -> None:
    """Refuse values of `finetune_target` that would have no effect on this network under the chosen strategy.

    Raises:
        ValueError: `batchnorm` is set and the network does not have BatchNorm layers, or `views` is set and the chosen
            strategy trains the lowest block at once.
    """
    from graft.training.phases import n_frozen_blocks
    from graft.transfer.finetuning.strategies import phases_of

    settings, name, choice = params.finetune_target, params.network.name, params.select_strategy.overrule
    # of the layers in torchvision's networks only BatchNorm keeps a running mean
    has_batchnorm = any(name.endswith("running_mean") for name in shapes.blocks.state_dict())
    if settings.batchnorm is not None and not has_batchnorm:
        raise ValueError(
            f"{PARAMS}, finetune_target.batchnorm: want null with {name}, which does not have BatchNorm layers, got "
            f"{settings.batchnorm}. Set it to null."
        )
    if settings.views is None or choice is None:
        return
    first = phases_of(choice, list(shapes.blocks), 1.0, settings, params.training.epochs, None)[0]
    # an outline holds nothing that is added for tuning little
    if n_frozen_blocks(shapes, first._replace(learns="norms" if choice == "norms" else "whole")) == 0:
        raise ValueError(
            f"{PARAMS}, finetune_target.views: want null where {choice} trains the lowest block of {name}, got "
            f"{settings.views}. Fixed views are of frozen blocks: set it to null."
        )


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
    return f"{folder}: want {weights}, got {free / 2**30:.1f} GiB free. Make room, or lower training.budget."
