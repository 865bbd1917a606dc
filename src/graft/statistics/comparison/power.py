"""What a comparison of given size can show: power, the smallest difference, the seeds, the smallest margin.

All go by the interval of `graft.statistics.comparison.interval`: its degrees of freedom and its least half width. Half
widths vary as the root of a chi-squared variable does, which makes the power that of the noncentral t distribution.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.statistics.comparison.interval import least_half_width, t_quantile
from graft.statistics.comparison.layout import Units
from graft.statistics.comparison.spread import Variances, standard_error

Floats = NDArray[np.float64]

MOST_SEEDS = 1_000
# Times the present units, the most that is searched.
MOST_TIMES = 10_000.0
# Four times in five.
POWER = 0.8
# Two seeds claim nothing.
LEAST_SEEDS = 3
# Numbers of seeds that are tried, as multiples of the best for large numbers.
MORE_SEEDS = (1.0, 1.15, 1.3, 1.6, 2.0)
# Points of the distribution of the estimated standard error.
POINTS = 512
FEW_POINTS = 64
# Standard errors of a gain, the most that is searched.
MOST_ERRORS = 1_000.0
HALVINGS = 40
# Stands for a standard error of 0, whatever the unit of the scores.
LEAST_ERROR = 1e-200
# Standard errors beyond the widest half width: every difference that is so far from 0 is shown.
FAR = 10.0
# A half width that no digit of a score reaches is 0.
NOTHING = 1e-150


def equal_units(n_units: float) -> Units:
    """Units that all weigh the same."""
    return Units(n_units, n_units, n_units, n_units)


def power_of(
    difference: float, variances: Variances, n_seeds: float, n_units: float | Units, level: float = 0.05
) -> float:
    """Probability that the interval of a true difference excludes 0 on the true side.

    Args:
        difference: true difference. Its sign does not count.
        variances: components of variance of one unit in one seed.
        n_seeds: number of seeds, or infinity.
        n_units: number of units, or infinity; `Units` where they weigh differently.
        level: share of false claims that is allowed.
    """
    return _share_beyond(abs(difference), *_half_widths(variances, n_seeds, n_units, level))


def detectable(
    variances: Variances, n_seeds: float, n_units: float | Units, level: float = 0.05, power: float = POWER
) -> float | None:
    """Smallest true difference of shares that is shown with this power, or None if none up to 1 is.

    Args:
        variances: components of variance of one unit in one seed.
        n_seeds: as in `power_of`.
        n_units: as in `power_of`.
        level: share of false claims that is allowed.
        power: wanted probability.
    """
    return _smallest_shown(_half_widths(variances, n_seeds, n_units, level), power, 1.0)


def seeds_for(
    difference: float, variances: Variances, n_units: float | Units, level: float = 0.05, power: float = POWER
) -> int | None:
    """Smallest number of seeds that shows a true difference with this power, or None if MOST_SEEDS do not.

    Args:
        difference: true difference.
        variances: components of variance of one unit in one seed.
        n_units: as in `power_of`.
        level: share of false claims that is allowed.
        power: wanted probability.
    """

    def shows(n_seeds: int) -> bool:
        return power_of(difference, variances, n_seeds, n_units, level) >= power

    return _fewest(shows, LEAST_SEEDS, MOST_SEEDS)


def smallest_margin(
    variances: Variances, n_seeds: float, n_units: float | Units, level: float = 0.05, power: float = POWER
) -> float | None:
    """Smallest margin within which no difference at all counts as EQUIVALENT with this power, or None if none up to 1.

    Args:
        variances: components of variance of one unit in one seed.
        n_seeds: as in `power_of`.
        n_units: as in `power_of`.
        level: level of each of the two one-sided tests.
        power: wanted probability.
    """
    units = n_units if isinstance(n_units, Units) else equal_units(n_units)
    strict = units._replace(floor=units.equivalence_floor)
    error, halves = _half_widths(variances, n_seeds, strict, level, tail=level)

    def fires(margin: float) -> bool:
        inside = 2 * _below(np.maximum(margin / error - halves, 0.0)) - 1
        return float(np.mean(inside)) >= power

    return _smallest(fires, 1.0)


def enlargement(freedom: float, level: float = 0.05, power: float = POWER) -> float:
    """Factor on variances that were estimated, by which a run like that of the estimate keeps its promise on average.

    An estimate errs to both sides, and power falls faster than it rises: a gain that is promised by the estimate alone
    is shown less often than `power`, averaged over estimates.

    Args:
        freedom: degrees of freedom of the estimated standard error.
        level: share of false claims that is allowed.
        power: wanted probability, averaged over estimates.

    Source: Julious and Owen, Sample size calculations for clinical studies allowing for uncertainty about the variance,
    Pharmaceutical Statistics 5 (2006).
    """
    errors = _errors(freedom, FEW_POINTS)
    halves = t_quantile(freedom, 1 - level / 2) * errors

    def times(estimates: Floats) -> float:
        """Standard errors that a gain must have, where these are equally likely estimates of a standard error of 1."""
        low, high = 0.0, MOST_ERRORS
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            shown = float(np.mean(_below(middle * estimates[:, None] - halves)))
            low, high = (low, middle) if shown >= power else (middle, high)
        return high

    return (times(errors) / times(np.ones(1))) ** 2


def _half_widths(
    variances: Variances, n_seeds: float, n_units: float | Units, level: float, tail: float | None = None
) -> tuple[float, Floats]:
    """Standard error, and equally likely half widths of the interval in units of it.

    The interval leaves `tail` on each side, half the level if None. No half width is below the unseen share.
    """
    units = n_units if isinstance(n_units, Units) else equal_units(n_units)
    error, freedom = standard_error(variances, n_seeds, units)
    error = max(error, LEAST_ERROR)
    quantile = t_quantile(freedom, 1 - (level / 2 if tail is None else tail))
    return error, np.maximum(quantile * _errors(freedom), least_half_width(units.floor, level) / error)


def _share_beyond(difference: float, error: float, halves: Floats) -> float:
    """Probability that the estimate of a difference is beyond the half width."""
    return float(np.mean(_below(difference / error - halves)))


def _smallest_shown(widths: tuple[float, Floats], power: float, most: float) -> float | None:
    """Smallest difference up to `most` that is beyond these half widths with this power; `most` may be infinite."""
    error, halves = widths
    far = error * (float(halves.max()) + FAR)
    if far < NOTHING:
        return 0.0
    return _smallest(lambda size: _share_beyond(size, error, halves) >= power, far if math.isinf(most) else most)


def _below(deviates: Floats) -> Floats:
    from scipy.special import ndtr

    shares: Floats = ndtr(deviates)
    return shares


def _errors(freedom: float, n_points: int = POINTS) -> Floats:
    """(n_points,) equally likely values of the estimated standard error over the true one."""
    from scipy.special import gammaincinv

    if math.isinf(freedom):
        return np.ones(1)
    middles = (np.arange(n_points) + 0.5) / n_points
    errors: Floats = np.sqrt(gammaincinv(freedom / 2, middles) * 2 / freedom)
    return errors


def _smallest(enough: Callable[[float], bool], most: float) -> float | None:
    """Smallest number from 0 to `most` that is enough, if all larger ones are too."""
    low, high = 0.0, most
    if not enough(high):
        return None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _fewest(enough: Callable[[int], bool], least: int, most: int) -> int | None:
    """Smallest whole number from `least` to `most` that is enough, if all larger ones are too."""
    if not enough(most):
        return None
    low, high = least - 1, most
    while high - low > 1:
        middle = math.floor((low + high) / 2)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


class CouldShow(NamedTuple):
    """Smallest true difference that is shown four times in five, in the unit of the scores. None where none is."""

    as_is: float | None
    """with these seeds and units"""
    any_seeds: float | None
    """with these units and any number of seeds"""
    any_images: float | None
    """with these seeds and any number of images; 0 where the variance of seeds is estimated as 0"""


def could_show_of(variances: Variances, n_seeds: int, units: Units, level: float) -> CouldShow:
    """What a comparison could have shown four times in five. Two seeds show nothing, on any number of images.

    Differences of shares are searched up to 1, those of other scores without end.

    Args:
        variances: components of variance of one unit in one seed.
        n_seeds: number of seeds.
        units: numbers of units. Their `floor` is infinite where the scores are not shares.
        level: share of false claims that is allowed.
    """
    most = math.inf if math.isinf(units.floor) else 1.0

    def shown(seeds: float, of: Units) -> float | None:
        return _smallest_shown(_half_widths(variances, seeds, of, level), POWER, most)

    any_seeds = shown(math.inf, units)
    if n_seeds < LEAST_SEEDS:
        return CouldShow(None, any_seeds, None)
    return CouldShow(shown(n_seeds, units), any_seeds, shown(n_seeds, scaled(units, math.inf)))


def to_show_of(
    difference: float, variances: Variances, n_seeds: int, units: Units, level: float
) -> tuple[int, float] | None:
    """Seeds, and a factor on the units, that together show a true difference four times in five.

    Of all such pairs it is about the one with the smallest product: seeds and units then add equally to the variance.
    Neither is less than at present.

    Args:
        difference: true difference.
        variances: components of variance of one unit in one seed.
        n_seeds: present number of seeds.
        units: present numbers of units.
        level: share of false claims that is allowed.

    Returns:
        None if the difference is 0, or MOST_SEEDS or MOST_TIMES as many units are not enough.
    """
    from scipy.special import ndtri

    if difference == 0:
        return None
    variance = (difference / float(ndtri(1 - level / 2) + ndtri(POWER))) ** 2
    # halves of the variance for large numbers; few seeds have few degrees of freedom, so that more of them are cheaper
    fewest = 2 * variances.seeds / variance
    tried = {max(math.ceil(min(more * fewest, MOST_SEEDS)), n_seeds, LEAST_SEEDS) for more in MORE_SEEDS}
    found = ((seeds, _fewest_times(difference, variances, seeds, units, level)) for seeds in sorted(tried))
    pairs = [(seeds, times) for seeds, times in found if times is not None]
    return min(pairs, key=lambda pair: pair[0] * pair[1], default=None)


def scaled(units: Units, factor: float) -> Units:
    """As many times the units, with the same spread of sizes."""
    return Units(*(factor * each for each in units))


def _fewest_times(difference: float, variances: Variances, n_seeds: int, units: Units, level: float) -> float | None:
    """Smallest factor on the units, from 1 to MOST_TIMES, that shows a difference four times in five."""

    def shows(factor: float) -> bool:
        return power_of(difference, variances, n_seeds, scaled(units, factor), level) >= POWER

    if not shows(MOST_TIMES):
        return None
    low, high = 0.0, math.log(MOST_TIMES)
    if shows(1.0):
        return 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if shows(math.exp(middle)) else (middle, high)
    return math.exp(high)
