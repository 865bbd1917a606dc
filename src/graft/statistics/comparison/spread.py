"""Mean of a table of seeds by images, and how much it would vary with new seeds and new images."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.statistics.comparison.layout import Layout, Units

Floats = NDArray[np.float64]

# An interval of fewer degrees of freedom has no finite end that would mean anything.
LEAST_FREEDOM = 0.5


class Variances(NamedTuple):
    """Components of variance of the value of one unit in one seed, in squared units of the values."""

    seeds: float
    """variance common to all units of a seed"""
    units: float
    """variance common to all seeds of a unit"""
    residual: float
    """remaining variance"""


class Spread(NamedTuple):
    """A mean over seeds and images, and the variances behind its standard error."""

    by_seed: Floats
    """(k,) the metric in each seed"""
    variances: Variances
    """components of variance of one unit in one seed"""
    units: Units


class _UnitPart(NamedTuple):
    by_seed: Floats
    units: float
    """variance of the mean over seeds that is due to the images"""
    residual: float
    """the part of it that new seeds would renew"""
    effective: float


def spread_of(values: Floats, layout: Layout) -> Spread:
    """Estimate the variances of the mean of values[s, i] = mu + seed_s + unit_i + residual_si.

    Seeds and units are random and crossed. Images on their own and groups of equal size: mean squares, class by class
    where the metric is a mean over classes. Other groups: the delete-one-group jackknife. A component of variance is
    not negative.

    Args:
        values: (k, n), k >= 2 seeds by n images.
        layout: groups and classes of the images.

    Source: Quenouille, Notes on bias in estimation, Biometrika 43 (1956); Tukey (1958) for the variance.
    """
    part = _jackknife(values, layout) if layout.design == "unequal groups" else _mean_squares(values, layout)
    k, u = len(values), layout.units.number
    of_units = max(part.units, part.residual)
    of_seeds = max(float(np.var(part.by_seed, ddof=1)) / k, part.residual)
    variances = Variances(k * (of_seeds - part.residual), u * (of_units - part.residual), k * u * part.residual)
    return Spread(part.by_seed, variances, layout.units._replace(effective=part.effective))


def standard_error(variances: Variances, n_seeds: float, units: Units) -> tuple[float, float]:
    """Standard error of the mean and its degrees of freedom, for any numbers of seeds and units, infinite ones too.

    The degrees of freedom are Satterthwaite's. Where units weigh differently they are at most the effective number of
    units minus 1. If nothing varies, they are those of the seeds.

    Source: Satterthwaite, An approximate distribution of estimates of variance components, Biometrics 2 (1946).
    """
    rest = variances.residual / n_seeds / units.number
    of_seeds, of_units = variances.seeds / n_seeds + rest, variances.units / units.number + rest
    whole = of_seeds + of_units - rest
    freedom_seeds, freedom_units = n_seeds - 1, max(units.effective - 1, LEAST_FREEDOM)
    parts = of_seeds**2 / freedom_seeds + of_units**2 / freedom_units + rest**2 / freedom_seeds / freedom_units
    freedom = whole**2 / parts if parts > 0 else freedom_seeds
    if units.effective < units.number:
        freedom = min(freedom, freedom_units)
    return float(np.sqrt(whole)), float(freedom)


def influence_table(values: Floats, layout: Layout) -> Floats:
    """(k, u) influence values by unit: their mean over units is the metric of each seed.

    The value of a unit is the metric over all seeds plus the weighted deviations of its images from the mean of their
    class (the linearised ratio estimate), so that groups of unequal size add no variance of their own.

    Args:
        values: (k, n) values, k seeds by n images.
        layout: groups and classes of the images.
    """
    n, u = layout.n_images, int(layout.units.number)
    label = np.zeros(n, dtype=np.int64) if layout.label is None else layout.label
    unit = np.arange(n) if layout.unit is None else layout.unit
    means = np.bincount(label, values.mean(axis=0)) / np.bincount(label)
    deviations = layout.weights * (values - means[label])
    return float(means.mean()) + u * _sums(deviations, unit, u)


def _mean_squares(values: Floats, layout: Layout) -> _UnitPart:
    """Every class is a table of seeds by units; the metric is the mean of their means."""
    parts = [_of_table(each) for each in _tables(values, layout)]
    c = len(parts)
    by_seed = sum((each.by_seed for each in parts), np.zeros(len(values))) / c
    units = np.array([max(each.units, each.residual) for each in parts]) / c**2
    freedom = np.array([each.effective - 1 for each in parts])
    return _UnitPart(
        by_seed, float(units.sum()), sum(each.residual for each in parts) / c**2, _effective(units, freedom, layout)
    )


def _tables(values: Floats, layout: Layout) -> list[Floats]:
    if layout.label is not None:
        return [values[:, layout.label == each] for each in range(int(layout.label.max()) + 1)]
    if layout.unit is None:
        return [values]
    # (k, n) -> (k, u, images of a group) -> (k, u)
    by_group = values[:, np.argsort(layout.unit, kind="stable")].reshape(len(values), int(layout.units.number), -1)
    return [by_group.mean(axis=2)]


def _of_table(table: Floats) -> _UnitPart:
    k, u = table.shape
    by_seed, by_unit = table.mean(axis=1), table.mean(axis=0)
    if u == 1:
        return _UnitPart(by_seed, 0.0, 0.0, 1.0)
    rest = table - by_seed[:, None] - by_unit + by_seed.mean()
    residual = float(np.vdot(rest, rest)) / ((k - 1) * (u - 1)) / (k * u)
    return _UnitPart(by_seed, float(np.var(by_unit, ddof=1)) / u, residual, u)


def _effective(units: Floats, freedom: Floats, layout: Layout) -> float:
    """Effective number of units from the variances and degrees of freedom of the classes, by Satterthwaite."""
    known, most = freedom > 0, layout.units.effective
    if len(units) == 1:
        return most
    parts = float(np.sum(units[known] ** 2 / freedom[known]))
    return min(most, 1 + float(units.sum()) ** 2 / parts) if parts > 0 else most


def _jackknife(values: Floats, layout: Layout) -> _UnitPart:
    """Variance of the metric when one group after another is left out."""
    cells = _cells(values, layout)
    k, u, c = len(values), int(layout.units.number), int(cells.label.max()) + 1
    sizes, totals = np.bincount(cells.label, cells.counts), _sums(cells.sums, cells.label, c)
    means = (totals / sizes)[:, cells.label]
    left = (sizes[cells.label] - cells.counts)[None]
    # (k, m) class means without a group. A class that is in one group only stays as it is.
    without = np.where(left > 0, (totals[:, cells.label] - cells.sums) / np.maximum(left, 1), means)
    moves, shrink = (without - means) / c, (u - 1) / u
    by_group = _sums(moves, cells.unit, u)
    mean_move = by_group.mean(axis=0)
    residual = shrink * float(np.sum((by_group - mean_move) ** 2)) / (k - 1) / k
    of_classes = shrink * np.bincount(cells.label, moves.mean(axis=0) ** 2).astype(np.float64)
    freedom = 1 / np.bincount(cells.label, (cells.counts / sizes[cells.label]) ** 2) - 1
    units = shrink * float(np.sum(mean_move**2))
    return _UnitPart((totals / sizes).mean(axis=1), units, residual, _effective(of_classes, freedom, layout))


class _Cells(NamedTuple):
    """The m pairs of a group and a class that have images."""

    unit: NDArray[np.int64]
    label: NDArray[np.int64]
    counts: Floats
    """(m,) number of images"""
    sums: Floats
    """(k, m) sum of their values in each seed"""


def _cells(values: Floats, layout: Layout) -> _Cells:
    assert layout.unit is not None
    label = np.zeros_like(layout.unit) if layout.label is None else layout.label
    c = int(label.max()) + 1
    pairs, cell = np.unique(layout.unit * c + label, return_inverse=True)
    counts = np.bincount(cell).astype(np.float64)
    return _Cells(pairs // c, pairs % c, counts, _sums(values, cell, len(pairs)))


def _sums(values: Floats, part: NDArray[np.int64], n_parts: int) -> Floats:
    """(k, n_parts) sums of the columns of each part; `part` has the part of each column."""
    sums: Floats = np.stack([np.bincount(part, row, minlength=n_parts) for row in values]).astype(np.float64)
    return sums
