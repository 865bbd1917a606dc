"""`graft bank`: make features of a folder of images that may stand for the source."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graft.commands.paths import BANKS, PARAMS, PRETRAINED
from graft.files import printable

if TYPE_CHECKING:
    from graft.extraction.looking import Looks
    from graft.shift.feature_bank import About, Bank
    from graft.store.catalogue import CatalogRow
    from graft.store.features import Images

HELP = "make features of a folder of images that may stand for the source"
# smallest number of different images; with fewer there is no interval
FEWEST = 10


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    seen_by = "the backbone of the last run computes their features"
    parser.add_argument("folder", type=Path, help=f"images, in folders or not; {seen_by}")
    parser.add_argument("--name", required=True, help="that reports call the bank by")
    parser.add_argument("--licence", required=True, help="of the images")


def run(args: argparse.Namespace) -> None:
    """Make the bank and print the lines for params.yaml."""
    print(printable(bank(args.folder, args.name, args.licence)))


def bank(folder: Path, name: str, licence: str) -> str:
    """Make a bank of features of all images in a folder.

    Args:
        folder: folder of images, at any depth.
        name: name of the bank in reports.
        licence: licence of the images.

    Returns:
        Lines for params.yaml.

    Raises:
        FileNotFoundError: the folder does not exist, or there is no backbone yet.
        ValueError: the folder holds too few readable images, or params.yaml is invalid.
    """
    from functools import partial

    from graft.commands.loose_images import read_loose
    from graft.extraction.looking import Looks
    from graft.extraction.moments import batchnorm_moments, block_means
    from graft.files import read_record
    from graft.networks.outputs import outputs_of
    from graft.networks.runtime import make_runtime
    from graft.networks.saving import load_network
    from graft.params.pipeline import read_params
    from graft.records.cards import BackboneCard
    from graft.shift.feature_bank import About, backbone_key, save_bank

    file_name = re.sub(r"[^\w.-]+", "-", name).strip("-.")
    if not file_name:
        raise ValueError(f"graft bank, --name: want letters or digits, got {name!r}. Name it as reports shall call it.")
    params, card = read_params(PARAMS), read_record(BackboneCard, PRETRAINED / "card.json")
    network = load_network(PRETRAINED / "backbone.safetensors").to(make_runtime(params.seed).device)
    seen_by = Looks(
        lambda images: outputs_of(network, images).features,
        partial(block_means, network),
        partial(batchnorm_moments, network),
    )
    bits = params.images.value_bits  # those of the card are recognised from the target
    with read_loose(folder, card.preprocessing.model_copy(update={"value_bits": bits})) as (rows, images):
        about = About(name, licence, backbone_key(card))
        made = bank_of((rows, images), seen_by, about, params.extract_features.sample_images, params.seed)
    path = BANKS / f"{file_name}.npz"
    sha256 = save_bank(made, path)
    n_bad = sum(row.row < 0 for row in rows)
    left_out = f", {n_bad} files that cannot be read left out" if n_bad else ""
    return (
        f"{path}: {len(made.side.rows)} images{left_out}. Put these lines under measure_shift in {PARAMS}:\n"
        f"  bank_file: {path}\n  bank_sha256: {sha256}"
    )


def bank_of(
    store: tuple[Sequence["CatalogRow"], "Images"], network: "Looks", about: "About", n_sample: int, seed: int
) -> "Bank":
    """A bank of the readable images; exact copies are one group.

    Args:
        store: rows of the files, and (n, s, s, 3) images of those that can be read.
        network: functions that compute features, activations and moments of images.
        about: name, licence and backbone, which the bank holds.
        n_sample: number of images for the profile by block and for the yardstick.
        seed: of the sample.

    Raises:
        ValueError: fewer than FEWEST different images can be read.
    """
    import numpy as np

    from graft.extraction.looking import look_at_source
    from graft.shift.feature_bank import Bank
    from graft.shift.sides import Side
    from graft.store.catalogue import labelled

    rows, images = store
    # loose images have the empty label
    known = labelled(rows, ("",))
    n_different = len(np.unique(known.sha256))
    if n_different < FEWEST:
        raise ValueError(
            f"graft bank: want at least {FEWEST} different images that can be read, got {n_different}. "
            "Add images; a few hundred make a good bank."
        )
    nameless = np.full(len(known.rows), "", dtype=np.str_)
    side = Side(network.features(images)[known.rows], known.rows, nameless, known.sha256, known.sha256)
    details = look_at_source(images, known.rows, known.sha256, network, n_sample, seed)
    return Bank(about, side, details)
