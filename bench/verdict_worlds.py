"""Simulated experiments for bench/verdict.py: right and wrong of two arms, of which the true difference is known.

The probability that a run is right on an image is drawn from a beta distribution, as in the predictions of the built-in
example, whose two arms have concentrations of 0.3 and 0.9. Images that are hard for one arm tend to be hard for the
other. Seeds move all images of a run, the undecided ones most.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import beta

from graft.statistics.comparison.interval import difference_of, least_half_width, outcome_of
from graft.statistics.comparison.layout import Layout, layout_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Draw = Callable[[np.random.Generator], Floats]

EXPERIMENTS = 2_000
LEVEL = 0.05
# standard normal numbers, so close that the nearest one is exact enough
STEPS = 2_000
GRID = np.arange(-5 * STEPS, 5 * STEPS + 1) / STEPS


class World(NamedTuple):
    """What both arms and their test images are like."""

    n_seeds: int
    n_images: int
    seed_sd: float = 0.01
    """sd of the accuracy of one arm over its seeds"""
    difference: float = 0.0
    """true accuracy of arm a minus that of arm b"""
    accuracy: float = 0.7
    concentration: float = 0.6
    """of the beta distribution: near 0 all seeds of an arm agree on every image"""
    agreement: float = 0.7
    """correlation of the two arms over images"""
    groups: Ints | None = None
    """(n,) number of each image's group"""
    alike: float = 0.3
    """correlation of the images of a group"""
    rare: Ints | None = None
    """(n,) 1 for images of a rare class, whose accuracy is 20 points lower; seeds move the classes apart"""


class Tally(NamedTuple):
    """Shares of the experiments."""

    positive: float
    negative: float
    equivalent: float
    coverage: float
    floored: float
    """where the least half width decided, and not the spread"""


def draw_of(world: World) -> Draw:
    """Make the experiments of a world: each a (k, n) table of arm a minus arm b."""
    label = np.zeros(world.n_images, int) if world.rare is None else world.rare
    tables = [chances(world.accuracy - 0.2 * each, world.concentration) for each in range(label.max() + 1)]
    undecided = np.array([table_mean(table * (1 - table)) for table in tables])[label]

    def draw(rng: np.random.Generator) -> Floats:
        common, own = normal(rng, world, 1), normal(rng, world, 2)
        latent = np.sqrt(world.agreement) * common + np.sqrt(1 - world.agreement) * own
        # (2, n) chances of each arm, as the table of each image's class has them
        right = np.select([label == each for each in range(len(tables))], [looked_up(latent, t) for t in tables])
        # (2, k, c) shifts of each run in each class
        shift = world.seed_sd * rng.standard_normal((2, world.n_seeds, len(tables)))
        shift += world.difference / 2 * np.array([1, -1])[:, None, None]
        weight = right * (1 - right) / undecided
        by_image = shift[:, :, label] if len(tables) > 1 else shift
        return outcomes(right[:, None], by_image, weight[:, None], rng)

    return draw


def outcomes(right: Floats, shift: Floats, weight: Floats, rng: np.random.Generator) -> Floats:
    """(k, n) outcomes of arm a minus those of arm b for (2, k, n) chances; single precision halves the time."""
    chance = np.asarray(right, np.float32) + np.asarray(shift, np.float32) * np.asarray(weight, np.float32)
    hit = rng.random(chance.shape, dtype=np.float32) < chance
    return np.subtract(hit[0], hit[1], dtype=np.float64)


def normal(rng: np.random.Generator, world: World, rows: int) -> Floats:
    """(rows, n) standard normal numbers, correlated within groups."""
    own = rng.standard_normal((rows, world.n_images))
    if world.groups is None:
        return own
    shared = rng.standard_normal((rows, world.groups.max() + 1))[:, world.groups]
    return np.sqrt(world.alike) * shared + np.sqrt(1 - world.alike) * own


@cache
def chances(accuracy: float, concentration: float) -> Floats:
    """Chance to be right on an image at the quantiles of GRID."""
    quantiles: Floats = beta.ppf(ndtr(GRID), accuracy * concentration, (1 - accuracy) * concentration)
    return quantiles


def looked_up(latent: Floats, table: Floats) -> Floats:
    """Entries of a table, given at GRID, for standard normal numbers."""
    return np.take(table, np.rint((latent - GRID[0]) * STEPS).astype(np.int64), mode="clip")


def table_mean(values: Floats) -> float:
    """Mean of a function of a standard normal number, given at GRID."""
    weight = np.exp(-(GRID**2) / 2)
    return float(values @ weight / weight.sum())


def tally(draw: Draw, layout: Layout, truth: float, seed: int, margin: float = 0.0) -> Tally:
    """Judge EXPERIMENTS experiments of a cell as the verdict does, before any limit caps it."""
    rng = np.random.default_rng(seed)
    verdicts, covered, floored = [], 0, 0
    for _ in range(EXPERIMENTS):
        found = difference_of(draw(rng), layout, LEVEL)
        estimate, low, high = found.difference
        verdicts.append(outcome_of(found.difference, found.equivalence, margin))
        covered += low <= truth <= high
        floored += math.isclose(max(high - estimate, estimate - low), least_half_width(found.spread.units.floor, LEVEL))
    shares = (verdicts.count(name) / EXPERIMENTS for name in ("POSITIVE", "NEGATIVE", "EQUIVALENT"))
    return Tally(*shares, coverage=covered / EXPERIMENTS, floored=floored / EXPERIMENTS)


def tally_of(world: World, seed: int, margin: float = 0.0) -> Tally:
    """Judge a world whose truth is its difference."""
    layout = layout_of(world.n_images, world.groups, world.rare)
    return tally(draw_of(world), layout, world.difference, seed, margin)
