"""The smallest loss that a class of a given size would show four times in five."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graft.decisions.gain.scoring import Scoring
from graft.statistics.comparison.comparison import unit_values
from graft.statistics.comparison.crossed import Variances, crossed_mean, standard_error
from graft.statistics.groups import unseen_share

Floats = NDArray[np.float64]
POWER = 0.8
# Losses that are tried, as shares.
LOSSES = np.linspace(0.002, 1.0, 500)


def pooled(differences: Sequence[Floats], on: Sequence[Scoring]) -> Variances:
    """Components of variance of the difference of one image in one seed, mean over classes weighted by their units.

    Those of a single small class are too uncertain to plan by.

    Args:
        differences: (k, n) of each class: difference of each image in each seed.
        on: the images of each class.
    """
    means = [crossed_mean(unit_values(each, part.groups), 0.95) for each, part in zip(differences, on, strict=True)]
    weights = np.array([mean.n_units for mean in means], dtype=np.float64)
    parts = np.average([tuple(mean.variances) for mean in means], axis=0, weights=weights)
    return Variances(*(float(each) for each in parts))


def least_harm(spread: Variances, n_seeds: int, n_units: int, level: float) -> float | None:
    """Smallest loss of recall that the interval of a class shows four times in five; None where it shows none.

    Args:
        spread: components of variance.
        n_seeds: number of seeds of both arms.
        n_units: number of independent images, or groups of images, of the class.
        level: two-sided level of the test, already shared among the classes.

    Source: the interval of the verdict, with the noncentral t distribution at its degrees of freedom.
    """
    from scipy.special import stdtrit
    from scipy.stats import nct

    # a loss that some images suffer and others do not varies by itself
    units = np.maximum(spread.units, LOSSES * (1 - LOSSES))
    error, freedom = standard_error(
        Variances(spread.seeds, units, spread.residual), np.array(n_seeds), np.array(n_units)
    )
    error = np.maximum(error, 1e-9)
    limit = np.maximum(stdtrit(freedom, 1 - level / 2), unseen_share(np.array(n_units), 1 - level) / error)
    shown = nct.sf(limit, freedom, LOSSES / error) >= POWER
    return float(LOSSES[shown.argmax()]) if shown.any() else None
