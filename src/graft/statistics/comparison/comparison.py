"""Two arms that share their seeds and their test images: which scores higher, and how sure is that."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.statistics.comparison.crossed import CrossedMean, crossed_mean, difference_half_width
from graft.statistics.comparison.second_opinions import crossed_bootstrap, sign_flip_p
from graft.statistics.comparison.settling import (
    MANY_SEEDS,
    is_settled,
    seeds_to_settle,
    together_to_settle,
    units_to_settle,
)
from graft.statistics.comparison.spread import Variances
from graft.statistics.groups import unseen_share

Floats = NDArray[np.float64]
Groups = NDArray[Any]

BOOTSTRAP_DRAWS = 2_000
MOST_IMAGES = 1_000_000


class Question(NamedTuple):
    """What a comparison is asked."""

    confidence: float
    """confidence level of the intervals, between 0 and 1"""
    margin: float
    """differences up to this size count as none"""
    seed: int
    """seed of the bootstrap"""


class Estimate(NamedTuple):
    """An estimate with its interval."""

    estimate: float
    low: float
    high: float


class Comparison(NamedTuple):
    """Mean score of arm a minus mean score of arm b, with all that is needed to judge it."""

    difference: Estimate
    standard_error: float
    degrees_of_freedom: float
    variances: Variances
    """components of variance of the difference of one image in one seed"""
    n_seeds: int
    n_images: int
    n_units: int
    """number of groups, or of images if there are no groups"""
    by_seed: tuple[float, ...]
    sign_flip_p: float
    bootstrap: Estimate
    seeds_to_settle: int | None
    """None if the comparison is settled or needs more than 1,000"""
    images_to_settle: int | None
    """None if the comparison is settled or needs more than 1,000,000"""
    together_to_settle: tuple[int, int] | None
    """seeds and images, if neither alone settles the comparison; else None, also if over 1,000,000 images are needed"""


class Settling(NamedTuple):
    """Numbers that would settle an open comparison: seeds alone, images alone, or both together."""

    seeds: int | None
    images: int | None
    together: tuple[int, int] | None


def compare_arms(scores_a: Floats, scores_b: Floats, groups: Groups | None, question: Question) -> Comparison:
    """Compare the mean scores of two arms that share their seeds and their test images.

    The difference on image i in seed s is modelled as mu + seed_s + unit_i + residual, where seeds and units are both
    random and crossed (`crossed_mean`). A sign-flip test over seeds and a crossed bootstrap are second opinions only:
    with five seeds the former cannot reject, and the latter covers too little.

    Args:
        scores_a: (k, n) influence values of the metric for arm a, k seeds by n images, such as `accuracy_scores`.
        scores_b: (k, n) the same for arm b, in the same order.
        groups: (n,) names of groups of images that are not independent. None if every image is independent.
        question: confidence level, margin, and the seed of the bootstrap.

    Raises:
        ValueError: scores that are not floats, shapes that differ, fewer than two seeds, or fewer than two images or
            groups.
    """
    _check(scores_a, scores_b, groups)
    difference = scores_a - scores_b
    units = unit_values(difference, groups)
    mean = crossed_mean(units, question.confidence)
    k, n = difference.shape
    half = difference_half_width(mean.variances, np.array(k), np.array(mean.n_units), question.confidence)
    low, high = crossed_bootstrap(units, question.confidence, BOOTSTRAP_DRAWS, question.seed)
    open_yet = not is_settled(mean.estimate, half, question.margin)
    settling = _what_settles(mean, question, n) if open_yet else Settling(None, None, None)
    return Comparison(
        difference=Estimate(
            mean.estimate, max(mean.estimate - float(half), -1.0), min(mean.estimate + float(half), 1.0)
        ),
        standard_error=mean.standard_error,
        degrees_of_freedom=mean.degrees_of_freedom,
        variances=mean.variances,
        n_seeds=k,
        n_images=n,
        n_units=mean.n_units,
        by_seed=tuple(float(each) for each in difference.mean(axis=1)),
        sign_flip_p=sign_flip_p(difference.sum(axis=1)),
        bootstrap=Estimate(mean.estimate, low, high),
        seeds_to_settle=settling.seeds,
        images_to_settle=settling.images,
        together_to_settle=settling.together,
    )


def mean_score(scores: Floats, groups: Groups | None, confidence: float) -> Estimate:
    """Mean score of one arm over seeds and images, with the interval of `crossed_mean` cut to 0 and 1.

    Args:
        scores: (k, n) influence values of a metric between 0 and 1.
        groups: (n,) as in `compare_arms`.
        confidence: confidence level of the interval, between 0 and 1.

    Raises:
        ValueError: as `compare_arms`.
    """
    _check(scores, scores, groups)
    mean = crossed_mean(unit_values(scores, groups), confidence)
    # an arm that is always right here may be wrong on images that were not seen
    seen = min(mean.estimate, 1 - mean.estimate)
    half = max(mean.high - mean.estimate, float(unseen_share(np.array(mean.n_units), confidence)) - seen)
    return Estimate(mean.estimate, max(mean.estimate - half, 0.0), min(mean.estimate + half, 1.0))


def _what_settles(mean: CrossedMean, question: Question, n_images: int) -> Settling:
    a_unit = n_images / mean.n_units
    most = int(MOST_IMAGES / a_unit)
    seeds = seeds_to_settle(mean, question.confidence, question.margin)
    units = units_to_settle(mean, question.confidence, question.margin, most)
    if units is not None:
        return Settling(seeds, math.ceil(units * a_unit), None)
    if seeds is not None and seeds <= MANY_SEEDS:
        return Settling(seeds, None, None)
    both = together_to_settle(mean, question.confidence, question.margin, most)
    return Settling(seeds, None, None if both is None else (both[0], math.ceil(both[1] * a_unit)))


def unit_values(values: Floats, groups: Groups | None) -> Floats:
    """(k, u) values by independent unit. In every seed their mean over units is the mean over images.

    The value of a group is its deviation from the overall mean times its number of images (the linearised ratio
    estimate), so that groups of unequal size add no variance of their own.

    Args:
        values: (k, n) values, k seeds by n images.
        groups: (n,) names of groups. None if every image is independent.
    """
    if groups is None:
        return values
    names, unit = np.unique(groups, return_inverse=True)
    n = values.shape[1]
    if len(names) == n:
        return values
    sizes = np.bincount(unit)
    # (k, n) -> (k, u): sums over the images of each group
    totals = np.stack([np.bincount(unit, weights=row, minlength=len(names)) for row in values])
    mean = float(values.mean())
    units: Floats = mean + (totals - mean * sizes) * (len(names) / n)
    return units


def _check(scores_a: Floats, scores_b: Floats, groups: Groups | None) -> None:
    for scores in (scores_a, scores_b):
        if not np.issubdtype(scores.dtype, np.floating):
            raise ValueError(
                f"compare_arms: want scores as floats, got {scores.dtype}. Give every image the value of its metric, "
                "such as 1.0 or 0.0 for accuracy."
            )
    if scores_a.ndim != 2 or scores_a.shape != scores_b.shape:
        raise ValueError(
            f"compare_arms: want both arms as (seeds, images) of one shape, got {scores_a.shape} and "
            f"{scores_b.shape}. Run both arms with the same seeds on the same images."
        )
    if groups is not None and groups.shape != scores_a.shape[1:]:
        raise ValueError(
            f"compare_arms: want a group for each of {scores_a.shape[1]} images, got {groups.shape}. "
            "Give one name an image, or None."
        )
