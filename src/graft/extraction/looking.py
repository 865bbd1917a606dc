"""Activations and moments of a sample of images beyond their features, as the stages after need them."""

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from graft.extraction.corruptions import CORRUPTIONS, corrupted, pure_noise
from graft.store.features import (
    FEWEST,
    SEVERITIES,
    Array,
    BlockMeans,
    BlockMoments,
    Images,
    Places,
    SourceDetails,
    TargetDetails,
    YardstickFeatures,
)


class Looks(NamedTuple):
    """Functions of a network on (n, s, s, 3) uint8 images, passed in so that this module does not need torch."""

    features: Callable[[Images], Array]
    block_means: Callable[[Images], tuple[BlockMeans, ...]]
    moments: Callable[[Images], tuple[BlockMoments, ...]]
    """Raises ValueError where the network does not have BatchNorm."""


def look_at_source(
    images: Images, rows: Places, groups: NDArray[Any], network: Looks, n_sample: int, seed: int
) -> SourceDetails:
    """Block activations and yardstick features of a sample of source images.

    Args:
        images: (n, s, s, 3), the image store.
        rows: (k,) rows of the images that may be sampled; empty where there is no source.
        groups: (k,) names of groups of images that are not independent.
        network: functions of the backbone.
        n_sample: largest number of images in the sample.
        seed: of the sample, and of the yardstick's halves and noise.
    """
    chosen = _sample(len(rows), n_sample, seed)
    sample, names = images[rows[chosen]], groups[chosen]
    enough = len(np.unique(names)) >= FEWEST
    yardstick = yardstick_features(sample, network.features, groups=names, seed=seed) if enough else None
    return SourceDetails(rows[chosen], network.block_means(sample), yardstick)


def look_at_target(
    images: Images, rows: Places, network: Looks, n_sample: int, seed: int, with_moments: bool
) -> TargetDetails:
    """Block activations of a sample of target images, and the moments of their BatchNorm inputs where asked for.

    Args:
        images: (n, s, s, 3), the image store.
        rows: (k,) rows of the images that may be sampled.
        network: functions of the backbone.
        n_sample: largest number of images in the sample.
        seed: of the sample.
        with_moments: whether moments are needed, as they are where there is no source.
    """
    chosen = rows[_sample(len(rows), n_sample, seed)]
    sample = images[chosen]
    blocks = network.block_means(sample)
    if not with_moments:
        return TargetDetails(chosen, blocks, (), "")
    try:
        return TargetDetails(chosen, blocks, network.moments(sample), "")
    except ValueError as refusal:
        return TargetDetails(chosen, blocks, (), str(refusal))


def _sample(n: int, n_sample: int, seed: int) -> Places:
    """Sorted places of at most n_sample of n images."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:n_sample])


# (n, s, s, 3) images to (n, d) features
Features = Callable[[Images], Array]


def yardstick_features(
    images: Images, features: Features, *, groups: NDArray[Any] | None = None, seed: int
) -> YardstickFeatures:
    """Features of one half of the source, and of the other half clean, under each corruption, and as pure noise.

    The halves differ so that no image is compared with its own corruption. The network runs 27 times over one half of
    the images and once over the other.

    Args:
        images: (n, s, s, 3) source images.
        features: function of the unmodified backbone.
        groups: (n,) names of groups of images that are not independent, such as near-duplicates; none is split.
        seed: of the halves and of the noise.

    Raises:
        ValueError: fewer than two images (or groups) a half.
    """
    numbers = np.unique(np.arange(len(images)) if groups is None else groups, return_inverse=True)[1]
    kept, other = _halves(numbers, np.random.default_rng(seed))
    changed = [
        features(corrupted(images[other], name, severity, seed))
        for name, severity in tqdm([*product(CORRUPTIONS, SEVERITIES)], desc="yardstick", disable=None, leave=False)
    ]
    noise = features(pure_noise(images[other], seed))
    clean = features(images[kept]), features(images[other])
    return YardstickFeatures(*clean, np.stack(changed), noise, numbers[kept], numbers[other])


def _halves(names: NDArray[Any], rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of each half; all images of a group are in the same half."""
    group = np.unique(names, return_inverse=True)[1]
    n_groups = int(group.max(initial=-1)) + 1
    if n_groups < FEWEST:
        raise ValueError(
            f"yardstick: want at least {FEWEST} source images (or groups), got {n_groups}. Add source images."
        )
    first = rng.permutation(n_groups)[group] < n_groups / 2
    return np.flatnonzero(first), np.flatnonzero(~first)
