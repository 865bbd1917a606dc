"""Are two samples from one distribution: unbiased squared MMD with an exact permutation p-value at any n."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]

TILE_ELEMENTS = 2**22
"""of the kernel in memory at once: 32 MiB"""
BLOCK = 1_000
"""labellings in one matrix product"""
BANDWIDTH_ROWS = 2_000
"""rows that the median of distances is taken over"""
TIE = 1e-12
"""statistics closer than this are equal: kernels are at most 1, so rounding stays well below it"""
DUPLICATE = 1e-12
"""share of the largest squared distance below which two rows are the same row"""


class TwoSample(NamedTuple):
    """How far two samples lie apart, and whether chance explains it."""

    mmd2: float
    """unbiased squared MMD, no unit, at most 2; negative where the samples are closer than chance would"""
    p_value: float
    """share of labellings with a statistic at least as large, the observed one included; never 0"""
    bandwidth2: float
    """the kernel is exp(-d^2 / bandwidth2)"""
    null: Floats
    """(B,) statistics of the permuted labellings"""


def two_sample_test(source: Array, target: Array, *, n_permutations: int = 999, seed: int) -> TwoSample:
    """Test whether two samples come from one distribution.

    The kernel is k(x, y) = exp(-|x - y|^2 / bandwidth2), with bandwidth2 the median of the squared distances
    between all different rows of the pooled sample (in other notations gamma = 1 / bandwidth2, or
    2 sigma^2 = bandwidth2). Above 2,000 pooled rows the median is taken over 2,000 of them, drawn with the
    seed and without a look at the labels, so that the level stays exact. Where half of the distances or more
    are zero, it is the median of the others.

    The statistic is unbiased (zero diagonal) and is not clipped at zero. Labels are permuted exactly at any
    n; the kernel is streamed in tiles, so memory grows with n and not with n^2. Ties count against
    significance, up to rounding: at tiny n a permutation may repeat the observed labelling.

    Args:
        source: (n, d) features, n >= 2.
        target: (m, d) features, m >= 2.
        n_permutations: B; the p-value is no smaller than 1 / (1 + B).
        seed: of the permutations and of the rows for the median.

    Raises:
        ValueError: fewer than two rows a side, a value that is not finite, different d, all rows equal, or no
            permutations.

    Source: Gretton et al., A kernel two-sample test, JMLR 13 (2012); the p-value is that of Phipson and
    Smyth, Permutation p-values should never be zero (2010).
    """
    if n_permutations < 1:
        raise ValueError(f"n_permutations: want at least 1, got {n_permutations}. Give 999 for p-values down to 0.001.")
    _check(source, target)
    small, large = sorted((source, target), key=len)  # only the marked side is summed directly: accurate if small
    pooled = _centred((small, large))
    rng = np.random.default_rng(seed)
    bandwidth2 = _median_distance2(pooled, rng)
    blocks = _labellings(len(small), len(pooled), n_permutations, rng)
    statistics = np.concatenate([_mmd2_of_labellings(pooled, bandwidth2, block) for block in blocks])
    observed, null = statistics[0], statistics[1:]
    p_value = float(1 + np.count_nonzero(null >= observed - TIE)) / (1 + n_permutations)
    return TwoSample(float(observed), p_value, bandwidth2, null)


def mmd2_unbiased(source: Array, target: Array, bandwidth2: float) -> float:
    """Unbiased squared MMD of (n, d) and (m, d) features at a fixed bandwidth.

    Raises:
        ValueError: as `two_sample_test`, or a bandwidth that is not above 0.
    """
    _check(source, target)
    return float(pairwise_mmd2((source, target), bandwidth2)[0])


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
    starts, owner = np.cumsum(sizes) - sizes, np.repeat(np.arange(len(sizes)), sizes)
    sums = np.zeros((len(sizes), len(sizes)))
    for rows, kernel in _kernel_tiles(_centred(samples), bandwidth2):
        np.add.at(sums, owner[rows], np.add.reduceat(kernel, starts, axis=1))
    within = np.diag(sums) / (sizes * (sizes - 1))
    between = sums / np.outer(sizes, sizes)
    first, second = np.triu_indices(len(sizes), k=1)
    distances: Floats = within[first] + within[second] - between[first, second] - between[second, first]
    return distances


def _check(source: Array, target: Array) -> None:
    for name, rows in (("source", source), ("target", target)):
        if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] < 1:
            raise ValueError(f"{name}: want at least 2 rows of features, (n, d), got {rows.shape}. Add images.")
        finite = np.isfinite(rows).all(axis=1)
        if not finite.all():
            row = int(finite.argmin())
            value = rows[row][~np.isfinite(rows[row])][0]
            raise ValueError(f"{name}, row {row}: want finite features, got {value}. Mend or remove that row.")
    if source.shape[1] != target.shape[1]:
        raise ValueError(
            f"source and target: want as many features a row, got {source.shape[1]} and {target.shape[1]}. "
            "Extract both with the same backbone."
        )


def _centred(samples: Sequence[Array]) -> Floats:
    """(N, d) pooled rows less their mean: distances keep their digits where features lie far from 0."""
    pooled = np.concatenate(samples).astype(np.float64)
    pooled -= pooled.mean(axis=0)
    return pooled


def _median_distance2(pooled: Floats, rng: np.random.Generator) -> float:
    """Median of squared distances between different rows, over at most BANDWIDTH_ROWS of them."""
    if len(pooled) > BANDWIDTH_ROWS:
        pooled = pooled[rng.choice(len(pooled), BANDWIDTH_ROWS, replace=False)]
    if not np.ptp(pooled, axis=0).any():
        raise ValueError(
            "source and target: want features that differ, got the same values in every row. "
            "Look at the backbone; it says the same of every image."
        )
    distances = _distances2(pooled, slice(0, len(pooled)))[np.triu_indices(len(pooled), k=1)]
    floor = DUPLICATE * distances.max()
    median = float(np.median(distances))
    return median if median > floor else float(np.median(distances[distances > floor]))


def _labellings(n_marked: int, n_rows: int, n_permutations: int, rng: np.random.Generator) -> Iterator[Floats]:
    """(<= BLOCK, N) rows of 0 and 1, n_marked ones in each; the observed labelling first."""
    observed = np.zeros(n_rows, dtype=np.uint8)
    observed[:n_marked] = 1
    for start in range(0, n_permutations + 1, BLOCK):
        block = np.tile(observed, (min(BLOCK, n_permutations + 1 - start), 1))
        permuted = block if start else block[1:]
        rng.permuted(permuted, axis=1, out=permuted)
        yield block.astype(np.float64)


def _mmd2_of_labellings(pooled: Floats, bandwidth2: float, labellings: Floats) -> Floats:
    """(B,) statistics: with z a labelling, K the kernel and 1 all ones, from z'Kz, z'K1 and 1'K1."""
    marked = np.zeros(len(labellings))
    reach = np.zeros(len(labellings))
    total = 0.0
    for rows, kernel in _kernel_tiles(pooled, bandwidth2):
        marked += np.einsum("bt,tb->b", labellings[:, rows], kernel @ labellings.T)
        sums = kernel.sum(axis=1)
        reach += labellings[:, rows] @ sums
        total += float(sums.sum())
    n = int(labellings[0].sum())
    m = len(pooled) - n
    unmarked = total - 2 * reach + marked
    return marked / (n * (n - 1)) + unmarked / (m * (m - 1)) - 2 * (reach - marked) / (n * m)


def _kernel_tiles(pooled: Floats, bandwidth2: float) -> Iterator[tuple[slice, Floats]]:
    """The (N, N) kernel with zero diagonal, some rows at a time."""
    height = max(1, TILE_ELEMENTS // len(pooled))
    for start in range(0, len(pooled), height):
        rows = slice(start, min(start + height, len(pooled)))
        kernel = _distances2(pooled, rows)
        kernel /= -bandwidth2
        np.exp(kernel, out=kernel)
        kernel[np.arange(len(kernel)), np.arange(rows.start, rows.stop)] = 0
        yield rows, kernel


def _distances2(pooled: Floats, rows: slice) -> Floats:
    """(t, N) squared distances of some rows to all."""
    squares = np.einsum("nd,nd->n", pooled, pooled)
    distances: Floats = pooled[rows] @ pooled.T
    distances *= -2
    distances += squares[rows, None]
    distances += squares
    return np.maximum(distances, 0, out=distances)
