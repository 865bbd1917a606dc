"""The interval of a difference, the interval for equivalence, and the verdict that both give."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.statistics.comparison.layout import Layout
from graft.statistics.comparison.spread import Spread, spread_of, standard_error
from graft.statistics.groups import unseen_share

Floats = NDArray[np.float64]


class Estimate(NamedTuple):
    """An estimate with its interval."""

    estimate: float
    low: float
    high: float


class Difference(NamedTuple):
    """A difference over seeds and images with what a verdict goes by."""

    difference: Estimate
    """interval of confidence 1 - level"""
    equivalence: Estimate
    """interval of confidence 1 - 2 level: two one-sided tests"""
    standard_error: float
    degrees_of_freedom: float
    spread: Spread
    shares: bool
    """whether scores are between 0 and 1"""


def difference_of(values: Floats, layout: Layout, level: float = 0.05, shares: bool = True) -> Difference:
    """Interval of a paired difference, without any second opinion: fast enough for simulations.

    No half width is below the share of images (or groups) that may well not have been seen, so that two arms that agree
    on ten images do not count as equal. For equivalence it is the share of the smallest class, or of the effective
    number of groups, because harm to a few must not count as none.

    Args:
        values: (k, n) scores of arm a minus scores of arm b, k >= 2 seeds by n images.
        layout: groups and classes of the images.
        level: share of false claims that is allowed.
        shares: whether the scores are between 0 and 1, so that a difference is between -1 and 1.
    """
    spread = spread_of(values, layout)
    if not shares:
        spread = spread._replace(units=spread.units._replace(floor=np.inf, equivalence_floor=np.inf))
    error, freedom = standard_error(spread.variances, len(values), spread.units)
    mean, end = float(spread.by_seed.mean()), 1.0 if shares else np.inf
    difference, equivalence = (
        around(mean, max(error * t_quantile(freedom, 1 - tail), least_half_width(units, level)), (-end, end))
        for tail, units in ((level / 2, spread.units.floor), (level, spread.units.equivalence_floor))
    )
    return Difference(difference, equivalence, error, freedom, spread, shares)


def outcome_of(difference: Estimate, equivalence: Estimate, margin: float) -> str:
    """The verdict by intervals, never by the estimate alone.

    EQUIVALENT if the interval for equivalence is inside the margin, even if that of the difference excludes 0: such a
    difference is too small to count. A margin of 0 switches EQUIVALENT off.

    Source: Schuirmann, A comparison of the two one-sided tests procedure, Journal of Pharmacokinetics and
    Biopharmaceutics 15 (1987).
    """
    if margin > 0 and -margin <= equivalence.low and equivalence.high <= margin:
        return "EQUIVALENT"
    if difference.low > 0:
        return "POSITIVE"
    return "NEGATIVE" if difference.high < 0 else "INCONCLUSIVE"


def p_value_of(found: Difference) -> float:
    """Smallest level at which the interval of a difference, its least half width included, leaves out 0.

    Args:
        found: result of `difference_of`.
    """
    from scipy.special import stdtr

    size = abs(found.difference.estimate)
    # the share of units that may well not have been seen is 1 - level^(1 / units)
    by_floor = 0.0 if np.isinf(found.spread.units.floor) else float(max(1 - size, 0.0) ** found.spread.units.floor)
    if found.standard_error == 0:
        return by_floor
    return max(float(2 * stdtr(found.degrees_of_freedom, -size / found.standard_error)), by_floor)


def least_half_width(n_units: float, level: float) -> float:
    """The share of so many units that may well not have been seen."""
    return float(unseen_share(np.array(n_units), 1 - level))


def t_quantile(degrees_of_freedom: float, probability: float) -> float:
    """Quantile of Student's t distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, probability))


def around(estimate: float, half: float, ends: tuple[float, float]) -> Estimate:
    """The interval `estimate` +- `half`, cut to `ends`."""
    return Estimate(estimate, max(estimate - half, ends[0]), min(estimate + half, ends[1]))


def mean_of(scores: Floats, layout: Layout, level: float = 0.05) -> Estimate:
    """Metric of one arm over seeds and images with its interval. Scores between 0 and 1 are shares.

    Args:
        scores: (k, n) scores, k >= 2 seeds by n images.
        layout: groups and classes of the images.
        level: 1 minus the confidence of the interval.
    """
    spread = spread_of(scores, layout)
    error, freedom = standard_error(spread.variances, len(scores), spread.units)
    mean, half = float(spread.by_seed.mean()), error * t_quantile(freedom, 1 - level / 2)
    if not are_shares(scores):
        return around(mean, half, (-np.inf, np.inf))
    # an arm that is always right here may be wrong on images that were not seen
    seen = min(mean, 1 - mean)
    return around(mean, max(half, least_half_width(spread.units.floor, level) - seen), (0.0, 1.0))


def are_shares(scores: Floats) -> bool:
    """Whether all scores are between 0 and 1."""
    return bool(scores.min() >= 0 and scores.max() <= 1)
