"""The image store: a catalogue of all images, and the readable ones as one uint8 array on disk."""

import csv
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from graft.files import file_sha256, from_cell, read_record, write_table
from graft.records.common import Split
from graft.records.validation import Stamp

SPLITS: tuple[Split, ...] = get_args(Split)


class CatalogRow(NamedTuple):
    """One image file; a file that cannot be read stays in the catalogue with its reason."""

    path: str
    """relative to the folder of the domain, forward slashes"""
    label: str
    split: Split
    group: str
    """images of one group (patient, site, video) never stand in two splits; alone: the image's sha256"""
    sha256: str
    phash: str
    """perceptual hash of the image as the network sees it, 16 hex digits; empty where it cannot be read"""
    n_bytes: int
    width: int
    """pixels, 0 where the image cannot be read"""
    height: int
    mode: str
    """Pillow's name of the pixel format in the file, such as RGB, CMYK or I;16"""
    format: str
    frames: int
    """1 for a still; of an animation the first counts"""
    orientation: int
    """EXIF, 1 to 8; 1, upright, where the file names none"""
    mean_red: float
    """mean and standard deviation by channel, in [0, 1], of the image as the network sees it; 0 where unreadable"""
    mean_green: float
    mean_blue: float
    std_red: float
    std_green: float
    std_blue: float
    row: int
    """place in the image array, -1 where the image cannot be read"""
    error: str
    """why the image cannot be read, empty where it can"""


_NUMBERS: dict[str, Any] = {name: kind for name, kind in CatalogRow.__annotations__.items() if kind in (int, float)}


class Labelled(NamedTuple):
    """The readable images of one split."""

    rows: NDArray[np.int64]
    """(n,) places in the image array and in every array of features"""
    labels: NDArray[np.int64]
    """(n,) class numbers, 0 to c - 1, in the order of the class names"""
    groups: NDArray[np.str_]
    """(n,) group names"""
    sha256: NDArray[np.str_]
    """(n,) of the image files"""


def write_catalog(catalog: Sequence[CatalogRow], path: Path) -> None:
    """Write a catalogue as CSV, whole or not at all; names that begin like a formula get a quote before them."""
    write_table(CatalogRow._fields, catalog, path)


def read_catalog(path: Path) -> tuple[CatalogRow, ...]:
    """Rows of a catalogue; none where the domain has no images.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: want a catalogue, got no file. Run `dvc repro prepare_data`.")
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(_row(each) for each in csv.DictReader(file))


def _row(values: dict[str, Any]) -> CatalogRow:
    return CatalogRow(**{name: _NUMBERS.get(name, from_cell)(cell) for name, cell in values.items()})


def class_names(catalog: Iterable[CatalogRow]) -> tuple[str, ...]:
    """Class names in order; a class's number is its place here."""
    return tuple(sorted({each.label for each in catalog}))


def labelled(catalog: Iterable[CatalogRow], classes: Sequence[str], split: Split | None = None) -> Labelled:
    """Rows, class numbers and groups of the readable images, of one split or of all."""
    number = {name: index for index, name in enumerate(classes)}
    chosen = [each for each in catalog if each.row >= 0 and split in (None, each.split)]
    return Labelled(
        rows=np.array([each.row for each in chosen], dtype=np.int64),
        labels=np.array([number[each.label] for each in chosen], dtype=np.int64),
        groups=np.array([each.group for each in chosen], dtype=np.str_),
        sha256=np.array([each.sha256 for each in chosen], dtype=np.str_),
    )


def check_judged(stamp: Path, *catalogs: Path) -> None:
    """Refuse catalogues that validate_data has not judged, or in which it found critical faults.

    Args:
        stamp: the record of the judgement.
        catalogs: files of catalogues.

    Raises:
        FileNotFoundError: there is no stamp.
        RuntimeError: the stamp is of other catalogues, or it is not ok.
    """
    judged = read_record(Stamp, stamp)
    for path in catalogs:
        if file_sha256(path) not in (judged.source_sha256, judged.target_sha256):
            raise RuntimeError(
                f"{stamp}: want the judgement of {path}, got that of another catalogue. Run `dvc repro validate_data`."
            )
    if not judged.ok:
        raise RuntimeError(
            f"{stamp}: want data without critical findings, got some. Run `dvc repro validate_data`; it names them."
        )


def read_labelled(path: Path, split: Split | None = None) -> Labelled:
    """The readable images of one split of a catalogue's file, or of all, by the classes it holds.

    Raises:
        FileNotFoundError: there is no such file.
    """
    catalog = read_catalog(path)
    return labelled(catalog, class_names(catalog), split)


def open_images(path: Path) -> NDArray[np.uint8]:
    """(n, s, s, 3) uint8 RGB images, read from disk when touched and not before.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: want an image store, got no file. Run `dvc repro prepare_data`.")
    try:
        return np.load(path, mmap_mode="r")  # type: ignore[no-any-return]
    except ValueError:
        return np.load(path)  # type: ignore[no-any-return]  # an empty array cannot be mapped


def nfc(name: str) -> str:
    """A name in the encoding that keyboards give; macOS and archives made there may hold the other one."""
    return unicodedata.normalize("NFC", name)


def look(name: str) -> str:
    """What the eye, and a disk that ignores case, see of a name: without case, and without spaces at its ends."""
    return nfc(nfc(name).casefold()).strip()
