"""The cells of bench/verdict.py: worlds by name, and what their shares must keep to."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import binom
from verdict_worlds import EXPERIMENTS, Tally, World

Cells = dict[str, World]

SEEDS = (5, 8)
IMAGES = (60, 150, 646, 2_000)
SEED_SDS = (0.0, 0.01, 0.03)
ACCURACIES = (0.985, 0.99, 0.995, 0.999)
LEAST_COVERAGE = 0.93
# Above this an interval is needlessly wide.
MOST_COVERAGE = 0.99


def bound(level: float = 0.025) -> float:
    """Share of the experiments that a claim of this level exceeds once in 1,000 times."""
    return float(binom.ppf(0.999, EXPERIMENTS, level)) / EXPERIMENTS


def holds(found: Tally, least: float = LEAST_COVERAGE, capped: bool = False) -> bool:
    """Whether false claims are within the bound, and the coverage within its range.

    The upper end counts where the spread decides. The least half width is wide on purpose, and so are the few degrees
    of freedom where a large group caps the verdict.
    """
    most = 1.0 if capped or found.floored >= 0.5 else MOST_COVERAGE
    return max(found.positive, found.negative) <= bound() and least <= found.coverage <= most


def plain() -> Cells:
    """Equal arms on images that are all independent."""
    return {
        f"{k} seeds, {n:,} images, seed sd {100 * sd:g}": World(k, n, sd)
        for k in SEEDS
        for n in IMAGES
        for sd in SEED_SDS
    }


def accurate() -> Cells:
    """Equal arms that are hardly ever wrong."""
    return {
        f"{k} seeds, {n:,} images, accuracy {accuracy:g}": World(k, n, (1 - accuracy) / 10, accuracy=accuracy)
        for k in SEEDS
        for n in (150, 646)
        for accuracy in ACCURACIES
    }


def shapes() -> dict[str, tuple[NDArray[np.int64], float]]:
    """Groups of test images: the number of each image's group, and the correlation of the images of a group."""
    places = (np.arange(100) + 0.5) / 100
    pareto, lognormal = np.ceil((1 - places) ** (-1 / 1.2)), np.ceil(5 * np.exp(ndtri(places)))
    return {
        "30 groups of 20": (numbered([20] * 30), 0.3),
        "100 groups, Pareto 1.2": (numbered(pareto), 0.3),
        "100 groups, lognormal": (numbered(lognormal), 0.3),
        "30 groups, one with 30 % of the images": (numbered([249] + [20] * 29), 0.3),
        "30 groups, one with 60 %": (numbered([870] + [20] * 29), 0.3),
        "30 groups, one with 60 %, images of a group alike": (numbered([870] + [20] * 29), 0.9),
    }


def grouped() -> Cells:
    """Equal arms on the six shapes of groups."""
    return {
        f"{shape}, {k} seeds": World(k, len(groups), groups=groups, alike=alike)
        for shape, (groups, alike) in shapes().items()
        for k in SEEDS
    }


def rare() -> Cells:
    """Equal arms by balanced accuracy, where one class has nine times the images of the other."""
    return {
        f"{k} seeds, {n - n // 10} : {n // 10} images, seed sd {100 * sd:g}": World(
            k, n, sd, rare=(np.arange(n) < n // 10).astype(int)
        )
        for k in SEEDS
        for n in (100, 646, 2_000)
        for sd in (0.0, 0.01)
    }


def numbered(sizes: Iterable[float]) -> NDArray[np.int64]:
    """(n,) number of the group of each image."""
    counts = np.array(list(sizes), int)
    return np.repeat(np.arange(len(counts)), counts)
