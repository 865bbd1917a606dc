"""The smallest loss that a class of a given size would show four times in five."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graft.statistics.comparison.layout import Layout, Units
from graft.statistics.comparison.power import power_of
from graft.statistics.comparison.spread import Variances, spread_of

Floats = NDArray[np.float64]
POWER = 0.8
# Losses are told to this share.
STEP = 0.001


def pooled(differences: Sequence[Floats], layouts: Sequence[Layout]) -> Variances:
    """Components of variance of the difference of one unit in one seed, mean over classes weighted by their units.

    Those of a single small class are too uncertain to plan by. A unit is one of those of equal weight that a class is
    worth: its `effective` number.

    Args:
        differences: (k, n) of each class: difference of each image in each seed.
        layouts: the images of each class.
    """
    spreads = [spread_of(each, layout) for each, layout in zip(differences, layouts, strict=True)]
    weights = [each.units.effective for each in spreads]
    of_equal = [_times(each.variances, each.units.effective / each.units.number) for each in spreads]
    parts = np.average([tuple(each) for each in of_equal], axis=0, weights=weights)
    return Variances(*(float(each) for each in parts))


def least_harm(spread: Variances, n_seeds: int, units: Units, level: float) -> float | None:
    """Smallest loss of recall that the interval of a class shows four times in five; None where it shows none.

    Args:
        spread: components of variance of units of equal weight, as `pooled` gives them.
        n_seeds: number of seeds of both arms.
        units: numbers of independent images, or groups of images, of the class.
        level: two-sided level of the test, already shared among the classes.
    """
    low, high = 0, round(1 / STEP)
    if _power(high * STEP, spread, n_seeds, units, level) < POWER:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        enough = _power(middle * STEP, spread, n_seeds, units, level) >= POWER
        low, high = (low, middle) if enough else (middle, high)
    return high * STEP


def _power(loss: float, spread: Variances, n_seeds: int, units: Units, level: float) -> float:
    # a loss that some units suffer and others do not varies by itself
    equal = spread._replace(units=max(spread.units, loss * (1 - loss)))
    # the interval divides by the number of units, whatever their weights
    return power_of(loss, _times(equal, units.number / units.effective), n_seeds, units, level)


def _times(variances: Variances, factor: float) -> Variances:
    """Variances of units that weigh differently; that of the seeds is common to all units."""
    return variances._replace(units=factor * variances.units, residual=factor * variances.residual)
