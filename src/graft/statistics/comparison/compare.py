"""Two arms that share their seeds and their test images: which scores higher, and how sure is that."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graft.statistics.comparison.inputs import check_margin_of_shares, check_question, read_layout, read_scores
from graft.statistics.comparison.interval import Difference, Estimate, are_shares, difference_of, mean_of, outcome_of
from graft.statistics.comparison.layout import Layout
from graft.statistics.comparison.power import CouldShow, could_show_of, to_show_of
from graft.statistics.comparison.second_opinions import crossed_bootstrap, mcnemar_p, sign_flip_p
from graft.statistics.comparison.spread import Variances, influence_table

Floats = NDArray[np.float64]

BOOTSTRAP_DRAWS = 2_000
TWO_SEEDS = "Two seeds tell too little of how much seeds differ: run at least three."


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
    """smallest differences that such a comparison shows four times in five; None throughout where the images allow no
    claim"""
    to_show: tuple[int, int] | None
    """seeds and images together that show the estimate, if it is true, four times in five; None if the verdict is not
    INCONCLUSIVE, the images allow no claim, the estimate is 0, or 1,000 seeds and 10,000 times the images do not"""


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
    """Compare two models, each trained with the same k seeds and scored on the same n test images.

    The difference on image i in seed s is modelled as mu + seed_s + unit_i + residual, where seeds and units (images,
    or groups of images) are both random. So the verdict speaks of new seeds and new test images from the same source,
    with these training images. EQUIVALENT: the interval of confidence 1 - 2 level is inside the margin. If not,
    POSITIVE: the interval of confidence 1 - level is above 0, so that a is better; NEGATIVE: it is below 0; else
    INCONCLUSIVE.

    Scores between 0 and 1 are taken as shares: no half width is then below the share of units that may well not have
    been seen, about 3 / n, and intervals end at -1 and 1. Other scores, such as losses, have no such bounds.

    Args:
        a: (k, n) scores of model a, seeds by images, higher is better. Right or wrong as booleans or as 0 and 1; else
            floats.
        b: (k, n) scores of model b, in the same order.
        groups: (n,) names of groups of images that are not independent, such as patients. None if every image is.
        classes: (n,) labels. The metric is then balanced accuracy: the mean over classes of the mean of each class.
        margin: differences up to this size count as none, in the unit of the scores: below 1 for shares. 0 switches
            EQUIVALENT off.
        level: share of false claims that is allowed, above 0 and below 0.5.
        seed: seed of the bootstrap, which decides nothing.

    Returns:
        The verdict, what decided, and what this comparison could have shown. Whatever the interval, it is INCONCLUSIVE
        with two seeds, with a group that has 20 % of the images, and where a class has a single image or group.

    Raises:
        ValueError: scores, groups, classes, margin or level that make no comparison.

    Example:
        >>> import numpy as np
        >>> from graft.statistics import compare
        >>> rng = np.random.default_rng(0)
        >>> difficulty = rng.random(500)
        >>> a = rng.random((5, 500)) > 0.2 * difficulty  # 5 seeds of each model on the same 500 images
        >>> b = rng.random((5, 500)) > 0.4 * difficulty
        >>> found = compare(a, b, margin=0.01)
        >>> found.verdict
        'POSITIVE'
        >>> print(found.decided_by)
        The 95% interval of the difference, +7.4 to +13.0 points, excludes 0.
        >>> compare(a, a, margin=0.01).verdict
        'EQUIVALENT'
    """
    check_question(margin, level)
    scores_a, scores_b = read_scores(a, b)
    layout = read_layout(scores_a.shape[1], groups, classes)
    values, shares = scores_a - scores_b, are_shares(scores_a) and are_shares(scores_b)
    if shares:
        check_margin_of_shares(margin)
    found = difference_of(values, layout, level, shares)
    bootstrap = crossed_bootstrap(influence_table(values, layout), 1 - level, BOOTSTRAP_DRAWS, seed)
    whole = _comparison(values, layout, found, (level, margin), bootstrap)
    for limit in layout.limits if len(values) > 2 else (*layout.limits, TWO_SEEDS):
        whole = capped(whole, limit)
    if layout.limits:
        whole = whole._replace(could_show=CouldShow(None, None, None))
    return whole if whole.verdict == "INCONCLUSIVE" and not layout.limits else whole._replace(to_show=None)


def mean_score(
    scores: ArrayLike, *, groups: ArrayLike | None = None, classes: ArrayLike | None = None, level: float = 0.05
) -> Estimate:
    """Metric of one model over seeds and images with its interval.

    Args:
        scores: (k, n) scores, as in `compare`. The interval of scores between 0 and 1 ends there, and even a model that
            is always right here may be wrong on images that were not seen.
        groups: as in `compare`.
        classes: as in `compare`.
        level: 1 minus the confidence of the interval.

    Raises:
        ValueError: as `compare`.
    """
    check_question(0.0, level)
    values, _ = read_scores(scores, scores)
    return mean_of(values, read_layout(values.shape[1], groups, classes), level)


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


def _decided_by(found: Difference, verdict: str, level: float, margin: float) -> str:
    outer = f"{100 * (1 - level):g}% interval of the difference, {_range(found.difference, found.shares)},"
    inner = f"{100 * (1 - 2 * level):g}% interval, {_range(found.equivalence, found.shares)},"
    if verdict == "EQUIVALENT":
        return f"The {inner} is inside the margin."
    if verdict != "INCONCLUSIVE":
        return f"The {outer} excludes 0."
    return f"The {outer} contains 0" + (f", and the {inner} is not inside the margin." if margin > 0 else ".")


def _range(interval: Estimate, shares: bool) -> str:
    if shares:
        # 0.0 is added so that no end is said to be -0.0
        low, high = (round(100 * end, 1) + 0.0 for end in interval[1:])
        return f"{low:+.1f} to {high:+.1f} points"
    return f"{interval.low:+.3g} to {interval.high:+.3g}"
