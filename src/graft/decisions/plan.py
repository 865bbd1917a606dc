"""What a comparison will be able to show, reckoned before any training."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.decisions.pilot import Pilot
from graft.decisions.verdict.looks import Standing, standing_of
from graft.decisions.verdict.metric import Shares, primary_metric
from graft.params.decisions import CheckTransfer
from graft.params.learning import MOST_SEEDS
from graft.records.looks import Look, LooksRecord
from graft.statistics.comparison.layout import Layout, layout_of
from graft.statistics.comparison.power import (
    LEAST_SEEDS,
    POWER,
    detectable,
    scaled,
    seeds_for,
    smallest_margin,
    to_show_of,
)
from graft.store.catalogue import Labelled

# No larger gain is promised: a handful of images could show nothing less, and the reckoning does not hold for them.
LARGEST = 0.5
MOST_IMAGES = 1_000_000
UNPLANNED = (
    "These test images were looked at before, and planned looks ({planned}) are used up: a run by other params or with "
    "other seeds can claim nothing on them. Take new test images."
)


class OnTest(NamedTuple):
    """The test images of a comparison to come."""

    metric: Shares
    layout: Layout
    counts: NDArray[np.int64]
    """(c,) images of each class"""
    level: float
    """level of this look: planned looks share it"""
    limits: tuple[str, ...]
    """sentences on why no verdict but INCONCLUSIVE is possible; empty if one is"""


class Ways(NamedTuple):
    """Ways to show a gain four times in five; None where there is none."""

    seeds: int | None
    """number of seeds, on the test images that are there"""
    images: int | None
    """number of test images, with the seeds that params.yaml names"""
    together: tuple[int, int] | None
    """numbers of seeds and of test images, where neither alone is enough"""


def on_test(test: Labelled, classes: Sequence[str], asked: CheckTransfer, before: Standing | None) -> OnTest:
    """The test images as the comparison will see them.

    Args:
        test: the test images, at least one.
        classes: names of all classes, by number.
        asked: metric and level.
        before: where the look that is planned stands among those at the same images; None if that is not known.
    """
    labels = test.labels
    counts = np.bincount(labels, minlength=len(classes))
    metric = primary_metric(labels, len(classes), asked.metric)
    layout = layout_of(len(labels), test.groups, labels if metric == "balanced_accuracy" else None)
    absent = [f"Class {name} has no image in the test split." for name, n in zip(classes, counts, strict=True) if not n]
    single = ["The test split has a single image."] if layout.n_images == 1 else []
    n_looks = asked.planned_looks if before is None else before.planned
    looked = [UNPLANNED.format(planned=n_looks)] if before is not None and before.unplanned else []
    limits = (*absent, *single, *looked, *layout.limits)
    level = asked.level if before is None else before.level
    return OnTest(metric, layout, counts, level / n_looks, limits)


def standing_ahead(looks: LooksRecord, look: Look) -> Standing:
    """Where a look stands that was not taken yet, unless it is one in the ledger that is repeated.

    Args:
        looks: the ledger.
        look: the look that a run by these params would take.
    """
    known = {(each.test_sha256, each.params_sha256) for each in looks.looks}
    if (look.test_sha256, look.params_sha256) not in known:
        looks = LooksRecord(looks=(*looks.looks, look))
    return standing_of(looks, look)


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
    seeds = seeds if seeds is not None and seeds <= MOST_SEEDS else None
    images = _images_for(gain, pilot, n_images, n_seeds, level)
    pair = to_show_of(gain, pilot.variances, n_seeds, pilot.units, level) if seeds is None and images is None else None
    return Ways(seeds, images, None if pair is None else (pair[0], math.ceil(pair[1] * n_images)))


def _sensible(share: float | None) -> float | None:
    return share if share is not None and share <= LARGEST else None


def _images_for(gain: float, pilot: Pilot, n_images: int, n_seeds: int, level: float) -> int | None:
    """Smallest number of test images that is enough, by bisection; None if over MOST_IMAGES are needed."""

    def enough(n: int) -> bool:
        least = promise(pilot._replace(units=scaled(pilot.units, n / n_images)), n_seeds, level)
        return least is not None and least <= gain

    low, high = 1, MOST_IMAGES
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
