"""Bank of features that stands for the source where its images are not available: a proxy, never called the source."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from graft.files import check_named_file, named_path, read_arrays, visible, write_arrays
from graft.params.measure_shift import MeasureShift
from graft.records.cards import BackboneCard
from graft.shift.sides import Side
from graft.store.features import SourceDetails, source_arrays, source_details_of


class About(NamedTuple):
    """Description of a bank, kept in its file."""

    name: str
    """name of the bank in reports"""
    licence: str
    """licence of its images"""
    backbone: str
    """`backbone_key` of the backbone that made the features; features of another backbone do not compare"""


class Bank(NamedTuple):
    """Features of a folder of images by one backbone."""

    about: About
    side: Side
    """features of all images"""
    details: SourceDetails
    """activations and yardstick features of a sample of the images"""


def backbone_key(card: BackboneCard) -> str:
    """Hash of everything that determines the features of an image: the blocks and the preprocessing of pixels.

    Which files can be read and what their values mean depends on the files, and a bank has files of its own.
    """
    pixels = card.preprocessing.model_dump(mode="json", exclude={"value_bits", "max_pixels"})
    text = json.dumps([card.blocks_sha256, pixels])
    return hashlib.sha256(text.encode()).hexdigest()


def save_bank(bank: Bank, path: Path) -> str:
    """Write a bank, whole or not at all, and return the sha256 of the file."""
    words = {name: np.array(text) for name, text in bank.about._asdict().items()}
    side = {f"side {name}": array for name, array in bank.side._asdict().items()}
    write_arrays({**words, "n_images": np.array(len(bank.side.rows)), **side, **source_arrays(bank.details)}, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_bank(params: MeasureShift, card: BackboneCard) -> Bank:
    """Read the bank that params.yaml names.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: its sha256 differs, it is not a bank, or another backbone made it.
    """
    path = named_path(params.bank_file or "")
    absent = f"want a bank, got no file {path}. Make one: `graft bank --help`."
    check_named_file(path, params.bank_sha256, "params.yaml, measure_shift.bank", absent)
    try:
        arrays = read_arrays(path, "a bank", "measure_shift")
        side = Side(**{name: arrays[f"side {name}"] for name in Side._fields})
        about = About(*(str(arrays[name]) for name in About._fields))
        bank = Bank(about, side, source_details_of(arrays))
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{visible(path)}: want a bank, got a file of another kind ({error}). Make one with `graft bank`."
        ) from None
    if bank.about.backbone != backbone_key(card):
        raise ValueError(
            f"{visible(path)}: want features by this backbone ({card.network}, {card.origin}, "
            f"{card.preprocessing.crop_px} px), got those of another backbone or image size. Make the "
            "bank again with `graft bank`."
        )
    return bank
