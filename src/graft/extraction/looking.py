"""What a network says of a sample of images beyond their features; kept in files between the stages."""

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
    """How a network looks at (n, s, s, 3) uint8 images; whoever has torch hands it in."""

    features: Callable[[Images], Array]
    block_means: Callable[[Images], tuple[BlockMeans, ...]]
    moments: Callable[[Images], tuple[BlockMoments, ...]]
    """raises ValueError where the network has no BatchNorm"""


def look_at_source(
    images: Images, rows: Places, groups: NDArray[Any], network: Looks, n_sample: int, seed: int
) -> SourceDetails:
    """Blocks and yardstick of a sample of source images.

    Args:
        images: (n, s, s, 3), the image store.
        rows: (k,) places of the images that may be looked at; none where there is no source.
        groups: (k,) names of groups of images that are not independent.
        network: how the images are looked at.
        n_sample: images that are looked at, at most.
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
    """Blocks of a sample of target images, and where there is no source what they put into BatchNorm layers.

    Args:
        images: (n, s, s, 3), the image store.
        rows: (k,) places of the images that may be looked at.
        network: how the images are looked at.
        n_sample: images that are looked at, at most.
        seed: of the sample.
        with_moments: whether the moments are needed.
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
    """Sorted places of at most n_sample of n."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:n_sample])


Features = Callable[[Images], Array]
"""(n, s, s, 3) images to (n, d) features"""


def yardstick_features(
    images: Images, features: Features, *, groups: NDArray[Any] | None = None, seed: int
) -> YardstickFeatures:
    """Features of half of the source as it is, and of the other half clean, under each corruption, and as noise.

    No image is compared with its own corruption. The network runs 27 times over half of the images, and once over
    the other.

    Args:
        images: (n, s, s, 3) source images.
        features: of the unmodified backbone.
        groups: (n,) names of groups of images that are not independent, such as near-duplicates; none is torn apart.
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
    """Rows of each half; a group stands whole in one."""
    group = np.unique(names, return_inverse=True)[1]
    n_groups = int(group.max(initial=-1)) + 1
    if n_groups < FEWEST:
        raise ValueError(
            f"yardstick: want at least {FEWEST} source images (or groups), got {n_groups}. Add source images."
        )
    first = rng.permutation(n_groups)[group] < n_groups / 2
    return np.flatnonzero(first), np.flatnonzero(~first)
