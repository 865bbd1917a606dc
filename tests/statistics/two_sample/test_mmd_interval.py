"""The interval of the squared MMD: naive loops, known shifts, and how often it holds the truth."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom
from tests.statistics.two_sample.naive import naive_mmd2

from graft.statistics.two_sample import mmd_interval as module
from graft.statistics.two_sample.mmd_interval import (
    FEWEST_UNITS,
    MmdInterval,
    Units,
    fitting_range,
    mmd2_interval,
    steepest_odd_part,
)

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator], tuple[Floats, Floats]]
N, D = 200, 64


def _judge(source: Floats, target: Floats, bandwidth2: float = 6.0, seed: int = 0) -> MmdInterval:
    found = mmd2_interval(source, target, bandwidth2=bandwidth2, confidence=0.95, seed=seed)
    assert found is not None
    return found


def test_the_estimate_is_that_of_a_double_loop() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(14, 3)), rng.normal(size=(11, 3)) + 0.7
    expected = naive_mmd2(source, target, 6.0)
    assert _judge(source, target).estimate == pytest.approx(expected, abs=1e-12)


def test_every_group_weighs_the_same_and_pairs_within_one_do_not_count() -> None:
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.append(np.arange(12), [3] * 24)), np.arange(30) // 2
    source, target = rng.normal(size=(36, 3)) + groups[0][:, None], rng.normal(size=(30, 3))
    found = mmd2_interval(source, target, bandwidth2=6.0, groups=groups, confidence=0.95, seed=0)
    assert found is not None
    assert found.estimate == pytest.approx(naive_mmd2(source, target, 6.0, groups), abs=1e-12)


@pytest.mark.parametrize("most_units", [500, 12])
def test_groups_of_copies_give_the_interval_of_one_row_of_each(
    most_units: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_UNITS", most_units)
    rng = np.random.default_rng(0)
    sides = rng.normal(size=(30, 3)), rng.normal(size=(20, 3)) + 0.7
    copies = [np.repeat(np.arange(len(each)), rng.integers(1, 30, len(each))) for each in sides]
    found = mmd2_interval(
        *(side[each] for side, each in zip(sides, copies, strict=True)),
        bandwidth2=6.0,
        groups=(copies[0], copies[1]),
        confidence=0.95,
        seed=0,
    )
    assert found is not None
    np.testing.assert_allclose(found, _judge(*sides), rtol=1e-9)


def test_bins_give_nearly_what_rows_give(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(480, 8)), rng.normal(size=(400, 8)) + 0.2
    rows = _judge(source, target, 16.0)
    monkeypatch.setattr(module, "MOST_UNITS", 200)
    bins = _judge(source, target, 16.0)
    assert bins.estimate != rows.estimate
    np.testing.assert_allclose(bins, rows, atol=0.2 * (rows.high - rows.low))


def test_the_odd_part_goes_along_the_first_singular_direction() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(20, 5)) * (4, 2, 1, 1, 1)  # sums of a linear kernel over units of one row
    signs = rng.choice([-1.0, 1.0], (20, 7))
    odd = steepest_odd_part(Units(features @ features.T, np.ones(20), 12), signs)
    means = np.repeat([features[:12].mean(axis=0), features[12:].mean(axis=0)], [12, 8], axis=0)
    weighted = (features - means) / np.repeat([12, -8], [12, 8])[:, None]
    left, size, _ = np.linalg.svd(weighted)
    np.testing.assert_allclose(np.abs(odd), np.abs(2 * size[0] * left[:, 0] @ signs), rtol=1e-9)


@pytest.mark.parametrize("whole", [-0.3, 0.0, 0.2, 0.8])
def test_the_interval_holds_what_a_search_over_a_grid_finds(whole: float) -> None:
    rng = np.random.default_rng(0)
    even, odd = 0.1 * (rng.normal(size=400) ** 2 - 1), 0.3 * rng.normal(size=400)
    grid = np.linspace(-1, 2, 3001)
    spread = even + np.sqrt(np.maximum(grid, 0))[:, None] * odd
    low, high = np.quantile(spread, (0.05, 0.95), axis=1)
    fits = grid[(whole - grid >= low) & (whole - grid <= high)]
    np.testing.assert_allclose(fitting_range(whole, even, odd, 0.9), (fits[0], fits[-1]), atol=1.1e-3)


def _truth(bandwidth2: float, scale: Floats, shift: Floats) -> float:
    """Squared MMD between N(0, diag(scale^2)) and the same moved by shift."""
    level = np.prod(1 / np.sqrt(1 + 4 * scale**2 / bandwidth2))
    return float(2 * level * (1 - np.exp(-np.sum(shift**2 / (bandwidth2 + 4 * scale**2)))))


def _misses(draws: int, scale: Floats, shift: Floats, copies: int = 1) -> tuple[int, list[MmdInterval], float]:
    """Intervals that leave out the truth, in Gaussian draws of N rows a side of which `copies` are one group."""
    bandwidth2 = 2 * float(np.sum(scale**2))
    truth, found = _truth(bandwidth2, scale, shift), []
    groups = None if copies == 1 else (np.arange(N) // copies, np.arange(N) // copies)
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        sides = [np.repeat(rng.normal(size=(N // copies, len(scale))), copies, axis=0) * scale for _ in range(2)]
        each = mmd2_interval(
            sides[0], sides[1] + shift, bandwidth2=bandwidth2, groups=groups, confidence=0.95, seed=seed
        )
        assert each is not None
        found.append(each)
    return sum(not each.low <= truth <= each.high for each in found), found, truth


@pytest.mark.simulation
@pytest.mark.parametrize("copies", [1, 4])
def test_with_no_shift_the_interval_holds_zero(copies: int) -> None:
    missed, found, _ = _misses(200, np.ones(D), np.zeros(D), copies)
    assert missed <= binom.ppf(0.999, 200, 0.05)
    # and says that the shift is small: of 200 rows and groups of 4, at most 0.15 and 0.3 sd in every feature
    most = _truth(2.0 * D, np.ones(D), np.full(D, 0.15 * np.sqrt(copies)))
    assert np.mean([each.high < most for each in found]) > 0.95


@pytest.mark.simulation
@pytest.mark.parametrize("copies", [1, 4])
def test_with_a_shift_of_a_tenth_of_a_deviation_the_interval_holds_it(copies: int) -> None:
    missed, found, truth = _misses(200, np.ones(D), np.full(D, 0.1), copies)
    assert missed <= binom.ppf(0.999, 200, 0.05)
    if copies == 1:
        assert np.mean([each.low > 0 for each in found]) > 0.6
        assert np.median([each.high for each in found]) < 2.5 * truth


@pytest.mark.simulation
def test_the_interval_holds_a_small_shift_along_the_widest_direction() -> None:
    wide = np.where(np.arange(D) == 0, 5.0, 1.0)
    missed, _, _ = _misses(200, wide, np.where(np.arange(D) == 0, 5 * 0.2, 0.0))
    assert missed <= binom.ppf(0.999, 200, 0.05)  # halves alone leave out more than one in six


def test_halves_raise_the_lower_end_where_a_large_shift_is_not_along_the_widest_direction() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(2, 200, 8)) * np.where(np.arange(8) == 0, 5.0, 1.0)
    found = _judge(source, target + np.where(np.arange(8) == 1, 2.0, 0.0), 66.0)
    assert found.estimate - found.low < 0.5 * (found.high - found.estimate)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_two_samples_of_few_rows_have_a_wide_interval(shift: float) -> None:
    rng = np.random.default_rng(0)
    rows, target = rng.normal(size=(2, 400, 5))
    many, few = _judge(rows, target + shift, 10.0), _judge(rows[:20], target[:20] + shift, 10.0)
    assert few.low < many.low < many.estimate < many.high < few.high


def test_too_few_rows_or_groups_give_no_interval() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 2))
    few = (np.arange(40), np.arange(40) % (FEWEST_UNITS - 1))
    assert mmd2_interval(rows, rows[:9], bandwidth2=1.0, confidence=0.95, seed=0) is None
    assert mmd2_interval(rows, rows, bandwidth2=1.0, groups=few, confidence=0.95, seed=0) is None


def test_the_interval_ends_at_the_largest_squared_mmd() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(2, 12, 2)) * 0.3
    found = _judge(source, target + 90, 6.0)
    assert found.low < found.estimate < found.high <= 2


def test_the_same_seed_gives_the_same_interval() -> None:
    source, target = np.random.default_rng(0).normal(size=(2, 30, 4))
    assert _judge(source, target, seed=1) == _judge(source, target, seed=1)
    assert _judge(source, target, seed=1) != _judge(source, target, seed=2)


def test_groups_of_another_length_are_refused() -> None:
    rows = np.zeros((20, 2))
    with pytest.raises(ValueError, match=r"^groups of target: want a name for each of 20 rows, got \(19,\)\. Give"):
        mmd2_interval(rows, rows, bandwidth2=1.0, groups=(np.arange(20), np.arange(19)), confidence=0.95, seed=0)


@pytest.mark.parametrize("bandwidth2", [0.0, -1.0, float("nan")])
def test_a_bandwidth_that_is_not_above_zero_is_refused(bandwidth2: float) -> None:
    with pytest.raises(ValueError, match=r"^bandwidth2: want a number above 0, got .+\. Take"):
        mmd2_interval(np.zeros((20, 2)), np.zeros((20, 2)), bandwidth2=bandwidth2, confidence=0.95, seed=0)
