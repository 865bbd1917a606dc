"""Sums of Gaussian kernels over bins of rows, computed one tile at a time in numpy or torch."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from graft.statistics.two_sample.rows import Floats, Ints, Rows, cast, check_finite, library, like, place, to_numpy

# Edge of a tile of the kernel on a CPU, whose cache then holds the tile (2 MiB with its copy).
TILE_ROWS = 512
# Edge of a tile on a GPU.
TILE_ROWS_GPU = 8_192
# Rows x rows x features from which torch saves more time than its import takes.
TORCH_PAYS = 1e12


class _Block(NamedTuple):
    """Consecutive rows and the bins that they are in."""

    rows: slice
    bins: slice
    membership: Rows
    """(rows, bins) weight of each row in its bin, else 0; None where every bin is one row of weight 1"""
    halves: Rows
    """(rows,) half the squared length of each row"""


def engine(rows: Rows, n_rows: int) -> Any:
    """Module that computes a kernel of n_rows such rows: torch for tensors, or where it pays and is installed."""
    if isinstance(rows, np.ndarray) and n_rows * n_rows * rows.shape[1] >= TORCH_PAYS:
        try:
            import torch
        except ImportError:
            return np
        return torch
    return library(rows)


def multiplies_bfloat16(xp: Any, rows: Rows) -> bool:
    """Whether the engine multiplies bfloat16 in hardware, and so faster than float32, on the device of the rows."""
    if xp is np:
        return False
    if library(rows) is xp and rows.is_cuda:
        return bool(xp.cuda.get_device_capability(rows.device) >= (8, 0))
    return bool(getattr(xp.cpu, "_is_avx512_bf16_supported", bool)())


def bin_sums(rows: Rows, groups: Ints, edges: Ints, factors: Sequence[float], weights: Floats | None = None) -> Floats:
    """Sum the kernels exp(-factor |x - y|^2 / 2) over all pairs of bins, without pairs of rows of one group.

    Only the upper triangle of the kernel is computed, one tile at a time, so memory beyond the rows does not grow with
    their number. With |x - y|^2 / 2 = |x|^2 / 2 + |y|^2 / 2 - x'y, a tile is one matrix product. Its sums over bins are
    two more products, with the rows' weights and zeros. A pair weighs the product of its rows' weights.

    Args:
        rows: (n, d) rows sorted by bin, float64, float32 or bfloat16; near the origin, so that distances keep their
            digits.
        groups: (n,) group numbers in ascending order; a row without a group has a number of its own.
        edges: (s + 1,) start of each bin, and n.
        factors: factors of the h kernels.
        weights: (n,) weight of each row; None where all weigh 1.

    Returns:
        Symmetric sums, (h, s, s).

    Raises:
        ValueError: rows so far apart that their squared distance is no number.
    """
    xp = library(rows)
    work = "float64" if str(rows.dtype).endswith("float64") else "float32"
    n_bins = len(edges) - 1
    sums = xp.zeros((len(factors), n_bins, n_bins), dtype=xp.float64, **place(xp, rows))
    with np.errstate(over="ignore", invalid="ignore"):
        for left, right, powers, kernel in _tiles(rows, groups, edges, work, weights):
            for total, factor in zip(sums, factors, strict=True):
                # (rows, rows) of the tile to (bins, bins)
                xp.exp(powers if factor == 1 else xp.multiply(powers, factor, out=kernel), out=kernel)
                part = kernel if left.membership is None else left.membership.T @ kernel @ right.membership
                total[left.bins, right.bins] += part
                # Tiles below the diagonal are not computed: the kernel is symmetric.
                if left is not right:
                    total[right.bins, left.bins] += part.T
    result = to_numpy(sums)
    check_finite(result)
    return result


def row_sums(rows: Rows, groups: Ints, edges: Ints, weights: Floats | None = None) -> Floats:
    """Sum the kernel exp(-|x - y|^2 / 2) of each row over the rows of each bin, without pairs of rows of one group.

    Args:
        rows: as for `bin_sums`.
        groups: as for `bin_sums`.
        edges: (s + 1,) start of each bin, and n; fewer bins than rows.
        weights: (n,) weight of each row that is summed over; None where all weigh 1.

    Returns:
        Sums, (n, s).

    Raises:
        ValueError: rows so far apart that their squared distance is no number.
    """
    xp = library(rows)
    work = "float64" if str(rows.dtype).endswith("float64") else "float32"
    sums = xp.zeros((len(rows), len(edges) - 1), dtype=xp.float64, **place(xp, rows))
    with np.errstate(over="ignore", invalid="ignore"):
        for left, right, powers, kernel in _tiles(rows, groups, edges, work, weights):
            xp.exp(powers, out=kernel)
            sums[left.rows, right.bins] += kernel @ right.membership
            if left is not right:
                sums[right.rows, left.bins] += kernel.T @ left.membership
    result = to_numpy(sums)
    check_finite(result)
    return result


def bfloat16_share(rows: Rows, factors: Sequence[float]) -> float:
    """Share of the statistic's spread over labellings that is rounding where torch multiplies in bfloat16.

    It is the norm of the doubly centred change of the kernel, relative to the norm of the doubly centred kernel itself,
    and the largest over kernels. Rounding is nearly independent from pair to pair, like the terms of the statistic, so
    the share does not depend on the number of rows and a few hundred are enough to measure it.

    Args:
        rows: (n, d) float32 tensor, scaled as for `bin_sums`.
        factors: factors of the kernels.
    """
    every = np.arange(len(rows) + 1)
    fine = bin_sums(rows, every[:-1], every, factors)
    change = bin_sums(cast(rows, "bfloat16"), every[:-1], every, factors) - fine
    changed, whole = (np.linalg.norm(_doubly_centred(each), axis=(1, 2)) for each in (change, fine))
    return float(np.max(changed / np.maximum(whole, np.finfo(float).tiny)))


def _tiles(
    rows: Rows, groups: Ints, edges: Ints, work: str, weights: Floats | None
) -> Iterator[tuple[_Block, _Block, Rows, Rows]]:
    """Pairs of blocks of rows, with the powers -|x - y|^2 / 2 between them and space for a kernel.

    The two arrays are reused from tile to tile.
    """
    xp = library(rows)
    height = min(TILE_ROWS if xp is np or rows.device.type == "cpu" else TILE_ROWS_GPU, len(rows))
    blocks = _blocks(rows, edges, height, work, np.ones(len(rows)) if weights is None else weights)
    buffers = [xp.empty(height**2, dtype=getattr(xp, work), **place(xp, rows)) for _ in range(2)]
    for number, left in enumerate(blocks):
        for right in blocks[number:]:
            shape = len(left.halves), len(right.halves)
            powers, kernel = (each[: math.prod(shape)].reshape(shape) for each in buffers)
            _write_product(rows[left.rows], rows[right.rows], powers)
            powers -= left.halves[:, None]
            powers -= right.halves
            # Powers above 0 are rounding, which is large for rows far from the origin.
            xp.clip(powers, None, 0, out=powers)
            # Groups ascend, so only tiles near the diagonal hold pairs of one group. Their kernel becomes 0.
            if groups[left.rows.stop - 1] >= groups[right.rows.start]:
                powers[like(groups[left.rows, None] == groups[right.rows], rows)] = -math.inf
            yield left, right, powers, kernel


def _blocks(rows: Rows, edges: Ints, height: int, work: str, weights: Floats) -> list[_Block]:
    """Blocks of at most `height` consecutive rows; a bin may reach over several blocks."""
    owner = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    single = len(owner) == len(edges) - 1 and bool((weights == 1).all())
    blocks = []
    for start in range(0, len(owner), height):
        part = slice(start, min(start + height, len(owner)))
        bins = slice(int(owner[part][0]), int(owner[part][-1]) + 1)
        shares = weights[part, None] * (owner[part, None] == np.arange(bins.start, bins.stop))
        membership = None if single else cast(like(shares, rows), work)
        values = cast(rows[part], work)
        blocks.append(_Block(part, bins, membership, (values * values).sum(axis=1) / 2))
    return blocks


def _write_product(left: Rows, right: Rows, out: Rows) -> None:
    if left.dtype == out.dtype:
        library(left).matmul(left, right.T, out=out)
    else:
        # torch multiplies bfloat16 only into bfloat16.
        out.copy_(left @ right.T)


def _doubly_centred(kernels: Floats) -> Floats:
    """Kernels, (h, n, n), minus the means of their rows and columns, plus the mean of all."""
    by_row, by_column = kernels.mean(axis=2, keepdims=True), kernels.mean(axis=1, keepdims=True)
    centred: Floats = kernels - by_row - by_column + kernels.mean(axis=(1, 2), keepdims=True)
    return centred
