"""Find pictures that are nearly the same: saved again, resized, a little brighter.

Perceptual hashes name the candidates, small pictures confirm them. The limits are measured ones:
docs/decisions/near-duplicates.md.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.store import AT_A_TIME, CatalogRow, let_go

HASH_BITS = 64
RIVAL_BITS = 4
"""a hash that differs in up to so many bits more than a candidate's may is a rival: such pictures are common here"""
MOST_COMPARED = 512
"""hashes of one band that each hash is compared with"""
MOST_PARTNERS = 8
"""near hashes of a hash in one band, and images of equal hash, that become candidates of each"""
MOST_SHARED = 2
"""images of a near hash that become candidates of each image"""

SIDE = 8
"""of the small pictures, in pixels"""
LIMIT = 0.6
"""largest difference of a value of two small pictures, in standard deviations, where there are no rivals"""
LIMIT_AMONG_RIVALS = 0.2
BRIGHTER = 32
"""largest difference of the mean grey of two pictures, of 255"""
CHUNK_PAIRS = 2**16

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""the first and the second places of pairs"""


class Candidates(NamedTuple):
    """Pairs whose pictures are to be compared."""

    pairs: NDArray[np.int64]
    """(k, 2) places, the smaller first, sorted, each pair once"""
    rivalled: NDArray[np.bool_]
    """(k,) whether one of the two has rivals: near hashes mean little there, and the pictures must agree more"""


def duplicate_pairs(rows: Sequence[CatalogRow], images: NDArray[np.uint8], bits: int) -> NDArray[np.int64]:
    """Pairs of images of a domain that are nearly or exactly the same.

    Args:
        rows: readable ones, all of one domain.
        images: its image store, (n, s, s, 3).
        bits: in which the hashes of candidates may differ.

    Returns:
        (m, 2) places in `rows`, the smaller first; of many images that are all alike not every pair, but enough
        to connect them.
    """
    found = near_duplicates(hash_numbers(rows), bits)
    of_interest, places = np.unique(found.pairs, return_inverse=True)
    stored = np.array([row.row for row in rows], dtype=np.int64)[of_interest]
    compared = confirmed(Candidates(places.reshape(-1, 2), found.rivalled), thumbnails(images, stored))
    pairs: NDArray[np.int64] = of_interest[compared]
    return pairs


def hash_numbers(rows: Sequence[CatalogRow]) -> NDArray[np.uint64]:
    """(n,) perceptual hashes of readable images as numbers."""
    return np.array([int(row.phash, 16) for row in rows], dtype=np.uint64)


def near_duplicates(hashes: NDArray[np.uint64], bits: int) -> Candidates:
    """Pairs of hashes that differ in at most so many bits.

    Multi-index hashing (Norouzi, Punjani and Fleet 2012): of more bands than bits that differ, one is equal in
    both. Equal hashes are collapsed first, and each hash is compared with and paired with a bounded number of
    others, so that time and memory grow with n also where all hashes are alike, such as those of blank scans.
    Where a band is shared by no more than MOST_COMPARED hashes, a hash by no more than MOST_SHARED images, and
    near to no more than MOST_PARTNERS, every pair is found.

    Args:
        hashes: (n,) of 64 bits.
        bits: in which the hashes of a pair may differ, 0 to 8.
    """
    unique, owners, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    members = np.argsort(owners, kind="stable")
    has_rivals = counts > MOST_PARTNERS
    near = _unique(
        (part for band in _bands(bits) for part in _near_in_band(unique, band, bits, has_rivals)), len(hashes)
    )
    of_equal, of_near = _of_equal_hash(owners[members], members), _of_near_hash(near, members, counts)
    pairs = _unique(chain(of_equal, of_near), len(hashes))
    one, two = has_rivals[owners[pairs]].T
    return Candidates(pairs, one | two)


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

    The largest difference at any place counts: a copy differs a little everywhere, another picture much somewhere.

    Args:
        candidates: pairs of places in `small`.
        small: (n, 8, 8, 3) of `thumbnails`.

    Returns:
        (m, 2) places in `small`.
    """
    flat = small.reshape(len(small), SIDE * SIDE * 3)
    mean = flat.mean(axis=1, keepdims=True)
    values = (flat - mean) / np.maximum(flat.std(axis=1, keepdims=True), 1)
    limits = np.where(candidates.rivalled, LIMIT_AMONG_RIVALS, LIMIT)
    agree = np.zeros(len(limits), dtype=bool)
    for start in range(0, len(limits), CHUNK_PAIRS):
        chunk = slice(start, start + CHUNK_PAIRS)
        one, two = candidates.pairs[chunk].T
        alike = np.abs(values[one] - values[two]).max(axis=1) <= limits[chunk]
        agree[chunk] = alike & (np.abs(mean[one] - mean[two])[:, 0] <= BRIGHTER)
    return candidates.pairs[agree]


