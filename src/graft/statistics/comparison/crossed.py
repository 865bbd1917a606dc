"""Mean of a table of seeds by units with its interval, where both are random and crossed."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.statistics.comparison.spread import Variances
from graft.statistics.groups import unseen_share

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


class CrossedMean(NamedTuple):
    """A mean over seeds and units with its interval."""

    estimate: float
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: float
    variances: Variances
    n_seeds: int
    n_units: int


def crossed_mean(values: Floats, confidence: float) -> CrossedMean:
    """Mean and interval of values[s, i] = mu + seed_s + unit_i + residual_si.

    The variance of the mean is (A + B - E) / (k u), where A, B and E are the mean squares of seeds, units and residual.
    A and B are at least E, because a component of variance is not negative. The interval uses a t quantile with
    Satterthwaite's degrees of freedom. It is wider than necessary if seeds or units vary little. If most of the
    variance is due to seeds, a 0.95 interval covers 0.94 of cases with five seeds, 0.93 with three and 0.90 with two.

    Args:
        values: (k, u), k >= 2 seeds by u >= 2 units.
        confidence: confidence level of the interval, between 0 and 1.

    Raises:
        ValueError: fewer than two seeds or two units.

    Source: Satterthwaite, An approximate distribution of estimates of variance components, Biometrics 2
    (1946).
    """
    k, u = values.shape
    if k < 2 or u < 2:
        raise ValueError(
            f"crossed_mean: want at least 2 seeds and 2 images (or groups of images), got {k} and {u}. "
            "Run more seeds or add images."
        )
    mean = float(values.mean())
    # (k,) and (u,): main effects of seeds and of units
    by_seed, by_unit = values.mean(axis=1) - mean, values.mean(axis=0) - mean
    rest = values - mean - by_seed[:, None] - by_unit
    residual = float(np.sum(rest**2)) / ((k - 1) * (u - 1))
    of_seeds = max(float(np.sum(by_seed**2)) / (k - 1) - residual / u, 0.0)
    of_units = max(float(np.sum(by_unit**2)) / (u - 1) - residual / k, 0.0)
    variances = Variances(of_seeds, of_units, residual)
    error, freedom = standard_error(variances, np.array([k]), np.array([u]))
    half = float(error[0] * _t_quantile(freedom, confidence)[0])
    return CrossedMean(mean, mean - half, mean + half, float(error[0]), float(freedom[0]), variances, k, u)


def standard_error(variances: Variances, n_seeds: Counts, n_units: Counts) -> tuple[Floats, Floats]:
    """Standard error of the mean and its degrees of freedom, for any numbers of seeds and units (they broadcast).

    If nothing varies, the degrees of freedom are those of the seeds.
    """
    residual = variances.residual
    seeds, units = residual + n_units * variances.seeds, residual + n_seeds * variances.units
    whole = seeds + units - residual
    parts = seeds**2 / (n_seeds - 1) + units**2 / (n_units - 1) + residual**2 / ((n_seeds - 1) * (n_units - 1))
    freedom = np.where(parts > 0, whole**2 / np.where(parts > 0, parts, 1.0), n_seeds - 1.0)
    return np.sqrt(whole / (n_seeds * n_units)), freedom


def half_width(variances: Variances, n_seeds: Counts, n_units: Counts, confidence: float) -> Floats:
    """Half the width of the interval for any numbers of seeds and units (they broadcast)."""
    error, freedom = standard_error(variances, n_seeds, n_units)
    return error * _t_quantile(freedom, confidence)


def difference_half_width(variances: Variances, n_seeds: Counts, n_units: Counts, confidence: float) -> Floats:
    """Half the width of the interval of a difference of shares, at least `unseen_share`.

    Without this floor two arms that agree on ten images would count as equal.
    """
    return np.maximum(half_width(variances, n_seeds, n_units, confidence), unseen_share(n_units, confidence))


def _t_quantile(degrees_of_freedom: Floats, confidence: float) -> Floats:
    from scipy.special import stdtrit

    quantiles: Floats = stdtrit(degrees_of_freedom, (1 + confidence) / 2)
    return quantiles
