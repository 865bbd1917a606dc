"""Unbiased squared MMD at one bandwidth: the size of a shift, without a test."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graft.statistics.kernels import bin_sums
from graft.statistics.samples import check_bandwidth2, checked_sides

Array = NDArray[np.floating[Any]]


def mmd2_unbiased(source: Array, target: Array, bandwidth2: float) -> float:
    """Unbiased squared MMD of two samples at a fixed bandwidth, not clipped at 0.

    Args:
        source: (n, d) finite features, n >= 2.
        target: (m, d) finite features, m >= 2.
        bandwidth2: the kernel is exp(-d^2 / bandwidth2).

    Raises:
        ValueError: as `two_sample_test`, or a bandwidth that is not above 0.
    """
    check_bandwidth2(bandwidth2)
    pooled = np.concatenate(checked_sides(source, target)).astype(np.float64)
    n, m = len(source), len(target)
    rows = (pooled - pooled.mean(axis=0)) * np.sqrt(2 / bandwidth2)
    sums = bin_sums(rows, np.arange(n + m), np.array([0, n, n + m]), (1.0,))[0]
    within = sums[0, 0] / (n * (n - 1)) + sums[1, 1] / (m * (m - 1))
    return float(within - (sums[0, 1] + sums[1, 0]) / (n * m))
