"""Find images that are nearly the same: saved again, resized, or a little brighter.

Perceptual hashes give candidates, and thumbnails confirm them. The limits were measured:
docs/decisions/near-duplicates.md.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from graft.files import AT_A_TIME, let_go

HASH_BITS = 64
# Hashes that differ in up to this many bits more than those of candidates give rivals. They show whether an image has
# neighbours that are other images.
RIVAL_BITS = 4
# Hashes with an equal band that each hash is compared with.
MOST_COMPARED = 512
# Candidates of each hash in one band, and candidates of each image among images of equal hash.
MOST_PARTNERS = 8
# Images of a near hash that become candidates of each image.
MOST_SHARED = 2
# Rivals of each hash in one band.
MOST_RIVALS = 4

# Side of a thumbnail in pixels.
SIDE = 8
# Largest difference of a value in two thumbnails, in standard deviations.
LIMIT = 0.6
# The same for an image that has rivals.
LIMIT_AMONG_RIVALS = 0.2
# An image has rivals if it differs by more than LIMIT from a larger share of the images that it is compared with.
RIVAL_SHARE = 0.1
# Largest difference of the mean grey values of two images, of 255.
BRIGHTER = 32
CHUNK_PAIRS = 2**16

# The first and the second positions of pairs.
Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


class Stored(Protocol):
    """What is needed of a catalogue row of a readable image."""

    @property
    def phash(self) -> str:
        """Perceptual hash, 16 hex digits."""

    @property
    def row(self) -> int:
        """Place in the image store."""


class Candidates(NamedTuple):
    """Pairs of positions of images to be compared, the smaller position first, each pair once."""

    pairs: NDArray[np.int64]
    """(k, 2) pairs with near hashes, which are near duplicates if their thumbnails agree"""
    rivals: NDArray[np.int64]
    """(r, 2) pairs whose hashes differ a little more: not near duplicates, but a measure of how common others are"""


def duplicate_pairs(rows: Sequence[Stored], images: NDArray[np.uint8], bits: int) -> NDArray[np.int64]:
    """Pairs of images of a domain that are nearly or exactly the same.

    Args:
        rows: rows of all readable images of the domain.
        images: (n, s, s, 3) image store of the domain.
        bits: bits in which the hashes of candidates may differ.

    Returns:
        (m, 2) positions in `rows`, the smaller first. If many images are all alike, not every pair is returned, but
        enough to connect them.
    """
    stored = np.array([row.row for row in rows], dtype=np.int64)
    return compared(near_duplicates(hash_numbers(rows), bits), lambda places: thumbnails(images, stored[places]))


def compared(candidates: Candidates, small: Callable[[NDArray[np.int64]], NDArray[np.float32]]) -> NDArray[np.int64]:
    """(m, 2) pairs that are `confirmed`. Thumbnails are made only of images that matter for it.

    Args:
        candidates: pairs of positions.
        small: function that returns the `thumbnails` of sorted positions.
    """
    pairs = candidates.pairs
    rivals = candidates.rivals[np.isin(candidates.rivals, pairs).any(axis=1)]
    places = np.unique(np.concatenate([pairs, rivals]))
    found = confirmed(Candidates(np.searchsorted(places, pairs), np.searchsorted(places, rivals)), small(places))
    return places[found]


def hash_numbers(rows: Sequence[Stored]) -> NDArray[np.uint64]:
    """(n,) perceptual hashes of readable images as 64-bit integers."""
    return np.array([int(row.phash, 16) for row in rows], dtype=np.uint64)


def near_duplicates(hashes: NDArray[np.uint64], bits: int) -> Candidates:
    """Pairs of hashes that differ in at most the given number of bits, and some that differ in a few more.

    Two hashes that differ in fewer bits than there are bands agree in at least one band. Equal hashes are collapsed
    first. Each hash is compared and paired with a bounded number of others, so that time and memory are linear in n
    even if all hashes are alike, such as those of blank scans.

    Every pair of near hashes is found if at most MOST_COMPARED hashes share a band, at most MOST_SHARED images share
    a hash, and a hash is near to at most MOST_PARTNERS others.

    Source: multi-index hashing, Norouzi, Punjani and Fleet (2012).

    Args:
        hashes: (n,) hashes of 64 bits.
        bits: bits in which the hashes of a pair may differ, 0 to 8.
    """
    unique, owners, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    members = np.argsort(owners, kind="stable")
    found = [part for band in _bands(bits) for part in _near_in_band(unique, band, bits)]
    near, rivals = _unique((each for each, _ in found), len(unique)), _unique((each for _, each in found), len(unique))
    of_equal = _of_equal_hash(owners[members], members)
    of_near, of_rivals = _of_near_hash(near, members, counts, MOST_SHARED), _of_near_hash(rivals, members, counts, 1)
    return Candidates(_unique(chain(of_equal, of_near), len(hashes)), _unique(of_rivals, len(hashes)))


def thumbnails(images: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Thumbnails of rows of an image store, (len(rows), 8, 8, 3): the mean of each cell of a grid, 0 to 255."""
    # the grid's cells differ by a pixel if s is not a multiple of 8
    edges = np.arange(SIDE) * images.shape[1] // SIDE
    sizes = np.diff([*edges, images.shape[1]]).astype(np.float32)
    small = np.empty((len(rows), SIDE, SIDE, 3), dtype=np.float32)
    for start in range(0, len(rows), AT_A_TIME):
        # (k, s, s, 3) -> (k, s, 8, 3) -> (k, 8, 8, 3)
        across = np.add.reduceat(images[rows[start : start + AT_A_TIME]], edges, axis=2, dtype=np.uint32)
        small[start : start + AT_A_TIME] = np.add.reduceat(across, edges, axis=1)
        let_go(images)
    small /= sizes[:, None, None] * sizes[:, None]
    return small


