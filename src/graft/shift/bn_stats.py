"""Distance of the target from the running moments of the BatchNorm layers, block by block."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.store.features import BlockMoments

Floats = NDArray[np.float64]

# Draws of the bootstrap.
DRAWS = 200


class TypicalDivergence(NamedTuple):
    """Symmetric Gaussian divergence of a typical channel in nats, with its interval over target images.

    The typical divergence is the geometric mean over channels of (1 + divergence), minus 1.
    """

    estimate: float
    low: float
    high: float


class BlockDivergence(NamedTuple):
    """Distance of the target from the running moments of one block: a description, without a p-value."""

    block: str
    n_channels: int
    shift: TypicalDivergence


def block_profile(
    moments: Sequence[BlockMoments], *, groups: NDArray[Any] | None = None, confidence: float, seed: int
) -> tuple[BlockDivergence, ...]:
    """Symmetric divergence between each channel's running moments and the target's, block by block.

    The running moments were taken in training, on augmented images, so even images of the source do not give 0.
    Chance makes a divergence too large; the bootstrap measures by how much, and this excess is subtracted. The typical
    divergence is a mean, because the bootstrap of a median over channels covers too little. It is a geometric mean,
    because a few channels that hardly vary in the source would dominate any other. Every group weighs the same.

    Args:
        moments: moments of target images at each block, from input to output.
        groups: (n,) names of groups of images that are not independent; None: every image is a group.
        confidence: confidence of the intervals, between 0 and 1.
        seed: seed of the bootstrap over target images; every block uses the same draws.

    Raises:
        ValueError: no blocks, fewer than two images (or groups), or groups of another length.
    """
    if not moments:
        raise ValueError("bn_stats: want moments of at least one block, got none. Use a network with BatchNorm.")
    n = len(moments[0].means)
    names = np.arange(n) if groups is None else groups
    if names.shape != (n,):
        raise ValueError(f"bn_stats, groups: want one name for each of {n} images, got {names.shape}. Or give None.")
    group = np.unique(names, return_inverse=True)[1]
    n_groups = int(group.max()) + 1
    if n_groups < 2:
        raise ValueError(f"bn_stats: want at least 2 images (or groups), got {n_groups}. Add target images.")
    # (DRAWS, groups): how often each group is drawn
    drawn = np.random.default_rng(seed).multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=DRAWS)
    counts = np.concatenate([np.ones((1, n_groups), dtype=np.int64), drawn])
    # (1 + DRAWS, groups) to (1 + DRAWS, n): a group's weight is divided among its images.
    weights = counts[:, group] / np.bincount(group)[group] / n_groups
    spread = NormalDist().inv_cdf((1 + confidence) / 2) * np.sqrt(n_groups / (n_groups - 1))
    return tuple(_block_shift(each, weights, float(spread)) for each in moments)


def channel_divergences(moments: BlockMoments, weights: Floats) -> Floats:
    """Divergence of each channel in nats, (b, k).

    Args:
        moments: moments of n images.
        weights: (b, n) weights of the images; each row sums to 1.
    """
    mean = weights @ moments.means.astype(np.float64)
    variance = np.maximum(weights @ moments.squares.astype(np.float64) - mean**2, 0) + moments.floor.astype(np.float64)
    return symmetric_divergence(mean, variance)


def _block_shift(moments: BlockMoments, weights: Floats, spread: float) -> BlockDivergence:
    """Typical divergence over channels minus its excess in the bootstrap, never below 0, with its interval.

    Args:
        moments: moments of n images.
        weights: (1 + b, n) weights of the images: as given, and in each draw.
        spread: half the width of the interval, in standard deviations of the bootstrap.
    """
    n_channels = moments.means.shape[1]
    observed, drawn = np.split(np.log1p(channel_divergences(moments, weights)), [1])
    means = drawn.mean(axis=1)
    # The mean of the draws exceeds the observed mean as much as that exceeds the truth: subtract the excess once.
    middle, half = 2 * observed.mean() - means.mean(), spread * means.std()
    numbers = np.expm1(np.maximum((middle, middle - half, middle + half), 0))
    return BlockDivergence(moments.block, n_channels, TypicalDivergence(*map(float, numbers)))


def symmetric_divergence(mean: Floats, variance: Floats) -> Floats:
    """Kullback-Leibler divergence from N(mean, variance) to N(0, 1) plus the reverse divergence, in nats.

    Args:
        mean: means, of any shape.
        variance: variances of the same shape, above 0.

    Source: Jeffreys, An invariant form for the prior probability in estimation problems (1946).
    """
    divergence: Floats = (variance + mean**2 + (1 + mean**2) / variance) / 2 - 1
    return divergence