def _bands(bits: int) -> list[tuple[int, int]]:
    """First bit and width of each band; few bits too are looked for in several, where rivals meet."""
    edges = np.linspace(0, HASH_BITS, max(bits, RIVAL_BITS) + 2).astype(int).tolist()
    return [(start, end - start) for start, end in pairwise(edges)]


def _near_in_band(
    unique: NDArray[np.uint64], band: tuple[int, int], bits: int, has_rivals: NDArray[np.bool_]
) -> Iterator[Pairs]:
    """Pairs of places in `unique` whose hashes are near and equal in one band; marks those that have rivals."""
    start, width = (np.uint64(number) for number in band)
    rotated = (unique << start) | (unique >> np.uint64(HASH_BITS) - start) if start else unique
    order = np.argsort(rotated)
    key, value = rotated[order] >> np.uint64(HASH_BITS) - width, unique[order]
    n_partners = np.zeros(len(unique), dtype=np.int64)
    here = np.arange(len(unique))
    for step in range(1, MOST_COMPARED + 1):
        here = here[(here + step < len(unique)) & (n_partners[here] < MOST_PARTNERS)]
        here = here[key[here] == key[here + step]]
        if not len(here):
            break
        distance = np.bitwise_count(value[here] ^ value[here + step])
        near = here[distance <= bits]
        rivals = here[(distance > bits) & (distance <= bits + RIVAL_BITS)]
        has_rivals[order[rivals]] = has_rivals[order[rivals + step]] = True
        n_partners[near] += 1
        yield order[near], order[near + step]
    has_rivals[order[n_partners == MOST_PARTNERS]] = True


def _of_equal_hash(owners: NDArray[np.int64], members: NDArray[np.int64]) -> Iterator[Pairs]:
    """Images of equal hash: each and the next few; `owners` are the hashes of `members`, sorted."""
    for step in range(1, MOST_PARTNERS + 1):
        here = np.flatnonzero(owners[step:] == owners[:-step])
        yield members[here], members[here + step]


def _of_near_hash(near: NDArray[np.int64], members: NDArray[np.int64], counts: NDArray[np.int64]) -> Iterator[Pairs]:
    """Images of hashes that are near: each image of the larger side and a few of the smaller, in turn."""
    starts = np.cumsum(counts) - counts
    larger, smaller = np.where(counts[near[:, :1]] >= counts[near[:, 1:]], near, near[:, ::-1]).T
    n = counts[larger]
    turn = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
    one = members[np.repeat(starts[larger], n) + turn]
    start, count = np.repeat(starts[smaller], n), np.repeat(counts[smaller], n)
    for step in range(MOST_SHARED):
        here = np.flatnonzero(step < count)
        yield one[here], members[start[here] + (turn[here] + step) % count[here]]


def _unique(parts: Iterable[Pairs], n: int) -> NDArray[np.int64]:
    """(k, 2) pairs of places below n, the smaller first, sorted, each once."""
    codes = [np.minimum(one, two) * n + np.maximum(one, two) for one, two in parts]
    return np.stack(np.divmod(np.unique(np.concatenate([np.empty(0, dtype=np.int64), *codes])), max(1, n)), axis=1)
