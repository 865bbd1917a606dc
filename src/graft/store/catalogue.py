"""Catalogue of all images, and the readable ones as one uint8 array on disk (the image store)."""

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from graft.files import file_sha256, read_record, read_table, write_table
from graft.records.common import LabelsFrom, Split
from graft.records.validation import Stamp

SPLITS: tuple[Split, ...] = get_args(Split)


class CatalogRow(NamedTuple):
    """One image file. A file that cannot be read has a row too, with the reason."""

    path: str
    """path relative to the folder of the domain, with forward slashes"""
    label: str
    """class; empty for an image without a label, which is in the catalogue of unlabelled images alone"""
    split: Split
    group: str
    """group of the image, such as a patient, site or video, never divided among splits; by default its sha256"""
    sha256: str
    phash: str
    """perceptual hash of the image as the network sees it, 16 hex digits; empty if it cannot be read"""
    n_bytes: int
    width: int
    """width in pixels; 0 if the image cannot be read, as all numbers below"""
    height: int
    mode: str
    """pixel format of the file as Pillow names it, such as RGB, CMYK or I;16"""
    format: str
    frames: int
    """number of frames; only the first is used"""
    orientation: int
    """EXIF orientation, 1 to 8; 1 (upright) if the file does not name one"""
    mean_red: float
    """mean and standard deviation by channel, in [0, 1], of the image as the network sees it"""
    mean_green: float
    mean_blue: float
    std_red: float
    std_green: float
    std_blue: float
    row: int
    """index of the image in the image store; -1 if it cannot be read"""
    error: str
    """why the image cannot be read; empty if it can"""


_NUMBERS: dict[str, Any] = {name: kind for name, kind in CatalogRow.__annotations__.items() if kind in (int, float)}


class Labelled(NamedTuple):
    """The readable images of one split."""

    rows: NDArray[np.int64]
    """(n,) indices into the image store and into every array of features"""
    labels: NDArray[np.int64]
    """(n,) class numbers, 0 to c - 1, in the order of the class names"""
    groups: NDArray[np.str_]
    """(n,) group names"""
    sha256: NDArray[np.str_]
    """(n,) sha256 of the image files"""


def write_catalog(catalog: Sequence[CatalogRow], path: Path) -> None:
    """Write a catalogue as CSV, whole or not at all."""
    write_table(CatalogRow._fields, catalog, path)


def read_catalog(path: Path) -> tuple[CatalogRow, ...]:
    """Rows of a catalogue, none if the domain has no images.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file has other columns.
    """
    rows = read_table(CatalogRow._fields, path, "a catalogue", "prepare_data")
    return tuple(_row(each) for each in rows)


def _row(values: dict[str, Any]) -> CatalogRow:
    # every cell of a CSV is text; columns of numbers are converted
    return CatalogRow(**{name: _NUMBERS.get(name, str)(cell) for name, cell in values.items()})


def class_names(catalog: Iterable[CatalogRow]) -> tuple[str, ...]:
    """Sorted class names, none for images without labels. The number of a class is its index here."""
    return tuple(sorted({each.label for each in catalog} - {""}))


def labelled(catalog: Iterable[CatalogRow], classes: Sequence[str], split: Split | None = None) -> Labelled:
    """Select the readable images of one split, or of all splits.

    Args:
        catalog: rows of the catalogue.
        classes: class names by number.
        split: the split; None for all.
    """
    number = {name: index for index, name in enumerate(classes)}
    # an image that cannot be read has row -1 and is in no array
    chosen = [each for each in catalog if each.row >= 0 and split in (None, each.split)]
    return Labelled(
        rows=np.array([each.row for each in chosen], dtype=np.int64),
        labels=np.array([number[each.label] for each in chosen], dtype=np.int64),
        groups=np.array([each.group for each in chosen], dtype=np.str_),
        sha256=np.array([each.sha256 for each in chosen], dtype=np.str_),
    )


def labels_from(target: Iterable[CatalogRow]) -> LabelsFrom:
    """Whose labels both arms learn from: the target's where any readable image of it is in train, else the source's.

    Args:
        target: rows of the target's catalogue.
    """
    return "target" if any(each.row >= 0 and each.split == "train" for each in target) else "source"


def readable_rows(catalog: Iterable[CatalogRow], split: Split | None = None) -> NDArray[np.int64]:
    """(n,) indices into the image store of the readable images of one split, or of all splits, labelled or not."""
    return np.array([each.row for each in catalog if each.row >= 0 and split in (None, each.split)], dtype=np.int64)


def check_judged(stamp: Path, *catalogs: Path) -> None:
    """Refuse catalogues that validate_data did not judge, or in which it found critical faults.

    Args:
        stamp: file of the stamp that validate_data wrote.
        catalogs: files of the catalogues to be used.

    Raises:
        FileNotFoundError: the stamp does not exist.
        RuntimeError: the stamp is of another catalogue, or it is not ok.
    """
    judged = read_record(Stamp, stamp)
    for path in catalogs:
        if file_sha256(path) not in judged.catalogs.values():
            raise RuntimeError(
                f"{stamp}: want the judgement of {path}, got that of another catalogue. Run `dvc repro validate_data`."
            )
    if not judged.ok:
        raise RuntimeError(
            f"{stamp}: want data without critical findings, got some. Run `dvc repro validate_data`; it names them."
        )


def read_labelled(path: Path, split: Split | None = None) -> Labelled:
    """Read a catalogue and select the readable images of one split, or of all splits.

    Raises:
        FileNotFoundError: the file does not exist.
    """
    catalog = read_catalog(path)
    return labelled(catalog, class_names(catalog), split)


def open_images(path: Path) -> NDArray[np.uint8]:
    """Map an image store into memory: (n, s, s, 3) uint8 RGB images, read from disk when they are touched.

    Raises:
        FileNotFoundError: the file does not exist.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: want an image store, got no file. Run `dvc repro prepare_data`.")
    try:
        return np.load(path, mmap_mode="r")  # type: ignore[no-any-return]
    except ValueError:
        # an empty array cannot be mapped
        return np.load(path)  # type: ignore[no-any-return]


def nfc(name: str) -> str:
    """A name in composed Unicode (NFC), as keyboards type it. macOS and its archives may hold decomposed names."""
    return unicodedata.normalize("NFC", name)


def look(name: str) -> str:
    """A name without case and outer spaces. Names with equal results look alike, also to a disk that ignores case."""
    return nfc(nfc(name).casefold()).strip()
