"""Size of a shift without a test: unbiased squared MMD at one bandwidth."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graft.statistics.groups import Groups, group_sizes
from graft.statistics.two_sample.kernels import bin_sums
from graft.statistics.two_sample.samples import check_bandwidth2, checked_sides, group_numbers

Array = NDArray[np.floating[Any]]


def mmd2_unbiased(
    source: Array, target: Array, bandwidth2: float, groups: tuple[Groups, Groups] | None = None
) -> float:
    """Unbiased squared MMD of two samples at a fixed bandwidth, not clipped at 0.

    It is the mean over pairs of different groups, each of which weighs the same.

    Args:
        source: (n, d) finite features, n >= 2.
        target: (m, d) finite features, m >= 2.
        bandwidth2: the kernel is exp(-d^2 / bandwidth2).
        groups: (n,) and (m,) names of groups of rows, as in `two_sample_test`.

    Raises:
        ValueError: as `two_sample_test`, or a bandwidth that is not above 0.
    """
    check_bandwidth2(bandwidth2)
    pooled = np.concatenate(checked_sides(source, target)).astype(np.float64)
    numbers = group_numbers((len(source), len(target)), groups)
    sizes, unit = group_sizes(numbers)
    n = len(np.unique(numbers[: len(source)]))
    m = len(sizes) - n
    rows = (pooled - pooled.mean(axis=0)) * np.sqrt(2 / bandwidth2)
    # Numbers of the source's groups are the smaller ones, so its rows stay first.
    order = np.argsort(unit, kind="stable")
    edges = np.array([0, len(source), len(pooled)])
    # (2, 2): within the source, between, within the target
    sums = bin_sums(rows[order], unit[order], edges, (1.0,), 1 / sizes[unit[order]])[0]
    within = sums[0, 0] / (n * (n - 1)) + sums[1, 1] / (m * (m - 1))
    return float(within - (sums[0, 1] + sums[1, 0]) / (n * m))
