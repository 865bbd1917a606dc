"""Find pictures that are nearly the same: saved again, resized, a little brighter.

Perceptual hashes name the candidates, small pictures confirm them. The limits are measured ones:
docs/decisions/near-duplicates.md.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from graft.files import AT_A_TIME, let_go

HASH_BITS = 64
RIVAL_BITS = 4
"""hashes that differ in up to so many bits more than a candidate's may are compared too: are other pictures near?"""
MOST_COMPARED = 512
"""hashes of one band that each hash is compared with"""
MOST_PARTNERS = 8
"""near hashes of a hash in one band, and images of equal hash, that become candidates of each"""
MOST_SHARED = 2
"""images of a near hash that become candidates of each image"""
MOST_RIVALS = 4
"""hashes of one band, a little further off than a candidate's, whose pictures are compared with those of each hash"""

SIDE = 8
"""of the small pictures, in pixels"""
LIMIT = 0.6
"""largest difference of a value of two small pictures, in standard deviations"""
LIMIT_AMONG_RIVALS = 0.2
"""the same where an image has rivals"""
RIVAL_SHARE = 0.1
"""an image has rivals where a larger share of what it is compared with differs by more than LIMIT: other pictures"""
BRIGHTER = 32
"""largest difference of the mean grey of two pictures, of 255"""
CHUNK_PAIRS = 2**16

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""the first and the second places of pairs"""


class Stored(Protocol):
    """What a row of the catalogue says of a readable image."""

    @property
    def phash(self) -> str:
        """Perceptual hash, 16 hex digits."""

    @property
    def row(self) -> int:
        """Place in the image store."""


class Candidates(NamedTuple):
    """Pairs whose pictures are to be compared; of places, the smaller first, each pair once."""

    pairs: NDArray[np.int64]
    """(k, 2) of near hashes: nearly the same picture, if the pictures agree"""
    rivals: NDArray[np.int64]
    """(r, 2) never a result, as of hashes a little further off, but they tell whether other pictures are common here"""


def duplicate_pairs(rows: Sequence[Stored], images: NDArray[np.uint8], bits: int) -> NDArray[np.int64]:
    """Pairs of images of a domain that are nearly or exactly the same.

    Args:
        rows: readable ones, all of one domain.
        images: its image store, (n, s, s, 3).
        bits: in which the hashes of candidates may differ.

    Returns:
        (m, 2) places in `rows`, the smaller first; of many images that are all alike not every pair, but enough
        to connect them.
    """
    stored = np.array([row.row for row in rows], dtype=np.int64)
    return compared(near_duplicates(hash_numbers(rows), bits), lambda places: thumbnails(images, stored[places]))


def compared(candidates: Candidates, small: Callable[[NDArray[np.int64]], NDArray[np.float32]]) -> NDArray[np.int64]:
    """(m, 2) the pairs that are `confirmed`; only pictures on which that depends are asked for.

    Args:
        candidates: pairs of places.
        small: gives the `thumbnails` of places, which are sorted.
    """
    pairs = candidates.pairs
    rivals = candidates.rivals[np.isin(candidates.rivals, pairs).any(axis=1)]
    places = np.unique(np.concatenate([pairs, rivals]))
    found = confirmed(Candidates(np.searchsorted(places, pairs), np.searchsorted(places, rivals)), small(places))
    return places[found]


def hash_numbers(rows: Sequence[Stored]) -> NDArray[np.uint64]:
    """(n,) perceptual hashes of readable images as numbers."""
    return np.array([int(row.phash, 16) for row in rows], dtype=np.uint64)


def near_duplicates(hashes: NDArray[np.uint64], bits: int) -> Candidates:
    """Pairs of hashes that differ in at most so many bits, and some of those that differ in a few more.

    Multi-index hashing (Norouzi, Punjani and Fleet 2012): of more bands than bits that differ, one is equal in
    both. Equal hashes are collapsed first, and each hash is compared with and paired with a bounded number of
    others, so that time and memory grow with n also where all hashes are alike, such as those of blank scans.
    Where a band is shared by no more than MOST_COMPARED hashes, a hash by no more than MOST_SHARED images, and
    near to no more than MOST_PARTNERS, every pair of near hashes is found.

    Args:
        hashes: (n,) of 64 bits.
        bits: in which the hashes of a pair may differ, 0 to 8.
    """
    unique, owners, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    members = np.argsort(owners, kind="stable")
    found = [part for band in _bands(bits) for part in _near_in_band(unique, band, bits)]
    near, rivals = _unique((each for each, _ in found), len(unique)), _unique((each for _, each in found), len(unique))
    of_equal = _of_equal_hash(owners[members], members)
    of_near, of_rivals = _of_near_hash(near, members, counts, MOST_SHARED), _of_near_hash(rivals, members, counts, 1)
    return Candidates(_unique(chain(of_equal, of_near), len(hashes)), _unique(of_rivals, len(hashes)))


def thumbnails(images: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Small pictures of these rows of an image store, (len(rows), 8, 8, 3), mean grey levels 0 to 255."""
    edges = np.arange(SIDE) * images.shape[1] // SIDE
    sizes = np.diff([*edges, images.shape[1]]).astype(np.float32)
    small = np.empty((len(rows), SIDE, SIDE, 3), dtype=np.float32)
    for start in range(0, len(rows), AT_A_TIME):
        across = np.add.reduceat(images[rows[start : start + AT_A_TIME]], edges, axis=2, dtype=np.uint32)
        small[start : start + AT_A_TIME] = np.add.reduceat(across, edges, axis=1)
        let_go(images)
    small /= sizes[:, None, None] * sizes[:, None]
    return small


