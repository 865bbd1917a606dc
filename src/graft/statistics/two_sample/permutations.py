"""Which rows are exchanged together, which labellings are tried, and the statistic of each."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from graft.statistics.two_sample.rows import Floats, Ints
from graft.statistics.two_sample.samples import smallest_keys

EXACT = 1_000
"""units up to which each is permuted by itself; also the most bins there ever are"""
BINS = 512
"""that more units are put into, about"""
LEAST_BINS = 32
"""of the smaller side, or one for each of its units"""
MOST_DROPPED = 0.05
"""of the smaller side's units that may be left over when bins are filled"""
BLOCK = 1_000
"""labellings in one matrix product"""
FLAT = 1e-9
"""of the mean kernel: a spread over labellings below this is rounding"""


class Bins(NamedTuple):
    """Rows in bins of equally many units; the bins of the side with fewer units come first."""

    order: Ints
    """(rows,) numbers of the rows that are used, in the pooled sample, bin after bin"""
    groups: Ints
    """(rows,) number of each row's unit, ascending"""
    edges: Ints
    """(bins + 1,) where each bin starts, and the number of rows"""
    n_marked: int
    """bins of the first side"""
    units: int
    """in each bin"""
    source_first: bool
    complete: bool
    """whether all rows are used"""


def form_bins(keys: Ints, groups: Ints, n_source: int, rng: np.random.Generator) -> Bins:
    """Put units (groups of rows, or rows) into bins that are exchangeable where the samples are alike.

    The units of each side are sorted by content and then shuffled, so that neither the order in which rows came
    nor what they hold decides which share a bin. All bins hold equally many units.

    Args:
        keys: (n + m,) content of each pooled row as a number.
        groups: (n + m,) whole numbers, the same for rows of one unit; no unit has rows on both sides.
        n_source: n.
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
    place = np.full(len(names), -1)
    place[used] = np.arange(len(used))
    rows = np.flatnonzero(place[unit] >= 0)
    order = rows[np.lexsort((keys[rows], place[unit[rows]]))]
    places = place[unit[order]]
    edges = np.searchsorted(places, np.arange(0, len(used) + 1, width))
    return Bins(order, places, edges, n_small, width, bool(order[0] < n_source), len(order) == len(keys))


def counts_by_side(bins: Bins) -> tuple[tuple[int, int], tuple[int, int]]:
    """Bins, and rows, of source and of target."""
    rows = int(bins.edges[bins.n_marked])
    n_bins, n_rows = (bins.n_marked, len(bins.edges) - 1 - bins.n_marked), (rows, len(bins.order) - rows)
    return (n_bins, n_rows) if bins.source_first else (n_bins[::-1], n_rows[::-1])


def n_labellings(bins: Bins) -> int:
    """How many labellings there are; a labelling and its mirror, which have one statistic, count once."""
    n_bins = len(bins.edges) - 1
    return math.comb(n_bins, bins.n_marked) // (2 if 2 * bins.n_marked == n_bins else 1)


def units_a_bin(n_small: int, n_large: int) -> int:
    """Units in each bin: 1 while there are few, else as many as give about BINS bins and serve the smaller side."""
    if n_small + n_large <= EXACT:
        return 1
    for width in range(math.ceil((n_small + n_large) / BINS), 1, -1):
        if n_small // width >= LEAST_BINS and n_small % width <= MOST_DROPPED * n_small:
            return width
    return 1


def labellings(n_marked: int, n_bins: int, n_permutations: int, rng: np.random.Generator) -> Iterator[Floats]:
    """(<= BLOCK, bins) rows of 0 and 1, n_marked ones in each; the observed labelling first."""
    observed = np.zeros(n_bins, dtype=np.uint8)
    observed[:n_marked] = 1
    for start in range(0, n_permutations + 1, BLOCK):
        block = np.tile(observed, (min(BLOCK, n_permutations + 1 - start), 1))
        permuted = block if start else block[1:]
        rng.permuted(permuted, axis=1, out=permuted)
        yield block.astype(np.float64)


def mmd2_of_labellings(sums: Floats, bins: Bins, labelling: Floats) -> Floats:
    """(h, B) unbiased squared MMD of each labelling: means over pairs of different units, each of which weighs 1.

    With z a labelling, K the sums over bins and 1 all ones, from z'Kz, z'K1 and 1'K1.

    Args:
        sums: (h, s, s) of `bin_sums`, the rows weighing as `row_weights` says.
        bins: that the sums are over.
        labelling: (B, s) zeros and ones.
    """
    marked = np.stack([np.einsum("bs,bs->b", labelling @ each, labelling) for each in sums])
    reach = sums.sum(axis=2) @ labelling.T
    total = sums.sum(axis=(1, 2))[:, None]
    n, m = (float(each) for each in _n_units(bins))
    within = marked / (n * (n - 1)) + (total - 2 * reach + marked) / (m * (m - 1))
    statistics: Floats = within - 2 * (reach - marked) / (n * m)
    return statistics


def row_weights(bins: Bins) -> Floats:
    """(rows,) 1 / size of each row's unit: every unit weighs the same whatever its size."""
    weights: Floats = 1 / np.bincount(bins.groups)[bins.groups]
    return weights


def standardised(statistics: Floats, sums: Floats, n_units: int) -> tuple[Floats, Floats, Floats]:
    """Statistics less their mean over labellings in units of their deviation, with both.

    Args:
        statistics: (h, B + 1), the observed labelling among them.
        sums: (h, s, s) of `bin_sums`, for the size of the kernels.
        n_units: that the sums are over.

    Returns:
        (h, B + 1) standardised statistics, 0 where all labellings agree up to rounding; (h,) means; (h,) deviations.
    """
    mean, deviation = statistics.mean(axis=1), statistics.std(axis=1)
    flat = deviation <= FLAT * sums.sum(axis=(1, 2)) / n_units**2
    deviation = np.where(flat, 0.0, deviation)
    units = (statistics - mean[:, None]) / np.where(flat, np.inf, deviation)[:, None]
    return units, mean, deviation


def _n_units(bins: Bins) -> tuple[int, int]:
    """Units of the first side and of the second."""
    n_bins = len(bins.edges) - 1
    return bins.units * bins.n_marked, bins.units * (n_bins - bins.n_marked)
