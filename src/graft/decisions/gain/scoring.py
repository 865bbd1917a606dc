"""Scores on the test split with their intervals, for many seeds or for one."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.records.common import Interval
from graft.records.gain import Metric
from graft.statistics.comparison.comparison import unit_values
from graft.statistics.comparison.crossed import crossed_mean
from graft.statistics.groups import unseen_share

Floats = NDArray[np.float64]
Right = NDArray[np.bool_]


class Scoring(NamedTuple):
    """What the n test images are, and how they are scored."""

    labels: NDArray[np.int64]
    """(n,) true class numbers"""
    groups: NDArray[np.str_]
    """(n,) names of groups of images that are not independent"""
    metric: Metric
    level: float
    """intervals hold with a confidence of 1 minus this"""


def part_of(on: Scoring, rows: NDArray[np.bool_]) -> Scoring:
    """Some of the images, (n,) true for those."""
    return on._replace(labels=on.labels[rows], groups=on.groups[rows])


def n_units(on: Scoring) -> int:
    """Number of independent images, or groups of images."""
    return len(np.unique(on.groups))


class Gap(NamedTuple):
    """A difference of scores."""

    interval: Interval
    p: float
    """smallest level at which the interval leaves out 0"""


class Mean(NamedTuple):
    """A mean score, or a mean difference, and how sure it is."""

    estimate: float
    standard_error: float
    degrees_of_freedom: float
    n_units: int


def score_of(right: Right, on: Scoring) -> Interval:
    """Score of one arm with its interval, between 0 and 1.

    With one seed the interval is that of the images alone: it says nothing of other seeds.

    Args:
        right: (k, n) whether the prediction of each seed is right.
        on: labels, groups and metric.
    """
    mean = _mean(right.astype(np.float64), on)
    # an arm that is always right here may be wrong on images that were not seen
    seen = min(mean.estimate, 1 - mean.estimate)
    half = max(_half_width(mean, on.level), _unseen(mean, on.level) - seen)
    return Interval(estimate=mean.estimate, low=max(mean.estimate - half, 0.0), high=min(mean.estimate + half, 1.0))


def difference_of(ours: Right, others: Right, on: Scoring) -> Gap:
    """Score of the first minus that of the second, paired by seed and image, between -1 and 1.

    Args:
        ours: (k, n) whether the prediction of each seed is right.
        others: (k, n) the same for the other arm, with the same seeds.
        on: labels, groups and metric.
    """
    mean = _mean(ours.astype(np.float64) - others, on)
    half = max(_half_width(mean, on.level), _unseen(mean, on.level))
    interval = Interval(
        estimate=mean.estimate, low=max(mean.estimate - half, -1.0), high=min(mean.estimate + half, 1.0)
    )
    return Gap(interval, _p_value(mean))


def _p_value(mean: Mean) -> float:
    """Smallest level at which the interval of a difference, its floor included, leaves out 0."""
    from scipy.special import stdtr

    size = abs(mean.estimate)
    by_floor = (1 - size) ** mean.n_units
    if mean.standard_error == 0:
        return float(by_floor)
    return float(max(2 * stdtr(mean.degrees_of_freedom, -size / mean.standard_error), by_floor))


def _half_width(mean: Mean, level: float) -> float:
    from scipy.special import stdtrit

    return float(mean.standard_error * stdtrit(mean.degrees_of_freedom, 1 - level / 2))


def _unseen(mean: Mean, level: float) -> float:
    return float(unseen_share(np.array(mean.n_units), 1 - level))


def _mean(values: Floats, on: Scoring) -> Mean:
    units = unit_values(_weighted(values, on), on.groups)
    k, u = units.shape
    if k > 1:
        crossed = crossed_mean(units, 1 - on.level)
        return Mean(crossed.estimate, crossed.standard_error, crossed.degrees_of_freedom, u)
    return Mean(float(units.mean()), float(units.std(ddof=1) / np.sqrt(u)), u - 1, u)


def _weighted(values: Floats, on: Scoring) -> Floats:
    """(k, n) influence values: their mean is the metric."""
    if on.metric == "accuracy":
        return values
    present, place, sizes = np.unique(on.labels, return_inverse=True, return_counts=True)
    # (k, c): means of the classes
    by_class = np.stack([values[:, place == each].mean(axis=1) for each in range(len(present))], axis=1)
    # deviations from the class, so that the mix of the classes adds no variance
    weights = len(place) / (len(present) * sizes[place])
    influence: Floats = by_class.mean(axis=1, keepdims=True) + weights * (values - by_class[:, place])
    return influence
