"""Two arms that share their seeds and their test images: which scores higher, and how sure is that."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graft.statistics.comparison.crossed import Variances
from graft.statistics.comparison.interval import Difference, Estimate, are_shares, difference_of, outcome_of
from graft.statistics.comparison.layout import Layout, Names, layout_of
from graft.statistics.comparison.power import CouldShow, could_show_of, to_show_of
from graft.statistics.comparison.second_opinions import crossed_bootstrap, mcnemar_p, sign_flip_p
from graft.statistics.comparison.spread import influence_table

Floats = NDArray[np.float64]

BOOTSTRAP_DRAWS = 2_000
TWO_SEEDS = "Two seeds tell too little of how much seeds differ."


class Comparison(NamedTuple):
    """Metric of arm a minus metric of arm b, the verdict on it, and what that goes by."""

    verdict: str
    """POSITIVE (a is better), NEGATIVE, EQUIVALENT or INCONCLUSIVE"""
    difference: Estimate
    """with the interval of confidence 1 - level"""
    equivalence: Estimate
    """with the interval of confidence 1 - 2 level, which must lie inside the margin for EQUIVALENT"""
    level: float
    margin: float
    decided_by: str
    """what decided, in one sentence"""
    limits: tuple[str, ...]
    """sentences, each of which alone keeps the verdict at INCONCLUSIVE"""
    standard_error: float
    degrees_of_freedom: float
    design: str
    """images, classes, equal groups or unequal groups: how the standard error was estimated"""
    variances: Variances
    """components of variance of the difference of one unit in one seed"""
    n_seeds: int
    n_images: int
    n_units: int
    """number of groups, or of images if there are no groups"""
    effective_units: float
    """units of equal weight that would give as many degrees of freedom, plus 1"""
    largest_unit_share: float
    """share of the images, or of the metric if that is more, of the largest unit"""
    by_seed: tuple[float, ...]
    median_of_seeds: float
    sign_flip_p: float
    """sign-flip test over the seeds; decides nothing, and has no small p with few seeds"""
    mcnemar_p: float
    """McNemar's test over units, pooled over the seeds; decides nothing, and speaks of these seeds alone"""
    bootstrap: Estimate
    """crossed bootstrap; decides nothing, and covers too little with few seeds"""
    could_show: CouldShow
    to_show: tuple[int, int] | None
    """seeds and images together that show the estimate, if it is true, four times in five; None if the verdict is not
    INCONCLUSIVE, the estimate is 0, or 1,000 seeds and 10,000 times the images are not enough"""


def compare(
    a: ArrayLike,
    b: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    margin: float = 0.01,
    level: float = 0.05,
    seed: int = 0,
) -> Comparison:
    """Compare two models, each trained with k seeds and scored on the same n test images.

    Args:
        a: (k, n) scores of model a, seeds by images.
        b: (k, n) the same for model b.
        groups: (n,) names of groups of images that are not independent. None if every image is independent.
        classes: (n,) labels. The metric is then the mean over classes of the mean of each class.
        margin: differences up to this size count as none. 0 switches EQUIVALENT off.
        level: share of false claims that is allowed.
        seed: seed of the bootstrap.
    """
    scores_a, scores_b = (np.asarray(each, dtype=np.float64) for each in (a, b))
    layout = layout_of(scores_a.shape[1], _names(groups), _names(classes))
    values = scores_a - scores_b
    found = difference_of(values, layout, level, are_shares(scores_a) and are_shares(scores_b))
    bootstrap = crossed_bootstrap(influence_table(values, layout), 1 - level, BOOTSTRAP_DRAWS, seed)
    whole = _comparison(values, layout, found, (level, margin), bootstrap)
    for limit in layout.limits if len(values) > 2 else (*layout.limits, TWO_SEEDS):
        whole = capped(whole, limit)
    return whole if whole.verdict == "INCONCLUSIVE" else whole._replace(to_show=None)


def _comparison(
    values: Floats, layout: Layout, found: Difference, asked: tuple[float, float], bootstrap: tuple[float, float]
) -> Comparison:
    level, margin = asked
    by_seed, variances, units = found.spread
    estimate, k = found.difference.estimate, len(values)
    verdict = outcome_of(found.difference, found.equivalence, margin)
    more = to_show_of(estimate, variances, k, units, level)
    return Comparison(
        verdict=verdict,
        difference=found.difference,
        equivalence=found.equivalence,
        level=level,
        margin=margin,
        decided_by=_decided_by(found, verdict, level, margin),
        limits=(),
        standard_error=found.standard_error,
        degrees_of_freedom=found.degrees_of_freedom,
        design=layout.design,
        variances=variances,
        n_seeds=k,
        n_images=layout.n_images,
        n_units=int(units.number),
        effective_units=units.effective,
        largest_unit_share=layout.largest_share,
        by_seed=tuple(float(each) for each in by_seed),
        median_of_seeds=float(np.median(by_seed)),
        # sums of right and wrong are whole numbers, which the test counts exactly
        sign_flip_p=sign_flip_p(values.sum(axis=1) if layout.label is None else by_seed),
        mcnemar_p=mcnemar_p(values, layout.unit),
        bootstrap=Estimate(estimate, *bootstrap),
        could_show=could_show_of(variances, k, units, level),
        to_show=None if more is None else (more[0], math.ceil(more[1] * layout.n_images)),
    )


def capped(comparison: Comparison, limit: str) -> Comparison:
    """The comparison with one more limit, which keeps its verdict at INCONCLUSIVE.

    Args:
        comparison: any comparison.
        limit: why it allows no claim, in one sentence.
    """
    decided = comparison.decided_by if comparison.limits else limit
    return comparison._replace(verdict="INCONCLUSIVE", decided_by=decided, limits=(*comparison.limits, limit))


def _names(names: ArrayLike | None) -> Names | None:
    return None if names is None else np.asarray(names)


def _decided_by(found: Difference, verdict: str, level: float, margin: float) -> str:
    interval, inner = found.difference, found.equivalence
    outer = f"The {100 * (1 - level):g}% interval of the difference, {interval.low:+.4f} to {interval.high:+.4f},"
    within = f"the {100 * (1 - 2 * level):g}% interval, {inner.low:+.4f} to {inner.high:+.4f},"
    if verdict == "EQUIVALENT":
        return f"T{within[1:]} lies inside the margin of {margin:g}."
    if verdict != "INCONCLUSIVE":
        return f"{outer} excludes 0."
    return f"{outer} contains 0" + (f", and {within} does not lie inside the margin of {margin:g}." if margin else ".")
