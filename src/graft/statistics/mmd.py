"""Unbiased squared MMD at one bandwidth: the size of a shift, without a test."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graft.statistics.kernels import bin_sums
from graft.statistics.rows import Floats
from graft.statistics.samples import checked_sides

Array = NDArray[np.floating[Any]]


def mmd2_unbiased(source: Array, target: Array, bandwidth2: float) -> float:
    """Unbiased squared MMD of (n, d) and (m, d) features at a fixed bandwidth.

    Raises:
        ValueError: as `two_sample_test`, or a bandwidth that is not above 0.
    """
    return float(pairwise_mmd2(checked_sides(source, target), bandwidth2)[0])


def pairwise_mmd2(samples: Sequence[Array], bandwidth2: float) -> Floats:
    """Unbiased squared MMD of every pair of samples at a fixed bandwidth, in one pass of the kernel.

    Args:
        samples: c arrays (n_i, d) of finite features, every n_i >= 2.
        bandwidth2: the kernel is exp(-d^2 / bandwidth2).

    Returns:
        (c (c - 1) / 2,) values in the order (0, 1), (0, 2), ..., (1, 2), ...

    Raises:
        ValueError: a bandwidth that is not above 0.
    """
    if not bandwidth2 > 0:
        raise ValueError(f"bandwidth2: want a number above 0, got {bandwidth2}. Take it from two_sample_test.")
    sizes = np.array([len(each) for each in samples])
    pooled = np.concatenate(samples).astype(np.float64)
    rows = (pooled - pooled.mean(axis=0)) * np.sqrt(2 / bandwidth2)
    sums = bin_sums(rows, np.arange(len(rows)), np.append(0, np.cumsum(sizes)), (1.0,))[0]
    within = np.diag(sums) / (sizes * (sizes - 1))
    between = sums / np.outer(sizes, sizes)
    first, second = np.triu_indices(len(sizes), k=1)
    distances: Floats = within[first] + within[second] - between[first, second] - between[second, first]
    return distances
