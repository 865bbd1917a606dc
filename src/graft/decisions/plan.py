"""What a comparison will be able to show, reckoned before any training."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.decisions.pilot import Pilot
from graft.decisions.verdict.metric import Shares, primary_metric
from graft.params.decisions import CheckTransfer
from graft.params.learning import MOST_SEEDS
from graft.statistics.comparison.layout import Layout, Units, layout_of
from graft.statistics.comparison.power import LEAST_SEEDS, detectable, seeds_for, smallest_margin

POWER = 0.8
# No larger gain is promised: a handful of images could show nothing less, and the reckoning does not hold for them.
LARGEST = 0.5
MOST_IMAGES = 1_000_000


class OnTest(NamedTuple):
    """The test images of a comparison to come."""

    metric: Shares
    layout: Layout
    labels: NDArray[np.int64]
    """(n,) class numbers"""
    counts: NDArray[np.int64]
    """(c,) images of each class"""
    absent: tuple[str, ...]
    """names of the classes without a test image"""

    @property
    def limits(self) -> tuple[str, ...]:
        """Sentences on why no verdict but INCONCLUSIVE is possible; empty if one is."""
        absent = tuple(f"Class {name} has no image in the test split." for name in self.absent)
        few = () if self.layout.n_images > 1 else ("The test split has a single image.",)
        return (*absent, *few, *self.layout.limits)


class Ways(NamedTuple):
    """Ways to show a gain four times in five; None where there is none."""

    seeds: int | None
    """number of seeds, on the test images that are there"""
    images: int | None
    """number of test images, with the seeds that params.yaml names"""


def on_test(
    labels: NDArray[np.int64], groups: NDArray[np.str_], classes: Sequence[str], metric: Literal["auto"] | Shares
) -> OnTest:
    """The test images as the comparison will see them.

    Args:
        labels: (n,) class numbers of the test images, at least one.
        groups: (n,) their groups.
        classes: names of all classes, by number.
        metric: as params.yaml names it.
    """
    counts = np.bincount(labels, minlength=len(classes))
    chosen = primary_metric(labels, len(classes), metric)
    layout = layout_of(len(labels), groups, labels if chosen == "balanced_accuracy" else None)
    absent = tuple(name for name, n in zip(classes, counts, strict=True) if n == 0)
    return OnTest(chosen, layout, labels, counts, absent)


def level_of(params: CheckTransfer) -> float:
    """The level of a single look: planned looks share it."""
    return params.level / params.planned_looks


def promise(pilot: Pilot, n_seeds: float, level: float) -> float | None:
    """The smallest gain that a run shows four times in five, as a share; None if it shows none up to a half.

    Args:
        pilot: expected variances and units.
        n_seeds: number of seeds, or infinity.
        level: of the two-sided interval that must exclude 0.
    """
    if n_seeds < LEAST_SEEDS:
        return None
    return _sensible(detectable(pilot.variances, n_seeds, pilot.units, level, POWER))


def least_margin(pilot: Pilot, n_seeds: float, level: float) -> float | None:
    """The smallest margin, as a share up to a half, with which equal arms are EQUIVALENT four times in five, or None.

    Args:
        pilot: expected variances and units.
        n_seeds: number of seeds, or infinity.
        level: of each of the two one-sided tests.
    """
    if n_seeds < LEAST_SEEDS:
        return None
    return _sensible(smallest_margin(pilot.variances, n_seeds, pilot.units, level, POWER))


def ways_to(gain: float, pilot: Pilot, n_images: int, n_seeds: int, level: float) -> Ways:
    """Numbers of seeds, and of test images, that show a gain four times in five.

    Args:
        gain: true gain, as a share.
        pilot: expected variances and units.
        n_images: number of test images that are there; more of them are taken to be like these.
        n_seeds: number of seeds with which images are counted.
        level: of the two-sided interval that must exclude 0.
    """
    seeds = seeds_for(gain, pilot.variances, pilot.units, level, POWER)
    images = _images_for(gain, pilot, n_images, n_seeds, level)
    return Ways(seeds if seeds is not None and seeds <= MOST_SEEDS else None, images)


def _sensible(share: float | None) -> float | None:
    return share if share is not None and share <= LARGEST else None


def _images_for(gain: float, pilot: Pilot, n_images: int, n_seeds: int, level: float) -> int | None:
    """Smallest number of test images that is enough, by bisection; None if over MOST_IMAGES are needed."""

    def enough(n: int) -> bool:
        units = Units(*(each * n / n_images for each in pilot.units))
        least = promise(pilot._replace(units=units), n_seeds, level)
        return least is not None and least <= gain

    low, high = 1, MOST_IMAGES
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
