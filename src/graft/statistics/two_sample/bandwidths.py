"""Bandwidths of a two-sample test, chosen from the pooled rows without a look at which side they are from."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from graft.statistics.groups import Groups, group_sizes
from graft.statistics.two_sample.rows import Floats, Ints, Rows, check_finite, row_keys, taken, to_numpy
from graft.statistics.two_sample.samples import group_numbers, turns

# Pooled rows that bandwidths are chosen from, at most.
SAMPLE_ROWS = 1_000
# Share of the largest squared distance below which two rows count as the same row.
DUPLICATE = 1e-12
# Where the largest value of a kernel is below this, its sums are only rounding in 32 bits.
UNDERFLOW = 1e-30
# Effective pairs per row that a bandwidth needs.
PAIRS_A_ROW = 10
# Relative rounding of sums of weights.
ROUNDING = 1e-9


class PooledRows(NamedTuple):
    """Sample of the pooled rows, centred."""

    centre: Floats
    """(d,) mean of the sampled rows"""
    rows: Floats
    """(s, d) sampled rows minus the centre"""
    groups: Ints
    """(s,) number of each row's group"""


class Bandwidth(NamedTuple):
    """One kernel of a family, exp(-d^2 / bandwidth2)."""

    multiple: float
    """multiple of the median of squared distances"""
    bandwidth2: float
    mmd2: float | None
    """unbiased squared MMD; None where the bandwidth was dropped"""
    dropped: str | None
    """reason why the bandwidth was dropped; None where it was kept"""


class _Pairs(NamedTuple):
    """Pairs of sampled rows of different groups, each pair once."""

    distances2: Floats
    """(p,) squared distance between the two rows"""
    groups: Ints | None
    """(p,) number of the pair of groups that the rows belong to; None where every row is a group"""
    weights: Floats | None
    """(p,) weights that sum to 1 over every pair of groups; None where every row is a group"""


def draw_pooled_rows(sides: tuple[Rows, Rows], keys: Ints, groups: Ints, rng: np.random.Generator) -> PooledRows:
    """Draw SAMPLE_ROWS of the pooled rows, or all of them where there are fewer.

    The order depends only on the content of the rows and the generator. One row of every group is taken before a second
    row of any group, so that a large group does not crowd out the others.

    Args:
        sides: (n, d) and (m, d) features.
        keys: (n + m,) content of each row as a number.
        groups: (n + m,) number of each row's group.
        rng: draws the rows.
    """
    order = np.argsort(keys, kind="stable")
    if len(order) > SAMPLE_ROWS:
        # (n + m,): all rows of earlier turns are taken, and the rest is drawn from the turn at which the sample is
        # full.
        turn = turns(keys, groups, rng)[order]
        last = int(np.searchsorted(np.cumsum(np.bincount(turn)), SAMPLE_ROWS, side="right"))
        before, at = np.flatnonzero(turn < last), np.flatnonzero(turn == last)
        drawn = rng.choice(len(at), SAMPLE_ROWS - len(before), replace=False)
        order = order[np.concatenate([before, at[drawn]])]
    rows = to_numpy(taken(sides, order)).astype(np.float64)
    centre = rows.mean(axis=0)
    return PooledRows(centre, rows - centre, groups[order])


