"""Which bandwidths a two-sample test looks through, chosen from the pooled rows without a look at their labels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from graft.statistics.rows import Floats, Ints, Rows, check_finite, row_keys, taken, to_numpy
from graft.statistics.samples import Groups, group_numbers

SAMPLE_ROWS = 1_000
"""pooled rows that bandwidths are chosen from"""
DUPLICATE = 1e-12
"""share of the largest squared distance below which two rows are the same row"""
UNDERFLOW = 1e-30
"""largest value of a kernel whose sums are rounding in 32 bits"""
PAIRS_A_ROW = 10
"""effective pairs that a bandwidth needs"""


class Sample(NamedTuple):
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


def sample_of(sides: tuple[Rows, Rows], keys: Ints, groups: Ints, rng: np.random.Generator) -> Sample:
    """All pooled rows, or SAMPLE_ROWS of them, in an order that only their content and the generator decide.

    Args:
        sides: (n, d) and (m, d) features.
        keys: (n + m,) content of each row as a number.
        groups: (n + m,) number of each row's group.
        rng: draws the rows.
    """
    order = np.argsort(keys, kind="stable")
    if len(order) > SAMPLE_ROWS:
        order = order[rng.choice(len(order), SAMPLE_ROWS, replace=False)]
    rows = to_numpy(taken(sides, order)).astype(np.float64)
    centre = rows.mean(axis=0)
    return Sample(centre, rows - centre, groups[order])


def family(sample: Sample, groups: Ints, multiples: Sequence[float]) -> tuple[Bandwidth, ...]:
    """The bandwidths at these multiples of the median, those without enough pairs of rows marked as dropped.

    The widest always stays: there is nothing to fall back on.

    Args:
        sample: of the pooled rows.
        groups: (n + m,) number of each pooled row's group.
        multiples: of the median of squared distances between rows of different groups.

    Raises:
        ValueError: all rows are equal.
    """
    distances = _distances2(sample)
    median = _median(distances)
    sizes = np.unique_counts(groups).counts
    pairs = (len(groups) ** 2 - float(np.sum(sizes.astype(np.float64) ** 2))) / len(distances)
    found = []
    for multiple in multiples:
        reason = _fault(distances / (multiple * median), pairs, PAIRS_A_ROW * len(groups))
        found.append(Bandwidth(multiple, multiple * median, None, None if multiple == max(multiples) else reason))
    return tuple(found)


def pooled_median2(source: Rows, target: Rows, seed: int, groups: tuple[Groups, Groups] | None = None) -> float:
    """Median of squared distances between pooled rows; where there are more than SAMPLE_ROWS, between some of them.

    Args:
        source: (n, d) finite features.
        target: (m, d) finite features.
        seed: of the rows that are looked at.
        groups: (n,) and (m,) names of groups of rows, whose own pairs do not count; None: every row is a group.

    Raises:
        ValueError: all rows are equal.
    """
    keys = np.concatenate([row_keys(each, "float64") for each in (source, target)])
    numbers = group_numbers((len(source), len(target)), groups)
    sample = sample_of((source, target), keys, numbers, np.random.default_rng(seed))
    return _median(_distances2(sample))


def _fault(powers: Floats, share: float, wanted: int) -> str | None:
    """Why the kernel exp(-powers) is of no use: no digits, or too few effective pairs."""
    least = float(powers.min())
    if np.exp(-least) < UNDERFLOW:
        return f"the kernel underflows: at most exp(-{least:.0f})"
    kernel = np.exp(least - powers)
    effective = share * float(kernel.sum()) ** 2 / float(kernel @ kernel)
    return None if effective >= wanted else f"{effective:.0f} effective pairs of rows, fewer than {wanted}"


def _median(distances: Floats) -> float:
    """Median of squared distances; of those that are not zero where half of them or more are."""
    floor = DUPLICATE * distances.max()
    median = float(np.median(distances))
    return median if median > floor else float(np.median(distances[distances > floor]))


def _distances2(sample: Sample) -> Floats:
    """(pairs,) squared distances between rows of different groups, each pair once."""
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
    return distances
