"""Scores on the test split with their intervals, for many seeds or for one."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.records.common import Interval, Metric
from graft.statistics.comparison import interval
from graft.statistics.comparison.layout import Layout, layout_of

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

    @property
    def layout(self) -> Layout:
        """Groups and classes as the comparison takes them."""
        classes = self.labels if self.metric == "balanced_accuracy" else None
        return layout_of(len(self.labels), self.groups, classes)


class Gap(NamedTuple):
    """A difference of scores."""

    interval: Interval
    p: float
    """smallest level at which the interval leaves out 0"""


def part_of(on: Scoring, rows: NDArray[np.bool_]) -> Scoring:
    """Some of the images, (n,) true for those."""
    return on._replace(labels=on.labels[rows], groups=on.groups[rows])


def n_units(on: Scoring) -> int:
    """Number of independent images, or groups of images."""
    return len(np.unique(on.groups))


def score_of(right: Right, on: Scoring) -> Interval:
    """Score of one arm with its interval, between 0 and 1.

    With one seed the interval is that of the images alone: it says nothing of other seeds.

    Args:
        right: (k, n) whether the prediction of each seed is right.
        on: labels, groups and metric.
    """
    return Interval.model_validate(interval.mean_of(_at_least_two(right.astype(np.float64)), on.layout, on.level))


def difference_of(ours: Right, others: Right, on: Scoring) -> Gap:
    """Score of the first minus that of the second, paired by seed and image, between -1 and 1.

    With one seed the interval is that of the images alone.

    Args:
        ours: (k, n) whether the prediction of each seed is right.
        others: (k, n) the same for the other arm, with the same seeds.
        on: labels, groups and metric.
    """
    values = _at_least_two(ours.astype(np.float64) - others)
    found = interval.difference_of(values, on.layout, on.level)
    return Gap(Interval.model_validate(found.difference), interval.p_value_of(found))


def in_points(gain: Interval) -> str:
    """An interval of shares in points with one decimal, without a minus before 0.0."""
    estimate, low, high = (f"{round(100 * each, 1) + 0.0:.1f}" for each in (gain.estimate, gain.low, gain.high))
    return f"{estimate} ({low} to {high})"


def _at_least_two(values: Floats) -> Floats:
    """(k, n) values; a single seed is given twice, so that nothing is taken to vary over seeds."""
    return values if len(values) > 1 else np.repeat(values, 2, axis=0)
