"""Separability of two samples: area under the curve of a classifier that tells them apart, with an interval."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.statistics.groups import dealt_folds, drawn_rows, group_sizes

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

FOLDS = 5
# Factor of the variance: the training rows of any two folds overlap, so their errors are correlated.
OVERLAP = 1 + FOLDS / (FOLDS - 1)
# Penalty of the classifier, in units of the variance of one standardised feature.
PENALTY = 10.0
# Rows of one sample, at most; more are sampled with the seed.
MOST_ROWS = 2_000
# Groups of one sample; with fewer, an interval says nothing.
FEWEST_GROUPS = 10


class Separability(NamedTuple):
    """Area under the curve of a classifier between two samples, with its interval."""

    estimate: float
    """share of pairs, one row of each sample, that the classifier orders correctly; every group weighs the same; 0.5 is
    chance, 1 is always"""
    low: float
    high: float


class Sample(NamedTuple):
    """Rows of one sample."""

    features: NDArray[np.floating[Any]]
    """(n, d) features"""
    groups: NDArray[np.str_]
    """(n,) names of groups of rows that are not independent"""
    strata: NDArray[Any]
    """(n,) strata, such as classes: only rows of one stratum are compared; all equal where there are none"""


class HeldOut(NamedTuple):
    """Rows of both samples, scored by classifiers that have not seen them; those of the first sample come first."""

    scores: Floats
    """(n,) scores; above 0 means the second sample"""
    side: Places
    """(n,) 0 for the first sample, 1 for the second"""
    cells: Places
    """(n,) number of the row's fold and stratum; only scores of one cell are comparable"""
    groups: Places
    """(n,) number of the row's group"""
    weights: Floats
    """(n,) 1 / rows of the group in the row's sample, so that every group weighs the same"""


def separability(first: Sample, second: Sample, *, confidence: float, seed: int) -> Separability | None:
    """Cross-validated area under the curve of a linear classifier between two samples, with its interval.

    Ridge regression on standardised features scores rows of folds that it has not seen; groups are whole in one fold.
    Both samples have the same weight, and so do all groups of a sample. Features are centred by stratum, and only pairs
    of rows of one stratum and one fold are compared, so that a different mix of strata alone gives 0.5. The interval is
    that of DeLong with sums over groups in place of rows, a t quantile, and a wider variance, because the classifiers
    of the folds have seen mostly the same rows. The interval of a random division is above 0.5 in at most 1 of 20
    cases.

    Args:
        first: rows of one sample.
        second: rows of the other; groups may be in both.
        confidence: confidence of the interval, between 0 and 1.
        seed: seed of the folds, and of the rows where a sample has more than MOST_ROWS.

    Returns:
        None where a sample has fewer than FEWEST_GROUPS groups in strata that both samples have, or where no fold has
        rows of both samples in one stratum.

    Source: DeLong, DeLong and Clarke-Pearson, Comparing the areas under two or more correlated receiver
    operating characteristic curves, Biometrics 44 (1988); for groups Obuchowski, Nonparametric analysis of
    clustered ROC curve data, Biometrics 53 (1997); for the overlap Nadeau and Bengio, Inference for the
    generalization error, Machine Learning 52 (2003).
    """
    held_out = held_out_scores(first, second, seed=seed)
    return None if held_out is None else area_under_curve(held_out, confidence)


def held_out_scores(first: Sample, second: Sample, *, seed: int) -> HeldOut | None:
    """Scores of the linear classifier of `separability` for rows of folds that it has not seen.

    Args:
        first: rows of one sample.
        second: rows of the other; groups may be in both.
        seed: seed of the folds, and of the rows where a sample has more than MOST_ROWS.

    Returns:
        None where a sample has fewer than FEWEST_GROUPS groups in strata that both samples have.
    """
    rng = np.random.default_rng(seed)
    shared = np.intersect1d(first.strata, second.strata)
    first, second = (_some(each, shared, rng) for each in (first, second))
    if min(len(np.unique(each.groups)) for each in (first, second)) < FEWEST_GROUPS:
        return None
    side = np.repeat([0, 1], [len(first.groups), len(second.groups)])
    strata = np.unique(np.concatenate([first.strata, second.strata]), return_inverse=True)[1]
    groups = np.unique(np.concatenate([first.groups, second.groups]), return_inverse=True)[1]
    weights = np.concatenate([_weights(each.groups) for each in (first, second)])
    features = _standardised(np.concatenate([first.features, second.features]).astype(np.float64), strata, weights)
    fold = dealt_folds(groups, (strata, side), FOLDS, rng)
    scores = np.empty(len(side))
    for held in range(FOLDS):
        seen = fold != held
        slopes, middle = _ridge(features[seen], side[seen], weights[seen])
        scores[~seen] = (features[~seen] - middle) @ slopes
    return HeldOut(scores, side, fold * (strata.max() + 1) + strata, groups, weights)


