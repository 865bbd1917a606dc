"""The smallest loss that a class of a given size would show four times in five."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graft.statistics.comparison.layout import Layout
from graft.statistics.comparison.power import power_of
from graft.statistics.comparison.spread import Variances, spread_of

Floats = NDArray[np.float64]
POWER = 0.8
# Losses are told to this share.
STEP = 0.001


def pooled(differences: Sequence[Floats], layouts: Sequence[Layout]) -> Variances:
    """Components of variance of the difference of one unit in one seed, mean over classes weighted by their units.

    Those of a single small class are too uncertain to plan by.

    Args:
        differences: (k, n) of each class: difference of each image in each seed.
        layouts: the images of each class.
    """
    spreads = [spread_of(each, layout) for each, layout in zip(differences, layouts, strict=True)]
    weights = [each.units.number for each in spreads]
    parts = np.average([tuple(each.variances) for each in spreads], axis=0, weights=weights)
    return Variances(*(float(each) for each in parts))


def least_harm(spread: Variances, n_seeds: int, n_units: int, level: float) -> float | None:
    """Smallest loss of recall that the interval of a class shows four times in five; None where it shows none.

    Args:
        spread: components of variance.
        n_seeds: number of seeds of both arms.
        n_units: number of independent images, or groups of images, of the class.
        level: two-sided level of the test, already shared among the classes.
    """
    low, high = 0, round(1 / STEP)
    if _power(high * STEP, spread, n_seeds, n_units, level) < POWER:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        enough = _power(middle * STEP, spread, n_seeds, n_units, level) >= POWER
        low, high = (low, middle) if enough else (middle, high)
    return high * STEP


def _power(loss: float, spread: Variances, n_seeds: int, n_units: int, level: float) -> float:
    # a loss that some images suffer and others do not varies by itself
    units = max(spread.units, loss * (1 - loss))
    return power_of(loss, spread._replace(units=units), n_seeds, n_units, level)
