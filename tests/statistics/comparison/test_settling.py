"""The numbers that would settle a comparison, against the interval computed one number at a time."""

import numpy as np
import pytest

from graft.statistics.comparison.crossed import CrossedMean, Variances, difference_half_width, half_width
from graft.statistics.comparison.settling import (
    MANY_SEEDS,
    is_settled,
    seeds_to_settle,
    together_to_settle,
    units_to_settle,
)


def mean_of(estimate: float, variances: Variances, k: int = 5, u: int = 100) -> CrossedMean:
    half = float(half_width(variances, np.array(k), np.array(u), 0.95))
    return CrossedMean(estimate, estimate - half, estimate + half, half / 2, 9.0, variances, k, u)


def settles(mean: CrossedMean, k: int, u: int, margin: float) -> bool:
    half = difference_half_width(mean.variances, np.array(k), np.array(u), 0.95)
    return bool(is_settled(mean.estimate, half, margin))


@pytest.mark.parametrize(
    ("estimate", "margin"), [(0.03, 0.005), (0.05, 0.005), (0.001, 0.035)], ids=["off 0", "soon", "inside"]
)
def test_seeds_are_the_fewest_that_settle(estimate: float, margin: float) -> None:
    mean = mean_of(estimate, Variances(0.003, 0.001, 0.1))
    seeds = seeds_to_settle(mean, 0.95, margin)
    assert seeds is not None
    assert 5 < seeds < 1000
    assert settles(mean, seeds, 100, margin)
    assert not any(settles(mean, k, 100, margin) for k in range(5, seeds))


@pytest.mark.parametrize("more", [1, 2])
def test_one_more_seed_may_be_enough(more: int) -> None:
    variances = Variances(0.003, 0.001, 0.1)
    half = difference_half_width(variances, np.array(5 + more), np.array(100), 0.95)
    assert seeds_to_settle(mean_of(float(half) * 1.001, variances), 0.95, 0.0) == 5 + more


def test_an_interval_up_to_the_margin_is_inside_it_and_one_that_ends_at_zero_open() -> None:
    halves = np.array([0.25, 0.375, 0.5])
    assert is_settled(0.25, halves, 0.5).tolist() == [True, False, False]
    assert is_settled(-0.25, halves, 0.125).tolist() == [False, False, False]
    assert is_settled(0.375, halves, 0.125).tolist() == [True, False, False]


@pytest.mark.parametrize(("estimate", "margin"), [(0.01, 0.005), (0.04, 0.005), (0.0, 0.02)])
def test_units_are_the_fewest_that_settle(estimate: float, margin: float) -> None:
    mean = mean_of(estimate, Variances(0.00002, 0.05, 0.1))
    units = units_to_settle(mean, 0.95, margin, 20_000)
    assert units is not None
    assert 100 < units < 20_000
    assert settles(mean, 5, units, margin)
    assert not any(settles(mean, 5, u, margin) for u in range(100, units))


def test_numbers_out_of_reach_are_none() -> None:
    of_seeds = mean_of(0.001, Variances(0.01, 0.0, 0.1))
    assert units_to_settle(of_seeds, 0.95, 0.0005, 1_000_000) is None  # the seeds' own spread remains
    of_units = mean_of(0.001, Variances(0.0, 0.5, 0.1))
    assert seeds_to_settle(of_units, 0.95, 0.0005) is None


def test_together_they_are_the_fewest_units_that_settle_with_many_seeds() -> None:
    mean = mean_of(0.0087, Variances(0.00043, 0.092, 0.171), k=8, u=646)
    assert seeds_to_settle(mean, 0.95, 0.005) is None
    assert units_to_settle(mean, 0.95, 0.005, 1_000_000) is None
    found = together_to_settle(mean, 0.95, 0.005, 1_000_000)
    assert found is not None
    seeds, units = found
    assert seeds == MANY_SEEDS
    assert settles(mean, seeds, units, 0.005)
    assert not settles(mean, seeds, units - 1, 0.005)


def test_more_seeds_than_many_stay_as_they_are() -> None:
    found = together_to_settle(mean_of(0.01, Variances(0.0001, 0.1, 0.1), k=80), 0.95, 0.005, 1_000_000)
    assert found is not None
    assert found[0] == 80


def test_without_room_for_more_units_the_number_is_none() -> None:
    assert units_to_settle(mean_of(0.01, Variances(0.0, 0.5, 0.1)), 0.95, 0.005, 100) is None
