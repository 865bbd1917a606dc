"""Two arms, the same seeds and the same images: which is right more often, and how sure is that."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.statistics.comparison.crossed import CrossedMean, Variances, crossed_mean, difference_half_width
from graft.statistics.comparison.second_opinions import crossed_bootstrap, sign_flip_p
from graft.statistics.comparison.settling import (
    MANY_SEEDS,
    is_settled,
    seeds_to_settle,
    together_to_settle,
    units_to_settle,
)
from graft.statistics.groups import unseen_share

Floats = NDArray[np.float64]
Correct = NDArray[np.bool_]
Groups = NDArray[Any]

BOOTSTRAP_DRAWS = 2_000
MOST_IMAGES = 1_000_000


class Question(NamedTuple):
    """How a comparison is judged."""

    confidence: float
    """of the intervals, between 0 and 1"""
    margin: float
    """differences of accuracy up to this share count as none"""
    seed: int
    """of the bootstrap"""


class Estimate(NamedTuple):
    """A number with its interval."""

    estimate: float
    low: float
    high: float


class Comparison(NamedTuple):
    """Accuracy of arm a minus accuracy of arm b, with all that is needed to judge it."""

    difference: Estimate
    standard_error: float
    degrees_of_freedom: float
    variances: Variances
    """components of variance of the difference on one image in one seed"""
    n_seeds: int
    n_images: int
    n_units: int
    """groups, or images where they come in none"""
    by_seed: tuple[float, ...]
    sign_flip_p: float
    bootstrap: Estimate
    seeds_to_settle: int | None
    """None: settled, or more than 1,000"""
    images_to_settle: int | None
    """None: settled, or more than 1,000,000"""
    together_to_settle: tuple[int, int] | None
    """seeds and images, where neither alone would do; None: not so, or more than 1,000,000 images"""


class Settling(NamedTuple):
    """Seeds alone, images alone, and both together that would settle an open comparison."""

    seeds: int | None
    images: int | None
    together: tuple[int, int] | None


def compare_arms(correct_a: Correct, correct_b: Correct, groups: Groups | None, question: Question) -> Comparison:
    """Compare the accuracy of two arms that share their seeds and their test images.

    The difference on image i in seed s is mu + seed_s + unit_i + residual, with seeds and units both random
    and crossed (`crossed_mean`). The sign-flip test over seeds and the crossed bootstrap stand beside it as
    second opinions: at five seeds the one cannot reject and the other covers too little.

    Args:
        correct_a: (k, n) whether arm a is right, k seeds by n images.
        correct_b: (k, n) the same of arm b, in the same order.
        groups: (n,) names of groups of images that are not independent; None: every image is.
        question: confidence, margin and the seed of the bootstrap.

    Raises:
        ValueError: shapes that differ, fewer than two seeds, or fewer than two images or groups.
    """
    _check(correct_a, correct_b, groups)
    difference = correct_a.astype(np.int64) - correct_b
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


def mean_accuracy(correct: Correct, groups: Groups | None, confidence: float) -> Estimate:
    """Accuracy of one arm over seeds and images with the interval of `crossed_mean`, cut to 0 and 1.

    Args:
        correct: (k, n) whether the arm is right.
        groups: (n,) as in `compare_arms`.
        confidence: of the interval, between 0 and 1.

    Raises:
        ValueError: as `compare_arms`.
    """
    _check(correct, correct, groups)
    mean = crossed_mean(unit_values(correct.astype(np.int64), groups), confidence)
    seen = min(mean.estimate, 1 - mean.estimate)  # an arm that is always right may be wrong on images not seen
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


def unit_values(values: NDArray[np.int64], groups: Groups | None) -> Floats:
    """(k, u) values by independent unit, whose mean over units is the mean over images, seed by seed.

    A group counts by its deviation from the mean times its images (the linear form of a ratio estimate):
    groups of unequal size then add no spread of their own.
    """
    if groups is None:
        return values.astype(np.float64)
    names, unit = np.unique(groups, return_inverse=True)
    n = values.shape[1]
    if len(names) == n:
        return values.astype(np.float64)
    sizes = np.bincount(unit)
    totals = np.stack([np.bincount(unit, weights=row, minlength=len(names)) for row in values])
    mean = float(values.mean())
    units: Floats = mean + (totals - mean * sizes) * (len(names) / n)
    return units


def _check(correct_a: Correct, correct_b: Correct, groups: Groups | None) -> None:
    if correct_a.ndim != 2 or correct_a.shape != correct_b.shape:
        raise ValueError(
            f"compare_arms: want both arms as (seeds, images) of one shape, got {correct_a.shape} and "
            f"{correct_b.shape}. Run both arms with the same seeds on the same images."
        )
    if groups is not None and groups.shape != correct_a.shape[1:]:
        raise ValueError(
            f"compare_arms: want a group for each of {correct_a.shape[1]} images, got {groups.shape}. "
            "Give one name an image, or None."
        )
