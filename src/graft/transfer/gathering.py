"""Choose the images that the transfer arm is trained with beside the target's labelled ones, and write them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.files import AT_A_TIME, let_go, room_for
from graft.params.both_arms import FinetuneTarget
from graft.params.techniques import check_choose_by, kind_of
from graft.store.catalogue import CatalogRow, labels_from, write_catalog

# Values of `keeping` that read the source.
KEEPS_BY_SOURCE = ("ewc", "replay")


class Gathered(NamedTuple):
    """Rows of the images that are gathered, as in the catalogues of their domains."""

    source: tuple[CatalogRow, ...]
    """train images of the source, for techniques that read them"""
    labelled: tuple[CatalogRow, ...]
    """train and validation images of the source, where the target has no labels to train on"""
    unlabelled: tuple[CatalogRow, ...]
    """images of the target without labels, for techniques that read them"""


class Catalogues(NamedTuple):
    """Rows of all domains."""

    source: Sequence[CatalogRow]
    target: Sequence[CatalogRow]
    unlabelled: Sequence[CatalogRow]


def gather(catalogues: Catalogues, settings: FinetuneTarget) -> Gathered:
    """The images that the settings ask for.

    The test split of the source is never among them, nor an unlabelled image that is also in the target's test split.

    Args:
        catalogues: rows of all domains.
        settings: techniques of the transfer arm.

    Raises:
        ValueError: the choice among runs does not fit the labels; it is said here, before hours of training.
    """
    source, target, unlabelled = catalogues
    adapts = kind_of(settings.adapting) != "none"
    reads_unlabelled = adapts or settings.batchnorm == "adapt" or settings.choose_by is not None
    tested = {row.sha256 for row in target if row.split == "test"}
    has_labels = labels_from(target) == "target"
    check_choose_by(settings.choose_by, has_labels)
    # without labels of the target, those of the source are learned and need no copy to adapt by
    reads_source = (adapts and has_labels) or kind_of(settings.keeping) in KEEPS_BY_SOURCE
    return Gathered(
        source=_readable(source, ("train",)) if reads_source else (),
        labelled=() if has_labels else _readable(source, ("train", "val")),
        unlabelled=tuple(row for row in _readable(unlabelled, ("train",)) if row.sha256 not in tested)
        if reads_unlabelled
        else (),
    )


def write_gathered(rows: Sequence[CatalogRow], images: NDArray[np.uint8], folder: Path, name: str) -> None:
    """Write rows and images as <name>.csv and <name>.npy; a row then has its place in the new store.

    Args:
        rows: the rows, with their places in the old store.
        images: (n, s, s, 3) uint8, the old store.
        folder: an existing folder.
        name: of both files.

    Raises:
        OSError: the disk is full.
    """
    write_catalog([row._replace(row=place) for place, row in enumerate(rows)], folder / f"{name}.csv")
    write_store([row.row for row in rows], images, folder / f"{name}.npy")


def write_store(places: Sequence[int], images: NDArray[np.uint8], path: Path) -> None:
    """Write the images at these places of a store as an image store, without all of them in memory.

    Args:
        places: of k images.
        images: (n, s, s, 3) uint8, the old store.
        path: becomes an .npy file of (k, s, s, 3) uint8.

    Raises:
        OSError: the disk is full.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(places), *images.shape[1:])}
    with room_for(path, len(places) * int(np.prod(images.shape[1:]))), path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(places), AT_A_TIME):
            file.write(images[list(places[start : start + AT_A_TIME])].tobytes())
            let_go(images)


def _readable(rows: Iterable[CatalogRow], splits: Sequence[str]) -> tuple[CatalogRow, ...]:
    return tuple(row for row in rows if row.row >= 0 and row.split in splits)
