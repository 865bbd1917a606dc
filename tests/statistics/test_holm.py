"""Holm's correction, against closed testing."""

import itertools
import math

import numpy as np
import pytest

from graft.statistics.holm import holm


@pytest.mark.parametrize("seed", range(5))
def test_holm_agrees_with_closed_testing_by_bonferroni(seed: int) -> None:
    p = np.random.default_rng(seed).random(6) ** 3
    subsets = [s for k in range(1, 7) for s in itertools.combinations(range(6), k)]
    expected = [max(min(1.0, len(s) * p[list(s)].min()) for s in subsets if i in s) for i in range(6)]
    np.testing.assert_allclose(holm(list(p)), expected)


def test_holm_leaves_no_test_and_one_test_as_they_are() -> None:
    assert len(holm([])) == 0
    assert holm([0.03]).tolist() == [0.03]


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan])
def test_holm_refuses_what_is_no_p_value_and_names_its_place(bad: float) -> None:
    with pytest.raises(ValueError, match=r"^p_values, number 1: want 0 to 1, got .+\. Leave"):
        holm([0.5, bad])
