"""Find near duplicates that connect too much of a class, as the images of a fixed camera do."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

# Share of a class's images. Near duplicates that connect more show how the images were taken, not that they are copies.
MOST_SHARE = 0.1
# A component of at most this many images is a burst or a set of copies, even if it is a large share of a small class.
MOST_COPIES = 5


class Named(Protocol):
    """What is needed of a catalogue row."""

    @property
    def label(self) -> str:
        """Class of the image."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the file."""


class Chain(NamedTuple):
    """How much of a class near duplicates connect."""

    label: str
    n_connected: int
    n_images: int
    """number of images of the class; equal files count once"""


class Chains(NamedTuple):
    """Near duplicates that connect too much to be copies."""

    pairs: NDArray[np.bool_]
    """(m,) whether each pair is one of them"""
    classes: tuple[Chain, ...]
    """the largest chain of each class that has one, sorted by class"""


def chains(rows: Sequence[Named], pairs: NDArray[np.int64], beside: Sequence[Named] = ()) -> Chains:
    """Near duplicates that connect more than a tenth of a class, and more than 5 images.

    Args:
        rows: rows of readable images.
        pairs: (m, 2) positions in `rows`.
        beside: rows of readable images of the same classes that were not compared.
    """
    # equal files are one node of the graph
    place_of = {sha256: place for place, sha256 in enumerate(sorted({row.sha256 for row in rows}))}
    of_row = np.array([place_of[row.sha256] for row in rows], dtype=np.int64)
    roots = connected(len(place_of), of_row[pairs].tolist())
    of_file = {(row.label, row.sha256): roots[place_of[row.sha256]] for row in rows}
    totals = Counter(label for label, _ in {*of_file, *((row.label, row.sha256) for row in beside)})
    sizes = Counter(roots)
    far, largest = set[int](), Counter[str]()
    for (root, label), n in Counter((root, label) for (label, _), root in of_file.items()).items():
        if sizes[root] > MOST_COPIES and n > MOST_SHARE * totals[label]:
            far.add(root)
            largest[label] = max(largest[label], n)
    in_chain = np.array([roots[place] in far for place in of_row[pairs[:, 0]]], dtype=np.bool_)
    return Chains(in_chain, tuple(Chain(label, n, totals[label]) for label, n in sorted(largest.items())))


def connected(n: int, pairs: Iterable[Sequence[int]]) -> list[int]:
    """Smallest position in the connected component of each of n positions (union-find with path halving)."""
    parent = list(range(n))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = place = parent[parent[place]]
        return place

    for one, two in pairs:
        low, high = sorted((root(one), root(two)))
        parent[high] = low
    return [root(place) for place in range(n)]