def confirmed(candidates: Candidates, small: NDArray[np.float32]) -> NDArray[np.int64]:
    """Pairs whose thumbnails agree, apart from brightness and contrast.

    If many of the images that an image is compared with are other images, near hashes mean little, and its pairs must
    agree more closely. Copies of one image, however many, agree with one another and are not rivals.

    Args:
        candidates: pairs of positions in `small`.
        small: (n, 8, 8, 3) thumbnails.

    Returns:
        (m, 2) positions in `small`.
    """
    pairs = candidates.pairs
    every = np.concatenate([pairs, candidates.rivals])
    difference = _differences(every, small)
    # (n,) how many images each image is compared with, and how many of them are other images
    n_compared, n_others = (
        np.bincount(each.ravel(), minlength=len(small)) for each in (every, every[difference > LIMIT])
    )
    has_rivals = n_others > RIVAL_SHARE * n_compared
    limits = np.where(has_rivals[pairs].any(axis=1), LIMIT_AMONG_RIVALS, LIMIT)
    mean = small.mean(axis=(1, 2, 3))
    alike = np.abs(mean[pairs[:, 0]] - mean[pairs[:, 1]]) <= BRIGHTER
    agreed: NDArray[np.int64] = pairs[alike & (difference[: len(pairs)] <= limits)]
    return agreed


def _differences(pairs: NDArray[np.int64], small: NDArray[np.float32]) -> NDArray[np.float32]:
    """(k,) largest difference of each pair of thumbnails in any value, in standard deviations.

    The largest difference counts, since a copy differs a little everywhere, but another image differs much somewhere.
    """
    # (n, 8, 8, 3) -> (n, 192)
    flat = small.reshape(len(small), SIDE * SIDE * 3)
    deviation = np.maximum(flat.std(axis=1, keepdims=True), 1)
    values = (flat - flat.mean(axis=1, keepdims=True)) / deviation
    largest = np.empty(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), CHUNK_PAIRS):
        one, two = pairs[start : start + CHUNK_PAIRS].T
        largest[start : start + CHUNK_PAIRS] = np.abs(values[one] - values[two]).max(axis=1)
    return largest


