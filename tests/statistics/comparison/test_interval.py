"""Intervals of a difference and of one arm: their floor, their ends, and the verdict that they give."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, t

from graft.statistics.comparison.interval import Estimate, difference_of, mean_of, outcome_of, p_value_of
from graft.statistics.comparison.layout import layout_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def scores(p: float, k: int = 5, n: int = 300, seed: int = 0) -> Floats:
    return (np.random.default_rng(seed).random((k, n)) < p).astype(np.float64)


def test_both_intervals_are_those_of_students_t() -> None:
    found = difference_of(scores(0.9) - scores(0.5, seed=1), layout_of(300), level=0.1)
    mean, error, freedom = found.difference.estimate, found.standard_error, found.degrees_of_freedom
    assert found.difference.high - mean == pytest.approx(error * t.ppf(0.95, freedom))
    assert found.equivalence.high - mean == pytest.approx(error * t.ppf(0.9, freedom))
    assert mean - found.difference.low == pytest.approx(found.difference.high - mean)


def test_swapped_arms_give_the_mirrored_interval() -> None:
    values, layout = scores(0.8) - scores(0.75, seed=1), layout_of(300, np.arange(300) // 7)
    one, other = difference_of(values, layout), difference_of(-values, layout)
    assert one.difference.low == pytest.approx(-other.difference.high)
    assert one.equivalence.high == pytest.approx(-other.equivalence.low)


@pytest.mark.parametrize("group_size", [1, 10])
def test_arms_that_never_differ_may_still_differ_on_unseen_units(group_size: int) -> None:
    found = difference_of(np.zeros((5, 300)), layout_of(300, np.arange(300) // group_size))
    share = found.difference.high
    assert (1 - share) ** (300 / group_size) == pytest.approx(0.05)
    assert found.difference == found.equivalence == (0.0, -share, share)


def test_one_differing_prediction_is_no_surer_than_none() -> None:
    values = np.zeros((5, 100))
    none = difference_of(values, layout_of(100)).difference
    values[0, 0] = 1
    one = difference_of(values, layout_of(100)).difference
    assert one.high - one.low >= none.high - none.low


def test_a_difference_of_shares_cannot_pass_one_and_others_can() -> None:
    values = np.array([[1.0, 1, 0, 1], [1, 1, 1, 0]])
    assert difference_of(values, layout_of(4)).difference.high == 1
    assert difference_of(values, layout_of(4), shares=False).difference.high > 1


def test_scores_that_are_no_shares_have_no_floor() -> None:
    assert difference_of(np.zeros((5, 100)), layout_of(100), shares=False).difference == (0, 0, 0)


def test_an_arm_that_is_always_right_may_be_wrong_on_unseen_images() -> None:
    accuracy = mean_of(np.ones((5, 100)), layout_of(100))
    assert accuracy.low**100 == pytest.approx(0.05)
    assert accuracy.high == 1
    groups = np.repeat(np.arange(10), np.arange(1, 11))
    always = mean_of(np.ones((3, 55)), layout_of(55, groups))
    assert always == pytest.approx((1.0, 0.05 ** (1 / 10), 1.0))  # ten groups, not 55 images


def test_group_sizes_alone_add_no_spread() -> None:
    right = np.ones((3, 55))
    right[:, ::2] = 0
    accuracy = mean_of(right, layout_of(55, np.repeat(np.arange(10), np.arange(1, 11))))
    assert accuracy.high - accuracy.low < 0.25


def test_a_loss_may_pass_one() -> None:
    loss = mean_of(scores(0.5) * 3, layout_of(300))
    assert loss.low > 1


@pytest.mark.parametrize(
    ("wide", "narrow", "margin", "outcome"),
    [
        ((-0.012, 0.008), (-0.01, 0.006), 0.01, "EQUIVALENT"),
        ((0.001, 0.009), (0.002, 0.008), 0.01, "EQUIVALENT"),  # too small to count
        ((0.001, 0.009), (0.002, 0.008), 0.0, "POSITIVE"),
        ((0.001, 0.02), (0.002, 0.018), 0.01, "POSITIVE"),
        ((-0.02, -0.001), (-0.018, -0.002), 0.01, "NEGATIVE"),
        ((0.0, 0.02), (0.001, 0.018), 0.01, "INCONCLUSIVE"),
        ((-0.02, 0.0), (-0.018, -0.001), 0.01, "INCONCLUSIVE"),
        ((0.0, 0.0), (0.0, 0.0), 0.0, "INCONCLUSIVE"),
    ],
)
def test_outcome(wide: tuple[float, float], narrow: tuple[float, float], margin: float, outcome: str) -> None:
    both = [Estimate(sum(each) / 2, *each) for each in (wide, narrow)]
    assert outcome_of(both[0], both[1], margin) == outcome


@pytest.mark.simulation
@pytest.mark.parametrize("deviations", [(0.02, 0.3, 0.4), (0.0, 0.0, 0.4), (0.05, 0.3, 0.4)])
def test_interval_covers_as_often_as_it_says(deviations: tuple[float, float, float]) -> None:
    n_draws, layout = 1000, layout_of(200)
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(n_draws):
        parts = [rng.normal(size=shape) for shape in ((5, 1), (1, 200), (5, 200))]
        values = sum((size * part for size, part in zip(deviations, parts, strict=True)), np.zeros((5, 200)))
        interval = difference_of(values, layout, shares=False).difference
        covered += interval.low <= 0 <= interval.high
    # where seeds weigh heavily, Satterthwaite's formula lacks a little
    assert covered >= binom.ppf(0.001, n_draws, 0.94)


@pytest.mark.parametrize("difference", [0.03, 0.004])
def test_at_a_level_of_the_p_value_the_interval_ends_at_zero(difference: float) -> None:
    """Once the standard error decides, once the unseen share."""
    values, layout = scores(0.5) - scores(0.5, seed=1), layout_of(300)
    values = values / (1 if difference > 0.01 else 100)
    values += difference - values.mean()
    found = difference_of(values, layout)
    p = p_value_of(found)
    assert 0 < p < 1
    assert difference_of(values, layout, p).difference.low == pytest.approx(0, abs=1e-9)
    other = t.sf(difference / found.standard_error, found.degrees_of_freedom) * 2
    assert p == pytest.approx(other) if difference > 0.01 else p > 10 * other


@pytest.mark.parametrize(("ours", "others"), [(0.75, 0.7), (0.9, 0.5), (0.3, 0.31)])
def test_p_is_the_level_at_which_the_interval_ends_at_zero(ours: float, others: float) -> None:
    values, layout = scores(ours) - scores(others, seed=1), layout_of(300, np.arange(300) // 3)
    p = p_value_of(difference_of(values, layout))
    found = difference_of(values, layout, level=p).difference
    assert min(abs(found.low), abs(found.high)) == pytest.approx(0, abs=1e-6)


def test_p_is_never_below_the_chance_that_no_such_unit_was_seen() -> None:
    values = np.zeros((5, 20))
    values[:, 0] = 1
    assert p_value_of(difference_of(values, layout_of(20))) >= (1 - 1 / 20) ** 20 - 1e-9


def test_scores_that_are_no_shares_have_a_p_without_a_floor() -> None:
    values = scores(0.9, k=4, n=50) - scores(0.5, k=4, n=50, seed=1)
    found = difference_of(3 * values, layout_of(50), shares=False)
    size = abs(found.difference.estimate) / found.standard_error
    assert p_value_of(found) == pytest.approx(2 * t.sf(size, found.degrees_of_freedom))


def _harmed(unit: Ints, share: float, rng: np.random.Generator) -> Floats:
    """(5, n) differences where a share of the units is lost in every seed."""
    lost = rng.random(unit.max() + 1) < share
    values: Floats = np.tile(-1.0 * lost[unit], (5, 1))
    return values


@pytest.mark.parametrize(("sizes", "share"), [((10, 600), 0.05), ((20, 600), 0.05), ((15, 1000), 0.06)])
def test_harm_to_a_small_class_is_not_called_equivalent(sizes: tuple[int, int], share: float) -> None:
    """The small class loses a share of its images that moves the mean over both classes by more than a point."""
    labels, rng = np.repeat([0, 1], sizes), np.random.default_rng(0)
    layout, n_draws = layout_of(len(labels), classes=labels), 300
    called = 0
    for _ in range(n_draws):
        values = _harmed(np.arange(len(labels)), share, rng) * (labels == 0)
        found = difference_of(values, layout)
        called += outcome_of(found.difference, found.equivalence, 0.01) == "EQUIVALENT"
    assert called <= binom.ppf(0.999, n_draws, 0.05)


def test_harm_to_a_few_large_groups_is_not_called_equivalent() -> None:
    """Of 1,200 images, six groups hold a half; one of a hundred images is lost in 6 % of draws, 3 points on average."""
    unit = np.concatenate([np.repeat(np.arange(6), 100), 6 + np.arange(600)])
    layout, rng, n_draws = layout_of(1200, groups=unit), np.random.default_rng(0), 300
    called = 0
    for _ in range(n_draws):
        found = difference_of(_harmed(unit, 0.06, rng) * (unit < 6), layout)
        called += outcome_of(found.difference, found.equivalence, 0.01) == "EQUIVALENT"
    assert called <= binom.ppf(0.999, n_draws, 0.05)
