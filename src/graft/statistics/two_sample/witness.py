"""Witness function: the rows that make the difference between two samples, and the typical rows of each."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.statistics.groups import Groups, group_sizes
from graft.statistics.two_sample.kernels import row_sums
from graft.statistics.two_sample.rows import Floats
from graft.statistics.two_sample.samples import check_bandwidth2, checked_sides, group_numbers

Array = NDArray[np.floating[Any]]


class Witness(NamedTuple):
    """Witness values of the rows of one sample, in their order."""

    value: Floats
    """(rows,) mean kernel with the groups of the source minus that with the groups of the target, from -1 to 1. Rows of
    the source that contribute most to the difference have the largest values, those of the target the smallest."""
    typicality: Floats
    """(rows,) mean kernel with the groups of the row's own sample, from 0 to 1; typical rows have the largest values"""


def witness(
    source: Array, target: Array, *, bandwidth2: float, groups: tuple[Groups, Groups] | None = None
) -> tuple[Witness, Witness]:
    """Witness function of the MMD at every row of both samples: where one sample is denser than the other.

    A row's own group is left out of the mean over its own sample, so that a row, or an image with many copies, does not
    count for itself. Every other group weighs the same. The mean over groups of the source's values minus that of the
    target's values is then the unbiased squared MMD. The kernel is computed in tiles and in 64 bits; memory beyond a
    copy of the rows does not grow.

    Args:
        source: (n, d) finite features.
        target: (m, d) finite features.
        bandwidth2: the kernel is exp(-d^2 / bandwidth2), such as that of `two_sample_test`.
        groups: (n,) and (m,) names of groups of rows, as in `two_sample_test`.

    Returns:
        Witness values of the source and of the target.

    Raises:
        ValueError: as `two_sample_test`, or a bandwidth that is not above 0.

    Source: Gretton et al., A kernel two-sample test, JMLR 13 (2012), section 2.3.
    """
    check_bandwidth2(bandwidth2)
    pooled = np.concatenate(checked_sides(source, target)).astype(np.float64)
    numbers = group_numbers((len(source), len(target)), groups)
    rows = (pooled - pooled.mean(axis=0)) * np.sqrt(2 / bandwidth2)
    # Numbers of the source's groups are the smaller ones, so its rows stay first.
    order = np.argsort(numbers, kind="stable")
    sums = np.empty((len(rows), 2))
    sizes, unit = group_sizes(numbers)
    edges = np.array([0, len(source), len(rows)])
    sums[order] = row_sums(rows[order], numbers[order], edges, 1 / sizes[unit[order]])
    side = np.repeat([0, 1], [len(source), len(target)])
    n_source = len(np.unique(numbers[: len(source)]))
    # (n + m, 2): groups of source and of target that each row is compared with, without its own
    met = np.array([n_source, len(sizes) - n_source]) - (side[:, None] == (0, 1))
    means = sums / met
    value, typicality = means[:, 0] - means[:, 1], means[np.arange(len(rows)), side]
    ours, theirs = (Witness(value[side == each], typicality[side == each]) for each in (0, 1))
    return ours, theirs