def area_under_curve(held_out: HeldOut, confidence: float) -> Separability | None:
    """Area under the curve over the pairs within cells, with an interval from each group's influence on it.

    Returns:
        None where no cell has rows of both samples.
    """
    from scipy.special import stdtrit

    scores, side, cells, groups, weights = held_out
    # (n,) each: weight of the rows of the other sample that a row is compared with, and of those it is ordered
    # correctly against.
    won, met = np.zeros(len(scores)), np.zeros(len(scores))
    for each in np.unique(cells):
        one, two = (np.flatnonzero((cells == each) & (side == s)) for s in (0, 1))
        met[two], met[one] = weights[one].sum(), weights[two].sum()
        won[two] = _weight_below(scores[two], scores[one], weights[one])
        won[one] = met[one] - _weight_below(scores[one], scores[two], weights[two])
    won, met = won * weights, met * weights
    # Every pair is counted from both of its rows.
    pairs = met.sum() / 2
    if pairs == 0:
        return None
    auc = float(won.sum() / 2 / pairs)
    # (groups,): how much each group moves the area
    influence = np.bincount(groups, weights=(won - auc * met) / pairs)
    fewest = min(len(np.unique(groups[side == s])) for s in (0, 1))
    error = np.sqrt(OVERLAP * np.sum(influence**2) * fewest / (fewest - 1))
    half = float(error * stdtrit(fewest - 1, (1 + confidence) / 2))
    return Separability(auc, max(auc - half, 0.0), min(auc + half, 1.0))


def _weight_below(values: Floats, others: Floats, weights: Floats) -> Floats:
    """Weight of the others below each value, plus half the weight of those equal to it, (n,)."""
    order = np.argsort(others)
    below = np.append(0.0, np.cumsum(weights[order]))
    left, right = (np.searchsorted(others[order], values, side) for side in ("left", "right"))
    half: Floats = (below[left] + below[right]) / 2
    return half


def _weights(groups: NDArray[np.str_]) -> Floats:
    sizes, unit = group_sizes(groups)
    weights: Floats = 1 / sizes[unit]
    return weights


def _some(sample: Sample, shared: NDArray[Any], rng: np.random.Generator) -> Sample:
    """Rows in shared strata, at most MOST_ROWS."""
    rows = np.flatnonzero(np.isin(sample.strata, shared))
    chosen = rows[drawn_rows(sample.groups[rows], MOST_ROWS, rng)]
    return Sample(sample.features[chosen], sample.groups[chosen], sample.strata[chosen])


def _standardised(features: Floats, strata: Places, weights: Floats) -> Floats:
    """Features minus the mean of their stratum, scaled to deviation 1, without a look at which sample they are from."""
    cells = [strata == each for each in range(strata.max() + 1)]
    # (strata, d)
    means = np.stack([np.average(features[cell], axis=0, weights=weights[cell]) for cell in cells])
    centred = features - means[strata]
    scale = np.sqrt(np.average(centred**2, axis=0, weights=weights))
    standardised: Floats = centred / np.where(scale > 1e-6 * max(scale.max(), 1e-12), scale, 1.0)
    return standardised


def _ridge(features: Floats, side: Places, weights: Floats) -> tuple[Floats, Floats]:
    """Ridge regression of the sample on the features.

    Returns:
        Slopes, (d,), and the middle between the means of the samples, (d,), whose score is 0.
    """
    n, d = features.shape
    totals = np.bincount(side, weights=weights, minlength=2)
    weight: Floats = 0.5 * weights / totals[side]
    root = np.sqrt(weight)[:, None]
    mean = weight @ features
    x, y = (features - mean) * root, (2.0 * side - 1) * root[:, 0]
    # Both forms have the same solution; the smaller system is solved.
    if d <= n:
        slopes = np.linalg.solve(x.T @ x + PENALTY * np.eye(d), x.T @ y)
    else:
        slopes = x.T @ np.linalg.solve(x @ x.T + PENALTY * np.eye(n), y)
    return slopes.astype(np.float64, copy=False), mean
