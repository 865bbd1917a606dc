"""The sign-flip test against all patterns, the bootstrap against its own definition."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, binomtest, norm

from graft.statistics.comparison import second_opinions
from graft.statistics.comparison.second_opinions import crossed_bootstrap, mcnemar_p, sign_flip_p

Floats = NDArray[np.float64]


def test_three_seeds_by_hand() -> None:
    # sums of +-1 +-2 +-4: 7, 5, 3, 1 and their negatives; observed 1 + 2 - 4 = -1, then 1 + 2 + 4 = 7, then 3
    assert sign_flip_p(np.array([1.0, 2, -4])) == 8 / 8
    assert sign_flip_p(np.array([1.0, 2, 4])) == 2 / 8
    assert sign_flip_p(np.array([1.0, -2, 4])) == 6 / 8


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_all_patterns_listed(seed: int) -> None:
    totals = 3 * np.random.default_rng(seed).integers(-12, 20, 8).astype(np.float64)
    sums = [int(np.dot(signs, totals)) for signs in itertools.product((-1, 1), repeat=8)]
    assert sign_flip_p(totals) == pytest.approx(np.mean([abs(s) >= abs(totals.sum()) for s in sums]))


@pytest.mark.parametrize("seed", range(3))
def test_totals_that_are_not_whole_are_counted_in_fine_steps(seed: int) -> None:
    totals = np.random.default_rng(seed).normal(0.5, 1, 8)
    sums = [float(np.dot(signs, totals)) for signs in itertools.product((-1, 1), repeat=8)]
    listed = np.mean([abs(s) >= abs(totals.sum()) - 1e-9 for s in sums])
    assert sign_flip_p(totals) == pytest.approx(listed, abs=2 / 2**8)


def test_the_unit_of_the_totals_does_not_count() -> None:
    totals = np.array([0.5, -0.25, 1.0, 0.75])
    assert sign_flip_p(totals) == sign_flip_p(4 * totals) == sign_flip_p(totals * 1e-3)


@pytest.mark.parametrize("scale", [1.0, 1e12, 1e300])
def test_very_large_whole_totals_are_counted_in_fine_steps(scale: float) -> None:
    totals = scale * np.array([5_000_001.0, -3_000_000, 8_000_000, 1_000_003])
    assert sign_flip_p(totals) == sign_flip_p(np.array([5.0, -3, 8, 1]))


def test_no_difference_at_all_gives_p_one() -> None:
    assert sign_flip_p(np.zeros(5)) == 1.0


def test_many_seeds_are_counted_and_not_listed() -> None:
    assert sign_flip_p(np.full(50, 7.0)) == pytest.approx(2 / 2**50)


def test_bootstrap_spreads_as_its_variance_says() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 1)) + rng.normal(size=(1, 40)) + rng.normal(size=(6, 40))
    low, high = crossed_bootstrap(values, 0.95, 4000, seed=0)
    seed_means, unit_means = values.mean(axis=1), values.mean(axis=0)
    least = np.sqrt(seed_means.var() / 6 + unit_means.var() / 40)  # the third term adds a little
    assert low < values.mean() < high
    assert 2 * 1.96 * least * 0.93 < high - low < 2 * 1.96 * least * 1.15


def test_many_units_are_not_drawn_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    widths = []

    class Recorder:
        """Draws as numpy does, and takes down among how many it draws."""

        def __init__(self, seed: int) -> None:
            self._rng = np.random.Generator(np.random.PCG64(seed))
            self.normal = self._rng.normal

        def multinomial(self, n: int, shares: Floats, size: int) -> NDArray[np.int64]:
            widths.append(len(shares))
            return self._rng.multinomial(n, shares, size=size)

    monkeypatch.setattr("numpy.random.default_rng", Recorder)
    rng = np.random.Generator(np.random.PCG64(0))
    for values in (rng.normal(size=(3, 5000)), rng.integers(-1, 2, (3, 5000)).astype(np.float64)):
        crossed_bootstrap(values, 0.95, 10, seed=0)
    # the second table has 27 different columns
    assert widths == [3, 3, 27]


def test_many_equal_units_are_drawn_by_their_number() -> None:
    values = np.zeros((4, 6000))
    values[:, 1000:1005] = 1
    low, high = crossed_bootstrap(values, 0.9, 4000, seed=0)
    assert (low * 6000, high * 6000) == pytest.approx(binom.ppf((0.05, 0.95), 6000, 5 / 6000))


def test_many_different_units_spread_as_the_normal_limit_says() -> None:
    unit = np.random.default_rng(0).exponential(size=6000)
    low, high = crossed_bootstrap(np.tile(unit, (4, 1)), 0.9, 4000, seed=0)
    want = norm.ppf((0.05, 0.95), unit.mean(), unit.std() / np.sqrt(6000))
    assert (low, high) == pytest.approx(want, abs=0.1 * unit.std() / np.sqrt(6000))


@pytest.mark.parametrize("common", [0.0, 0.3])
def test_the_normal_limit_gives_what_drawing_gives(monkeypatch: pytest.MonkeyPatch, common: float) -> None:
    rng = np.random.default_rng(1)
    values = common * rng.normal(size=(5, 1)) + rng.normal(size=(1, 1000)) + rng.normal(size=(5, 1000))
    drawn = np.array(crossed_bootstrap(values, 0.9, 4000, seed=0))
    monkeypatch.setattr(second_opinions, "MOST_COLUMNS", 10)
    limit = np.array(crossed_bootstrap(values, 0.9, 4000, seed=0))
    assert np.abs(limit - drawn).max() < 0.06 * np.ptp(drawn)
    assert np.abs(limit - drawn).max() > 0


def test_bootstrap_repeats_for_a_seed() -> None:
    values = np.random.default_rng(0).normal(size=(5, 30))
    assert crossed_bootstrap(values, 0.9, 200, seed=3) == crossed_bootstrap(values, 0.9, 200, seed=3)
    assert crossed_bootstrap(values, 0.9, 200, seed=3) != crossed_bootstrap(values, 0.9, 200, seed=4)


def test_mcnemar_is_the_binomial_test_of_the_images_on_which_the_arms_differ() -> None:
    values = np.zeros((3, 30))
    values[:, :9], values[:, 9:12] = 1, -1
    assert mcnemar_p(values) == pytest.approx(binomtest(3, 12).pvalue)
    assert mcnemar_p(-values) == mcnemar_p(values)


def test_mcnemar_counts_an_image_once_however_many_seeds_there_are() -> None:
    values = np.array([[1.0, 1, 1, 0], [1, -1, 0, 0], [1, 0, 0, 0]])  # two for a, two even
    assert mcnemar_p(values) == mcnemar_p(np.repeat(values, 4, axis=0)) == 0.5


@pytest.mark.parametrize("scale", [1e-12, 1e9])
def test_mcnemar_does_not_go_by_the_unit_of_the_scores(scale: float) -> None:
    values = np.random.default_rng(0).normal(0.2, 1, (3, 40))
    # 0.1 + 0.2 - 0.3 is not 0 in floats
    even = np.tile([[0.1], [0.2], [-0.3]], 5)
    assert mcnemar_p(scale * np.hstack([values, even])) == mcnemar_p(values) < 1


def test_mcnemar_counts_a_group_once() -> None:
    values = np.array([[1.0, 1, -1, 1, 1, -1]])
    assert mcnemar_p(values, np.array([0, 0, 0, 1, 1, 2])) == pytest.approx(binomtest(1, 3).pvalue)


def test_mcnemar_without_a_difference_is_one() -> None:
    assert mcnemar_p(np.zeros((3, 10))) == 1