def family(sample: PooledRows, groups: Ints, multiples: Sequence[float]) -> tuple[Bandwidth, ...]:
    """Bandwidths at these multiples of the median; those without enough pairs of rows are marked as dropped.

    Every group weighs the same. The widest bandwidth is always kept, because there is nothing to fall back on.

    Args:
        sample: sample of the pooled rows.
        groups: (n + m,) number of each pooled row's group.
        multiples: multiples of the median of squared distances between rows of different groups.

    Raises:
        ValueError: all rows are equal.
    """
    pairs = _pairs(sample)
    median = _median(pairs)
    n_groups, n_sampled = len(np.unique(groups)), len(np.unique(sample.groups))
    # Ordered pairs of all groups for each unordered pair of sampled groups.
    share = (n_groups**2 - float(n_groups)) / (n_sampled * (n_sampled - 1) // 2)
    found = []
    for multiple in multiples:
        reason = _fault(pairs, multiple * median, share, PAIRS_A_ROW * n_groups)
        found.append(Bandwidth(multiple, multiple * median, None, None if multiple == max(multiples) else reason))
    return tuple(found)


def pooled_median2(source: Rows, target: Rows, seed: int, groups: tuple[Groups, Groups] | None = None) -> float:
    """Median of squared distances between pooled rows, or between SAMPLE_ROWS of them where there are more.

    Args:
        source: (n, d) finite features.
        target: (m, d) finite features.
        seed: seed of the sample.
        groups: (n,) and (m,) names of groups of rows. Pairs within a group do not count, and every group weighs the
            same. None: every row is a group.

    Raises:
        ValueError: all rows are equal.
    """
    keys = np.concatenate([row_keys(each, "float64") for each in (source, target)])
    numbers = group_numbers((len(source), len(target)), groups)
    sample = draw_pooled_rows((source, target), keys, numbers, np.random.default_rng(seed))
    return _median(_pairs(sample))


def _fault(pairs: _Pairs, bandwidth2: float, share: float, wanted: int) -> str | None:
    """Reason to drop a kernel: it underflows, or has too few effective pairs of groups; None where it is sound.

    Args:
        pairs: pairs of sampled rows.
        bandwidth2: the kernel is exp(-d^2 / bandwidth2).
        share: pairs of all groups for each pair of sampled groups.
        wanted: effective pairs that are enough.
    """
    powers = pairs.distances2 / bandwidth2
    least = float(powers.min())
    if np.exp(-least) < UNDERFLOW:
        return f"the kernel underflows: at most exp(-{least:.0f})"
    kernel = np.exp(least - powers)
    if pairs.groups is not None:
        # (p,) to (pairs of groups,): the mean kernel of each pair of groups
        kernel = np.bincount(pairs.groups, weights=kernel * pairs.weights)
    effective = share * float(kernel.sum()) ** 2 / float(kernel @ kernel)
    unit = "rows" if pairs.groups is None else "groups"
    return None if effective >= wanted else f"{effective:.0f} effective pairs of {unit}, fewer than {wanted}"


def _median(pairs: _Pairs) -> float:
    """Median of squared distances, or of the nonzero ones where at least half are zero."""
    distances2, weights = pairs.distances2, pairs.weights
    floor = DUPLICATE * distances2.max()
    median = _middle(distances2, weights)
    far = distances2 > floor
    return median if median > floor else _middle(distances2[far], None if weights is None else weights[far])


def _middle(values: Floats, weights: Floats | None) -> float:
    """Weighted median."""
    if weights is None:
        return float(np.median(values))
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    half = below[-1] / 2
    # Where the weights below a value sum to one half, the median is the mean of that value and the next, as without
    # weights. Rounding must not decide whether they do.
    ends = np.searchsorted(below, half * (1 - ROUNDING)), np.searchsorted(below, half * (1 + ROUNDING))
    return float(values[order][list(ends)].mean())


def _pairs(sample: PooledRows) -> _Pairs:
    rows, groups = sample.rows, sample.groups
    # (s, s): each pair of rows of different groups, once
    once = groups[:, None] < groups
    if not np.ptp(rows, axis=0).any() or not once.any():
        raise ValueError(
            "source and target: want features that differ, got the same values in every row. "
            "Look at the backbone: it gives the same features for every image."
        )
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("nd,nd->n", rows, rows)
        distances: Floats = np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0)[once]
    check_finite(distances)
    sizes, unit = group_sizes(groups)
    if sizes.max() == 1:
        return _Pairs(distances, None, None)
    weights = 1 / sizes[unit]
    return _Pairs(distances, (unit[:, None] * len(sizes) + unit)[once], np.outer(weights, weights)[once])
