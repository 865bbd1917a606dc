"""Moments of channels, image by image, and how far a Gaussian with such moments lies from the standard one."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]


class BlockMeans(NamedTuple):
    """Mean activations of n images at the end of one block."""

    block: str
    means: Array
    """(n, k) mean over positions of each channel"""


class BlockMoments(NamedTuple):
    """What n images put into the BatchNorm layers of one block, in units of the running moments.

    A value x counts as (x - running mean) / sqrt(running variance + eps).
    """

    block: str
    means: Array
    """(n, k) mean over positions, for the k channels of all BatchNorm layers of the block"""
    squares: Array
    """(n, k) mean of the squares over positions"""
    floor: Array
    """(k,) eps / (running variance + eps): what BatchNorm adds to a variance"""


def symmetric_divergence(mean: Floats, variance: Floats) -> Floats:
    """Kullback-Leibler divergence from N(mean, variance) to N(0, 1) plus that from N(0, 1) to it, in nats.

    Args:
        mean: of any shape.
        variance: of the same shape, above 0.

    Source: Jeffreys, An invariant form for the prior probability in estimation problems (1946).
    """
    divergence: Floats = (variance + mean**2 + (1 + mean**2) / variance) / 2 - 1
    return divergence
