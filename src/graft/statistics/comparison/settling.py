"""Number of seeds, or of units, that would settle an open comparison."""

import numpy as np
from numpy.typing import NDArray

from graft.statistics.comparison.crossed import CrossedMean, difference_half_width

MOST_SEEDS = 1_000
# Number of seeds that is still affordable. If neither seeds nor units alone settle the comparison, units are searched
# for at this number.
MANY_SEEDS = 50
# Points of the coarse search over units.
STEPS = 500


def is_settled(estimate: float, half: NDArray[np.float64], margin: float) -> NDArray[np.bool_]:
    """Whether the intervals `estimate` +- `half` exclude 0 or are inside [-margin, margin]."""
    return (abs(estimate) > half) | (abs(estimate) + half <= margin)


def seeds_to_settle(mean: CrossedMean, confidence: float, margin: float) -> int | None:
    """Smallest number of seeds that would settle the comparison, if units, estimate and variances stay as they are.

    Returns:
        None if more than MOST_SEEDS are needed.
    """
    seeds = np.arange(mean.n_seeds + 1, MOST_SEEDS + 1)
    half = difference_half_width(mean.variances, seeds, np.array(mean.n_units), confidence)
    return _first(seeds, is_settled(mean.estimate, half, margin))


def units_to_settle(mean: CrossedMean, confidence: float, margin: float, most: int) -> int | None:
    """Smallest number of units that would settle the comparison, if seeds, estimate and variances stay as they are.

    Returns:
        None if more than `most` are needed.
    """
    if most <= mean.n_units:
        return None
    coarse = np.unique(np.geomspace(mean.n_units + 1, most, STEPS).round().astype(np.int64))
    reached = _first(coarse, _settled_at(mean, coarse, confidence, margin))
    if reached is None:
        return None
    fine = np.arange(coarse[coarse < reached].max(initial=mean.n_units) + 1, reached + 1)
    return _first(fine, _settled_at(mean, fine, confidence, margin))


def together_to_settle(mean: CrossedMean, confidence: float, margin: float, most: int) -> tuple[int, int] | None:
    """Number of seeds, at least MANY_SEEDS, and the smallest number of units that settles the comparison with them.

    Returns:
        None if more than `most` units are needed.
    """
    seeds = max(mean.n_seeds, MANY_SEEDS)
    units = units_to_settle(mean._replace(n_seeds=seeds), confidence, margin, most)
    return None if units is None else (seeds, units)


def _settled_at(mean: CrossedMean, units: NDArray[np.int64], confidence: float, margin: float) -> NDArray[np.bool_]:
    half = difference_half_width(mean.variances, np.array(mean.n_seeds), units, confidence)
    return is_settled(mean.estimate, half, margin)


def _first(numbers: NDArray[np.int64], settled: NDArray[np.bool_]) -> int | None:
    return int(numbers[settled.argmax()]) if settled.any() else None
