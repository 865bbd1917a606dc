"""Which bandwidths a two-sample test looks through, chosen from the pooled rows without a look at their labels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from graft.statistics.groups import Groups, group_sizes
from graft.statistics.two_sample.rows import Floats, Ints, Rows, check_finite, row_keys, taken, to_numpy
from graft.statistics.two_sample.samples import group_numbers, turns

SAMPLE_ROWS = 1_000
"""pooled rows that bandwidths are chosen from"""
DUPLICATE = 1e-12
"""share of the largest squared distance below which two rows are the same row"""
UNDERFLOW = 1e-30
"""largest value of a kernel whose sums are rounding in 32 bits"""
PAIRS_A_ROW = 10
"""effective pairs that a bandwidth needs"""
ROUNDING = 1e-9
"""of sums of weights"""


class PooledRows(NamedTuple):
    """Some of the pooled rows."""

    centre: Floats
    """(d,) their mean"""
    rows: Floats
    """(s, d) less the centre"""
    groups: Ints
    """(s,) number of each row's group"""


class Bandwidth(NamedTuple):
    """One kernel of a family, exp(-d^2 / bandwidth2)."""

    multiple: float
    """of the median of squared distances"""
    bandwidth2: float
    mmd2: float | None
    """unbiased squared MMD; None where the bandwidth was dropped"""
    dropped: str | None
    """the reason; None where it was kept"""


class _Pairs(NamedTuple):
    """Pairs of sampled rows of different groups, each once."""

    distances2: Floats
    """(p,) between the rows"""
    groups: Ints | None
    """(p,) number of the pair of groups that they belong to; None: every row is a group"""
    weights: Floats | None
    """(p,) that give every pair of groups a sum of 1; None: every row is a group"""


def draw_pooled_rows(sides: tuple[Rows, Rows], keys: Ints, groups: Ints, rng: np.random.Generator) -> PooledRows:
    """All pooled rows, or SAMPLE_ROWS of them, in an order that only their content and the generator decide.

    Of every group one row is taken before a second of any, and so on: a large group must not crowd out the others.

    Args:
        sides: (n, d) and (m, d) features.
        keys: (n + m,) content of each row as a number.
        groups: (n + m,) number of each row's group.
        rng: draws the rows.
    """
    order = np.argsort(keys, kind="stable")
    if len(order) > SAMPLE_ROWS:
        turn = turns(keys, groups, rng)[order]
        last = int(np.searchsorted(np.cumsum(np.bincount(turn)), SAMPLE_ROWS, side="right"))
        before, at = np.flatnonzero(turn < last), np.flatnonzero(turn == last)
        drawn = rng.choice(len(at), SAMPLE_ROWS - len(before), replace=False)
        order = order[np.concatenate([before, at[drawn]])]
    rows = to_numpy(taken(sides, order)).astype(np.float64)
    centre = rows.mean(axis=0)
    return PooledRows(centre, rows - centre, groups[order])


def family(sample: PooledRows, groups: Ints, multiples: Sequence[float]) -> tuple[Bandwidth, ...]:
    """The bandwidths at these multiples of the median, those without enough pairs of rows marked as dropped.

    Every group weighs the same whatever its size. The widest always stays: there is nothing to fall back on.

    Args:
        sample: of the pooled rows.
        groups: (n + m,) number of each pooled row's group.
        multiples: of the median of squared distances between rows of different groups.

    Raises:
        ValueError: all rows are equal.
    """
    pairs = _pairs(sample)
    median = _median(pairs)
    n_groups, n_sampled = len(np.unique(groups)), len(np.unique(sample.groups))
    share = (n_groups**2 - float(n_groups)) / (n_sampled * (n_sampled - 1) // 2)
    found = []
    for multiple in multiples:
        reason = _fault(pairs, multiple * median, share, PAIRS_A_ROW * n_groups)
        found.append(Bandwidth(multiple, multiple * median, None, None if multiple == max(multiples) else reason))
    return tuple(found)


def pooled_median2(source: Rows, target: Rows, seed: int, groups: tuple[Groups, Groups] | None = None) -> float:
    """Median of squared distances between pooled rows; where there are more than SAMPLE_ROWS, between some of them.

    Args:
        source: (n, d) finite features.
        target: (m, d) finite features.
        seed: of the rows that are looked at.
        groups: (n,) and (m,) names of groups of rows, whose own pairs do not count, and each of which weighs the
            same; None: every row is a group.

    Raises:
        ValueError: all rows are equal.
    """
    keys = np.concatenate([row_keys(each, "float64") for each in (source, target)])
    numbers = group_numbers((len(source), len(target)), groups)
    sample = draw_pooled_rows((source, target), keys, numbers, np.random.default_rng(seed))
    return _median(_pairs(sample))


def _fault(pairs: _Pairs, bandwidth2: float, share: float, wanted: int) -> str | None:
    """Why a kernel is of no use: no digits, or too few effective pairs of groups."""
    powers = pairs.distances2 / bandwidth2
    least = float(powers.min())
    if np.exp(-least) < UNDERFLOW:
        return f"the kernel underflows: at most exp(-{least:.0f})"
    kernel = np.exp(least - powers)
    if pairs.groups is not None:
        kernel = np.bincount(pairs.groups, weights=kernel * pairs.weights)
    effective = share * float(kernel.sum()) ** 2 / float(kernel @ kernel)
    unit = "rows" if pairs.groups is None else "groups"
    return None if effective >= wanted else f"{effective:.0f} effective pairs of {unit}, fewer than {wanted}"


def _median(pairs: _Pairs) -> float:
    """Median of squared distances; of those that are not zero where half of them or more are."""
    distances2, weights = pairs.distances2, pairs.weights
    floor = DUPLICATE * distances2.max()
    median = _middle(distances2, weights)
    far = distances2 > floor
    return median if median > floor else _middle(distances2[far], None if weights is None else weights[far])


def _middle(values: Floats, weights: Floats | None) -> float:
    """The median, each value counting by its weight."""
    if weights is None:
        return float(np.median(values))
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    half = below[-1] / 2
    ends = np.searchsorted(below, half * (1 - ROUNDING)), np.searchsorted(below, half * (1 + ROUNDING))
    return float(values[order][list(ends)].mean())


def _pairs(sample: PooledRows) -> _Pairs:
    rows, groups = sample.rows, sample.groups
    once = groups[:, None] < groups
    if not np.ptp(rows, axis=0).any() or not once.any():
        raise ValueError(
            "source and target: want features that differ, got the same values in every row. "
            "Look at the backbone; it says the same of every image."
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
