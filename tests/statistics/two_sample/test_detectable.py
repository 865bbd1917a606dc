"""The smallest value, and the smallest shift, that a test would have found."""

import itertools
import math

import numpy as np
import pytest
from tests.statistics.two_sample.naive import samples

from graft.statistics.two_sample.bandwidths import PooledRows
from graft.statistics.two_sample.detectable import POWER_QUANTILE, critical_value, detectable_shift
from graft.statistics.two_sample.two_sample import two_sample_test


@pytest.mark.parametrize("n_permutations", [19, 99, 199, 250])
def test_a_statistic_above_the_critical_value_is_significant_and_one_at_it_is_not(n_permutations: int) -> None:
    null = np.random.default_rng(0).permutation(n_permutations).astype(np.float64)
    limit = critical_value(null, 1_000)
    assert limit is not None
    above, at = ((1 + np.count_nonzero(null >= value)) / (n_permutations + 1) for value in (limit + 0.5, limit))
    assert above <= 0.05 < at


def test_too_few_permutations_have_no_critical_value() -> None:
    assert critical_value(np.zeros(18), 1_000) is None
    test = two_sample_test(*samples(20, 20, 2, 0.0), n_permutations=18, seed=0)
    assert (test.detectable_mmd2, test.detectable_shift) == (None, None)


def test_more_labellings_than_a_float_can_count_are_enough() -> None:
    assert critical_value(np.arange(99.0), math.comb(3_000, 1_500)) == 94.0


@pytest.mark.parametrize("shift", [0.0, 0.6])
def test_a_statistic_above_the_detectable_mmd2_is_significant(shift: float) -> None:
    for seed in range(10):
        test = two_sample_test(*samples(25, 25, 2, shift, seed), n_permutations=99, seed=seed)
        assert test.detectable_mmd2 is not None
        assert (test.mmd2 > test.detectable_mmd2) == (test.p_value <= 0.05)


def test_more_rows_detect_smaller_shifts() -> None:
    shifts = [
        two_sample_test(*samples(n, n, 4, 0.0), n_permutations=99, seed=0).detectable_shift for n in (20, 80, 320)
    ]
    assert None not in shifts
    ratios = np.array(shifts[:-1], dtype=float) / np.array(shifts[1:], dtype=float)
    np.testing.assert_allclose(ratios, 2, atol=0.5)  # by the square root of n


@pytest.mark.parametrize(("n", "possible"), [(3, False), (4, True)])
def test_three_rows_per_side_are_too_few_for_any_shift(n: int, possible: bool) -> None:
    test = two_sample_test(*samples(n, n, 4, 50.0), n_permutations=999, seed=0)
    assert (test.p_value <= 0.05) == possible
    assert (test.detectable_mmd2 is not None) == possible
    assert (test.detectable_shift is not None) == possible


def test_at_the_detectable_shift_the_power_is_that_of_units_of_either_side() -> None:
    """Rows of a skewed distribution: those of the sample that is moved vary otherwise than those of the other."""
    x = np.random.default_rng(0).exponential(size=(60, 2)) ** 2
    x -= x.mean(axis=0)
    bandwidth2, critical, deviation = 4.0, 0.02, 0.005
    sample = PooledRows(np.zeros(2), x, np.arange(60))
    found = detectable_shift(sample, np.array([bandwidth2]), np.array([critical]), np.array([deviation]), (15, 400))
    assert found is not None
    gain = np.zeros((60, 60))
    for i, j in itertools.permutations(range(60), 2):
        apart, moved = x[i] - x[j], x[i] - (x[j] + found * x.std(axis=0))
        gain[i, j] = np.exp(-apart @ apart / bandwidth2) - np.exp(-moved @ moved / bandwidth2)
    source, target = gain.sum(axis=1) / 59, gain.sum(axis=0) / 59
    assert source.var() / target.var() > 1.5 or target.var() / source.var() > 1.5
    error = np.sqrt(deviation**2 + 4 * source.var() / 15 + 4 * target.var() / 400)
    assert 2 * gain.sum() / (60 * 59) - POWER_QUANTILE * error == pytest.approx(critical, rel=0.01)
