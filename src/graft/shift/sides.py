"""Sides of the comparison: the images of source or target with their features."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.records.common import Split
from graft.store.catalogue import labelled, read_catalog

Places = NDArray[np.int64]


class Side(NamedTuple):
    """The images of source or target; no rows where there are none."""

    features: NDArray[np.floating[Any]]
    """(n, d) features of the unmodified backbone"""
    rows: Places
    """(n,) positions in the image store"""
    labels: NDArray[np.str_]
    """(n,) class names; an empty string where the class is not known"""
    groups: NDArray[np.str_]
    """(n,) names of groups of images that are not independent"""
    images: NDArray[np.str_]
    """(n,) sha256 of the files"""

    def at(self, places: NDArray[Any]) -> "Side":
        """Select images by their positions on this side or by a mask."""
        return Side(*(each[places] for each in self))

    def of_rows(self, rows: Places) -> "Side":
        """Select the images at these positions in the store, in the given order; those of other sides are skipped."""
        place = {row: index for index, row in enumerate(self.rows.tolist())}
        return self.at(np.array([place[row] for row in rows.tolist() if row in place], dtype=np.int64))


def read_side(catalog: Path, features: Path, split: Split | None = None) -> Side:
    """Read the images of one split, or of all splits, without those that could not be decoded.

    Raises:
        FileNotFoundError: there is no such file.
    """
    rows = read_catalog(catalog)
    # an empty name among them is that of images without a label
    names = sorted({each.label for each in rows})
    known = labelled(rows, names, split)
    labels = np.array(names, dtype=np.str_)[known.labels]
    return Side(np.load(features)[known.rows], known.rows, labels, known.groups, known.sha256)


def without_copies(source: Side, target: Side) -> Side:
    """Source without the images that are in the target too: the same image on both sides hides a shift."""
    return source.at(~np.isin(source.images, target.images))


def check_groups(side: Side, name: str) -> None:
    """Refuse a side whose images are all of one group, because a shift could not be distinguished from chance.

    Raises:
        ValueError: fewer than two groups.
    """
    n_groups = len(np.unique(side.groups))
    if n_groups < 2:
        raise ValueError(
            f"{name}: want images of at least 2 groups, got {n_groups} ({len(side.rows)} images). Add images of other "
            "groups, or set prepare_data.group_pattern or group_file so that groups are told apart."
        )