def _bands(bits: int) -> list[tuple[int, int]]:
    """First bit and width of each band; at least 5 bands, so that rivals meet in one of them even if bits is small."""
    edges = np.linspace(0, HASH_BITS, max(bits, RIVAL_BITS) + 2).astype(int).tolist()
    return [(start, end - start) for start, end in pairwise(edges)]


def _near_in_band(unique: NDArray[np.uint64], band: tuple[int, int], bits: int) -> Iterator[tuple[Pairs, Pairs]]:
    """Pairs of positions in `unique` with an equal band: those whose hashes are near, and some rivals."""
    start, width = (np.uint64(number) for number in band)
    # rotated so that the band is in the highest bits: after sorting, hashes with an equal band are neighbours
    rotated = (unique << start) | (unique >> np.uint64(HASH_BITS) - start) if start else unique
    order = np.argsort(rotated)
    key, value = rotated[order] >> np.uint64(HASH_BITS) - width, unique[order]
    n_partners, n_rivals = np.zeros((2, len(unique)), dtype=np.int64)
    here = np.arange(len(unique))
    # each round compares every hash that is left with the one `step` positions after it
    for step in range(1, MOST_COMPARED + 1):
        here = here[(here + step < len(unique)) & (n_partners[here] < MOST_PARTNERS)]
        here = here[key[here] == key[here + step]]
        if not len(here):
            break
        distance = np.bitwise_count(value[here] ^ value[here + step])
        near = here[distance <= bits]
        rivals = here[(distance > bits) & (distance <= bits + RIVAL_BITS)]
        rivals = rivals[np.maximum(n_rivals[rivals], n_rivals[rivals + step]) < MOST_RIVALS]
        n_partners[near] += 1
        n_rivals[rivals] += 1
        n_rivals[rivals + step] += 1
        yield (order[near], order[near + step]), (order[rivals], order[rivals + step])


def _of_equal_hash(owners: NDArray[np.int64], members: NDArray[np.int64]) -> Iterator[Pairs]:
    """Pairs of images with equal hashes: each image and the next few.

    Args:
        owners: (n,) number of each image's hash, sorted.
        members: (n,) the images in that order.
    """
    for step in range(1, MOST_PARTNERS + 1):
        here = np.flatnonzero(owners[step:] == owners[:-step])
        yield members[here], members[here + step]


def _of_near_hash(
    near: NDArray[np.int64], members: NDArray[np.int64], counts: NDArray[np.int64], most: int
) -> Iterator[Pairs]:
    """Pairs of images whose hashes are near.

    Each image of the hash with more images is paired with a few images of the other hash, which take turns.

    Args:
        near: (k, 2) pairs of hashes.
        members: (n,) images sorted by hash.
        counts: number of images of each hash.
        most: pairs for each image.
    """
    # position in `members` of the first image of each hash
    starts = np.cumsum(counts) - counts
    larger, smaller = np.where(counts[near[:, :1]] >= counts[near[:, 1:]], near, near[:, ::-1]).T
    n = counts[larger]
    # one entry for each image of each larger hash, numbered from 0 within its hash
    turn = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
    one = members[np.repeat(starts[larger], n) + turn]
    start, count = np.repeat(starts[smaller], n), np.repeat(counts[smaller], n)
    for step in range(most):
        here = np.flatnonzero(step < count)
        yield one[here], members[start[here] + (turn[here] + step) % count[here]]


def _unique(parts: Iterable[Pairs], n: int) -> NDArray[np.int64]:
    """(k, 2) pairs of positions below n, the smaller first, sorted, each once."""
    # a pair as one integer sorts faster than a row of two
    codes = [np.minimum(one, two) * n + np.maximum(one, two) for one, two in parts]
    return np.stack(np.divmod(np.unique(np.concatenate([np.empty(0, dtype=np.int64), *codes])), max(1, n)), axis=1)
