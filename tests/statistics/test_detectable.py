"""The smallest value, and the smallest shift, that a test would have found."""

import math

import numpy as np
import pytest
from tests.statistics.naive import samples

from graft.statistics.detectable import critical_value
from graft.statistics.two_sample import two_sample_test


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
def test_significance_is_passing_the_detectable_mmd2(shift: float) -> None:
    for seed in range(10):
        test = two_sample_test(*samples(25, 25, 2, shift, seed), n_permutations=99, seed=seed)
        assert test.detectable_mmd2 is not None
        assert (test.mmd2 > test.detectable_mmd2) == (test.p_value <= 0.05)


def test_more_rows_see_smaller_shifts() -> None:
    shifts = [
        two_sample_test(*samples(n, n, 4, 0.0), n_permutations=99, seed=0).detectable_shift for n in (20, 80, 320)
    ]
    assert None not in shifts
    ratios = np.array(shifts[:-1], dtype=float) / np.array(shifts[1:], dtype=float)
    np.testing.assert_allclose(ratios, 2, atol=0.5)  # by the square root of n


@pytest.mark.parametrize(("n", "possible"), [(3, False), (4, True)])
def test_three_rows_a_side_are_too_few_for_any_shift(n: int, possible: bool) -> None:
    test = two_sample_test(*samples(n, n, 4, 50.0), n_permutations=999, seed=0)
    assert (test.p_value <= 0.05) == possible
    assert (test.detectable_mmd2 is not None) == possible
    assert (test.detectable_shift is not None) == possible
