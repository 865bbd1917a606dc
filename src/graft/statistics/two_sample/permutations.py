"""Permutations: which rows are permuted together, the labellings that are tried, and the statistic of each."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from graft.statistics.two_sample.rows import Floats, Ints
from graft.statistics.two_sample.samples import smallest_keys

# Units up to which each is permuted by itself; also the largest number of bins.
EXACT = 1_000
# Number of bins, approximately, that more units are put into.
BINS = 512
# Fewest bins of the smaller side, unless each of its units is a bin.
LEAST_BINS = 32
# Largest share of the smaller side's units that may be left over when bins are filled.
MOST_DROPPED = 0.05
# Labellings in one matrix product.
BLOCK = 1_000
# Spread over labellings, as a share of the mean kernel, below which it is rounding.
FLAT = 1e-9


class Bins(NamedTuple):
    """Rows in bins with equal numbers of units; the bins of the side with fewer units come first."""

    order: Ints
    """(rows,) positions in the pooled sample of the rows that are used, sorted by bin"""
    groups: Ints
    """(rows,) number of each row's unit, in ascending order"""
    edges: Ints
    """(bins + 1,) start of each bin, and the number of rows"""
    n_marked: int
    """number of bins of the side that comes first"""
    units: int
    """number of units in each bin"""
    source_first: bool
    """whether the side that comes first is the source"""
    complete: bool
    """whether all rows are used"""


def form_bins(keys: Ints, groups: Ints, n_source: int, rng: np.random.Generator) -> Bins:
    """Put units (groups of rows, or rows) into bins that are exchangeable where the samples are alike.

    The units of each side are sorted by content and then shuffled, so that neither the order of the rows nor their
    content decides which share a bin. All bins have the same number of units.

    Args:
        keys: (n + m,) content of each pooled row as a number.
        groups: (n + m,) integers, equal for rows of one unit; no unit has rows on both sides.
        n_source: n, the number of source rows.
        rng: shuffles the units.
    """
    names, unit = np.unique(groups, return_inverse=True)
    unit_keys = smallest_keys(unit, keys)
    of_source = np.zeros(len(names), dtype=np.bool_)
    of_source[unit[:n_source]] = True
    sides = [np.flatnonzero(of_source), np.flatnonzero(~of_source)]
    small, large = sorted((side[np.argsort(unit_keys[side], kind="stable")] for side in sides), key=len)
    width = units_a_bin(len(small), len(large))
    n_small = len(small) // width
    n_large = min(len(large) // width, EXACT - n_small)
    used = np.concatenate([rng.permutation(small)[: n_small * width], rng.permutation(large)[: n_large * width]])
    # (units,): position of each unit in the bins, -1 where it is left out
    place = np.full(len(names), -1)
    place[used] = np.arange(len(used))
    rows = np.flatnonzero(place[unit] >= 0)
    order = rows[np.lexsort((keys[rows], place[unit[rows]]))]
    places = place[unit[order]]
    edges = np.searchsorted(places, np.arange(0, len(used) + 1, width))
    return Bins(order, places, edges, n_small, width, bool(order[0] < n_source), len(order) == len(keys))


def counts_by_side(bins: Bins) -> tuple[tuple[int, int], tuple[int, int]]:
    """Number of bins of source and target, and number of rows of source and target."""
    rows = int(bins.edges[bins.n_marked])
    n_bins, n_rows = (bins.n_marked, len(bins.edges) - 1 - bins.n_marked), (rows, len(bins.order) - rows)
    return (n_bins, n_rows) if bins.source_first else (n_bins[::-1], n_rows[::-1])


def n_labellings(bins: Bins) -> int:
    """Number of different labellings; a labelling and its mirror image count once, as their statistic is the same."""
    n_bins = len(bins.edges) - 1
    return math.comb(n_bins, bins.n_marked) // (2 if 2 * bins.n_marked == n_bins else 1)


def units_a_bin(n_small: int, n_large: int) -> int:
    """Number of units in each bin: 1 up to EXACT units, else what gives about BINS bins and suits the smaller side."""
    if n_small + n_large <= EXACT:
        return 1
    for width in range(math.ceil((n_small + n_large) / BINS), 1, -1):
        if n_small // width >= LEAST_BINS and n_small % width <= MOST_DROPPED * n_small:
            return width
    return 1


def labellings(n_marked: int, n_bins: int, n_permutations: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Labellings in blocks of shape (<= BLOCK, bins): n_marked ones in each row, else 0; the observed one first."""
    observed = np.zeros(n_bins, dtype=np.uint8)
    observed[:n_marked] = 1
    for start in range(0, n_permutations + 1, BLOCK):
        block = np.tile(observed, (min(BLOCK, n_permutations + 1 - start), 1))
        # The very first row stays as observed.
        permuted = block if start else block[1:]
        rng.permuted(permuted, axis=1, out=permuted)
        yield block.astype(np.float64)


def mmd2_of_labellings(sums: Floats, bins: Bins, labelling: Floats) -> Floats:
    """Unbiased squared MMD of each labelling, (h, B): means over pairs of different units of equal weight.

    It is computed from z'Kz, z'K1 and 1'K1, where z is a labelling, K the sums over bins and 1 a vector of ones.

    Args:
        sums: (h, s, s) result of `bin_sums` with the weights of `row_weights`.
        bins: bins of the sums.
        labelling: (B, s) zeros and ones.
    """
    # (h, B): z'Kz, the pairs on the marked side
    marked = np.stack([np.einsum("bs,bs->b", labelling @ each, labelling) for each in sums])
    # (h, B): z'K1
    reach = sums.sum(axis=2) @ labelling.T
    total = sums.sum(axis=(1, 2))[:, None]
    n, m = (float(each) for each in _n_units(bins))
    within = marked / (n * (n - 1)) + (total - 2 * reach + marked) / (m * (m - 1))
    statistics: Floats = within - 2 * (reach - marked) / (n * m)
    return statistics


def row_weights(bins: Bins) -> Floats:
    """Weight of each row, (rows,): 1 / size of its unit, so that every unit weighs the same."""
    weights: Floats = 1 / np.bincount(bins.groups)[bins.groups]
    return weights


def standardised(statistics: Floats, sums: Floats, n_units: int) -> tuple[Floats, Floats, Floats]:
    """Standardise the statistics of each kernel by their mean and deviation over labellings.

    Args:
        statistics: (h, B + 1) statistics, the observed labelling included.
        sums: (h, s, s) result of `bin_sums`, for the size of the kernels.
        n_units: number of units in the sums.

    Returns:
        Standardised statistics, (h, B + 1), 0 where all labellings agree up to rounding; means, (h,); deviations, (h,).
    """
    mean, deviation = statistics.mean(axis=1), statistics.std(axis=1)
    flat = deviation <= FLAT * sums.sum(axis=(1, 2)) / n_units**2
    deviation = np.where(flat, 0.0, deviation)
    units = (statistics - mean[:, None]) / np.where(flat, np.inf, deviation)[:, None]
    return units, mean, deviation


def _n_units(bins: Bins) -> tuple[int, int]:
    """Number of units of the side that comes first, and of the other."""
    n_bins = len(bins.edges) - 1
    return bins.units * bins.n_marked, bins.units * (n_bins - bins.n_marked)