def confirmed(candidates: Candidates, small: NDArray[np.float32]) -> NDArray[np.int64]:
    """The pairs whose pictures agree, but for brightness and contrast.

    Where other pictures are common among those that an image is compared with, near hashes say little, and its
    pairs must agree more. Copies of one picture, however many, agree with one another and are no rivals.

    Args:
        candidates: pairs of places in `small`.
        small: (n, 8, 8, 3) of `thumbnails`.

    Returns:
        (m, 2) places in `small`.
    """
    pairs = candidates.pairs
    every = np.concatenate([pairs, candidates.rivals])
    difference = _differences(every, small)
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
    """(k,) the largest difference of each pair at any place, in standard deviations.

    The largest one counts: a copy differs a little everywhere, another picture much somewhere.
    """
    flat = small.reshape(len(small), SIDE * SIDE * 3)
    deviation = np.maximum(flat.std(axis=1, keepdims=True), 1)
    values = (flat - flat.mean(axis=1, keepdims=True)) / deviation
    largest = np.empty(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), CHUNK_PAIRS):
        one, two = pairs[start : start + CHUNK_PAIRS].T
        largest[start : start + CHUNK_PAIRS] = np.abs(values[one] - values[two]).max(axis=1)
    return largest


def _bands(bits: int) -> list[tuple[int, int]]:
    """First bit and width of each band; few bits too are looked for in several, where a little more meets."""
    edges = np.linspace(0, HASH_BITS, max(bits, RIVAL_BITS) + 2).astype(int).tolist()
    return [(start, end - start) for start, end in pairwise(edges)]


def _near_in_band(unique: NDArray[np.uint64], band: tuple[int, int], bits: int) -> Iterator[tuple[Pairs, Pairs]]:
    """Pairs of places in `unique` whose hashes are equal in one band: those that are near, and some a little less."""
    start, width = (np.uint64(number) for number in band)
    rotated = (unique << start) | (unique >> np.uint64(HASH_BITS) - start) if start else unique
    order = np.argsort(rotated)
    key, value = rotated[order] >> np.uint64(HASH_BITS) - width, unique[order]
    n_partners, n_rivals = np.zeros((2, len(unique)), dtype=np.int64)
    here = np.arange(len(unique))
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
    """Images of equal hash: each and the next few; `owners` are the hashes of `members`, sorted."""
    for step in range(1, MOST_PARTNERS + 1):
        here = np.flatnonzero(owners[step:] == owners[:-step])
        yield members[here], members[here + step]


def _of_near_hash(
    near: NDArray[np.int64], members: NDArray[np.int64], counts: NDArray[np.int64], most: int
) -> Iterator[Pairs]:
    """Images of hashes that are near: each image of the larger side and at most so many of the smaller, in turn."""
    starts = np.cumsum(counts) - counts
    larger, smaller = np.where(counts[near[:, :1]] >= counts[near[:, 1:]], near, near[:, ::-1]).T
    n = counts[larger]
    turn = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
    one = members[np.repeat(starts[larger], n) + turn]
    start, count = np.repeat(starts[smaller], n), np.repeat(counts[smaller], n)
    for step in range(most):
        here = np.flatnonzero(step < count)
        yield one[here], members[start[here] + (turn[here] + step) % count[here]]


def _unique(parts: Iterable[Pairs], n: int) -> NDArray[np.int64]:
    """(k, 2) pairs of places below n, the smaller first, sorted, each once."""
    codes = [np.minimum(one, two) * n + np.maximum(one, two) for one, two in parts]
    return np.stack(np.divmod(np.unique(np.concatenate([np.empty(0, dtype=np.int64), *codes])), max(1, n)), axis=1)
