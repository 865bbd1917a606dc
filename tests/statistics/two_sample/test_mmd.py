"""Squared MMD at one bandwidth."""

import numpy as np
import pytest
from tests.statistics.two_sample.naive import naive_mmd2, samples

from graft.statistics.two_sample.mmd import mmd2_unbiased


def test_agrees_with_a_double_loop() -> None:
    source, target = samples(7, 5, 3, 0.7)
    assert mmd2_unbiased(source, target, 2.5) == pytest.approx(naive_mmd2(source, target, 2.5), abs=1e-12)


def test_every_group_weighs_the_same_whatever_its_size() -> None:
    source, target = samples(9, 7, 3, 0.7)
    groups = np.array([1, 0, 1, 1, 2, 1, 0, 1, 1]), np.array([5, 5, 5, 5, 3, 5, 4])
    expected = naive_mmd2(source, target, 2.5, groups)
    assert mmd2_unbiased(source, target, 2.5, groups) == pytest.approx(expected, abs=1e-12)


def test_negative_values_are_not_clipped() -> None:
    rows = samples(10, 2, 3, 0.0)[0]
    assert mmd2_unbiased(rows, rows, 5.0) < 0


@pytest.mark.parametrize("few", [0, 1])
def test_few_rows_against_many_lose_no_digits(few: int) -> None:
    sides = samples(250, 2, 3, 0.4)
    source, target = sides if few else sides[::-1]
    assert mmd2_unbiased(source, target, 4.0) == pytest.approx(naive_mmd2(source, target, 4.0), abs=1e-12)


@pytest.mark.parametrize("bandwidth2", [0.0, -1.0, float("nan")])
def test_a_bandwidth_that_is_not_above_zero_is_an_error(bandwidth2: float) -> None:
    with pytest.raises(ValueError, match="bandwidth2: want a number above 0"):
        mmd2_unbiased(*samples(5, 5, 2, 0.0), bandwidth2)


def test_a_sample_of_one_row_is_an_error() -> None:
    with pytest.raises(ValueError, match="target: want at least 2 rows"):
        mmd2_unbiased(*samples(5, 1, 2, 0.0), 1.0)
