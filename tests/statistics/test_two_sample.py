"""The two-sample test against double loops, chance, and the trap of a fixed bandwidth."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from graft.statistics import two_sample
from graft.statistics.two_sample import mmd2_unbiased, pairwise_mmd2, two_sample_test

Floats = NDArray[np.float64]


def naive_mmd2(source: Floats, target: Floats, bandwidth2: float) -> float:
    def k(x: Floats, y: Floats) -> float:
        return float(np.exp(-np.sum((x - y) ** 2) / bandwidth2))

    def within(rows: Floats) -> float:
        return float(np.mean([k(x, y) for x, y in itertools.permutations(rows, 2)]))

    return within(source) + within(target) - 2 * float(np.mean([k(x, y) for x in source for y in target]))


def naive_bandwidth2(pooled: Floats) -> float:
    return float(np.median([np.sum((x - y) ** 2) for x, y in itertools.combinations(pooled, 2)]))


def samples(n: int, m: int, d: int, shift: float, seed: int = 0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d)) + shift


@pytest.mark.parametrize(("n", "m"), [(7, 5), (5, 9), (2, 2), (2, 30)])
def test_agrees_with_a_double_loop(n: int, m: int) -> None:
    source, target = samples(n, m, 3, 0.7)
    test = two_sample_test(source, target, n_permutations=9, seed=0)
    bandwidth2 = naive_bandwidth2(np.concatenate([source, target]))
    assert test.bandwidth2 == pytest.approx(bandwidth2, rel=1e-12)
    assert test.mmd2 == pytest.approx(naive_mmd2(source, target, bandwidth2), abs=1e-12)
    assert mmd2_unbiased(source, target, bandwidth2) == pytest.approx(test.mmd2, abs=1e-12)


def test_null_values_are_statistics_of_relabelled_rows() -> None:
    source, target = samples(2, 2, 2, 0.5)
    test = two_sample_test(source, target, n_permutations=200, seed=0)
    pooled = np.concatenate([source, target])
    possible = [
        naive_mmd2(pooled[list(chosen)], np.delete(pooled, chosen, axis=0), test.bandwidth2)
        for chosen in itertools.combinations(range(4), 2)
    ]
    gaps = np.abs(test.null[:, None] - np.array(possible)).min(axis=1)
    assert gaps.max() < 1e-12
    assert len(np.unique(test.null.round(9))) == 3


@pytest.mark.parametrize("seed", range(8))
def test_permutations_that_repeat_the_observed_labelling_count_as_ties(seed: int) -> None:
    source, target = samples(3, 3, 2, 30.0, seed)  # of 20 labellings the observed one and its mirror are farthest
    test = two_sample_test(source, target, n_permutations=3000, seed=0)
    assert test.p_value == pytest.approx(2 / 20, abs=0.02)  # rounding alone tells the mirror from the observed


def test_duplicate_rows_give_p_one() -> None:
    rows = np.random.default_rng(0).normal(size=(6, 40)) * 1e3 + 1e5
    flat = np.repeat(rows[:1], 6, axis=0)
    flat[0] += 1.0  # one row apart in the source and one in the target: labellings differ by rounding alone
    other = flat.copy()
    test = two_sample_test(flat, other, n_permutations=99, seed=0)
    assert test.mmd2 < 0
    assert test.p_value == 1.0


def test_pairs_agree_with_one_pair_at_a_time() -> None:
    rng = np.random.default_rng(0)
    groups = [rng.normal(size=(n, 4)) + n / 4 for n in (3, 8, 2, 5)]
    pairs = [mmd2_unbiased(a, b, 6.0) for a, b in itertools.combinations(groups, 2)]
    np.testing.assert_allclose(pairwise_mmd2(groups, 6.0), pairs, atol=1e-12)


def test_tiles_and_blocks_agree_with_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = samples(23, 31, 5, 0.3)
    whole = two_sample_test(source, target, n_permutations=99, seed=1)
    monkeypatch.setattr(two_sample, "TILE_ELEMENTS", 7 * 54)
    monkeypatch.setattr(two_sample, "BLOCK", 100)
    tiled = two_sample_test(source, target, n_permutations=99, seed=1)
    np.testing.assert_allclose(tiled.null, whole.null, atol=1e-12)
    assert tiled.mmd2 == pytest.approx(whole.mmd2, abs=1e-12)
    assert tiled.p_value == whole.p_value


def test_more_permutations_than_a_block_are_all_made() -> None:
    test = two_sample_test(*samples(12, 12, 2, 0.3), n_permutations=2500, seed=0)
    assert test.null.shape == (2500,)
    assert len(np.unique(test.null[:1000].round(12))) > 100
    assert not np.array_equal(test.null[:1000], test.null[1000:2000])
    assert np.abs(test.null - test.mmd2).min() > 1e-9  # the observed labelling stands in the first block alone


@pytest.mark.parametrize("few", ["source", "target"])
def test_a_few_rows_against_many_lose_no_digits(few: str) -> None:
    source, target = samples(2000, 2, 3, 0.4)
    if few == "source":
        source, target = target, source
    test = two_sample_test(source, target, n_permutations=1, seed=0)
    assert test.mmd2 == pytest.approx(mmd2_unbiased(source, target, test.bandwidth2), abs=2e-12)


def test_large_samples_take_the_median_over_a_subsample(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = samples(150, 90, 4, 0.2)
    exact = two_sample_test(source, target, n_permutations=1, seed=0).bandwidth2
    monkeypatch.setattr(two_sample, "BANDWIDTH_ROWS", 100)
    sampled = two_sample_test(source, target, n_permutations=1, seed=0).bandwidth2
    assert sampled != exact
    assert sampled == pytest.approx(exact, rel=0.15)


def test_statistic_does_not_depend_on_the_order_of_rows() -> None:
    source, target = samples(40, 25, 6, 0.3)
    test = two_sample_test(source, target, n_permutations=1, seed=0)
    turned = two_sample_test(source[::-1], target[::-1], n_permutations=1, seed=0)
    assert turned.mmd2 == pytest.approx(test.mmd2, abs=1e-13)


def test_statistic_does_not_depend_on_where_the_origin_lies() -> None:
    source, target = samples(40, 25, 6, 0.3)
    test = two_sample_test(source, target, n_permutations=99, seed=0)
    moved = two_sample_test(source + 1e5, target + 1e5, n_permutations=99, seed=0)
    assert moved.mmd2 == pytest.approx(test.mmd2, abs=1e-9)
    assert moved.p_value == test.p_value


def test_same_seed_gives_the_same_result_and_another_seed_another() -> None:
    source, target = samples(20, 20, 3, 0.2)
    first, again, other = (two_sample_test(source, target, seed=seed) for seed in (3, 3, 4))
    assert first.p_value == again.p_value
    np.testing.assert_array_equal(first.null, again.null)
    assert not np.array_equal(first.null, other.null)


def test_float32_features_give_the_same_as_float64() -> None:
    source, target = (each.astype(np.float32) for each in samples(20, 20, 3, 0.2))
    single = two_sample_test(source, target, seed=0)
    double = two_sample_test(source.astype(np.float64), target.astype(np.float64), seed=0)
    assert single.mmd2 == double.mmd2


def test_negative_values_are_not_clipped() -> None:
    values = [two_sample_test(*samples(20, 20, 3, 0.0, seed), n_permutations=1, seed=0).mmd2 for seed in range(40)]
    assert 10 <= sum(value < 0 for value in values) <= 35


def test_p_value_is_never_zero() -> None:
    test = two_sample_test(*samples(40, 40, 3, 9.0), n_permutations=99, seed=0)
    assert test.p_value == 1 / 100


def test_a_shift_that_a_fixed_bandwidth_cannot_see_is_seen() -> None:
    n = 50
    fixed, ours = [], []
    for shift in (0.0, 0.5):
        source, target = samples(n, n, 2048, shift)
        pooled = np.concatenate([source, target])
        distances2 = np.square(pooled).sum(axis=1)[:, None] + np.square(pooled).sum(axis=1) - 2 * pooled @ pooled.T
        kernel = np.exp(-np.maximum(distances2, 0) * (1 - np.eye(2 * n)))  # gamma = 1, diagonal kept: biased
        mmd2 = kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()
        fixed.append(np.sqrt(mmd2))
        ours.append(two_sample_test(source, target, n_permutations=199, seed=0))
    np.testing.assert_allclose(fixed, np.sqrt(2 / n), rtol=1e-9)  # whatever the shift
    assert ours[0].p_value > 0.05
    assert abs(ours[0].mmd2) < 0.01
    assert ours[1].p_value == 1 / 200
    assert ours[1].mmd2 > 0.05


def test_a_shift_of_half_a_deviation_is_seen() -> None:
    found = [
        two_sample_test(*samples(50, 50, 16, 0.5, seed), n_permutations=199, seed=seed).p_value for seed in range(20)
    ]
    assert found == [1 / 200] * 20


@pytest.mark.simulation
@pytest.mark.parametrize("rows", ["shuffled", "sorted by class"])
def test_level_is_kept(rows: str) -> None:
    n_draws = 2000
    rng = np.random.default_rng(0)

    def draw(n: int) -> Floats:
        label = rng.integers(0, 3, n)
        if rows == "sorted by class":
            label.sort()
        return rng.normal(size=(n, 3)) + 4.0 * label[:, None]

    p_values = [two_sample_test(draw(20), draw(14), n_permutations=199, seed=seed).p_value for seed in range(n_draws)]
    low, high = binom.ppf([0.0005, 0.9995], n_draws, 0.05)
    assert low <= sum(p <= 0.05 for p in p_values) <= high
    assert min(p_values) >= 1 / 200


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s, t: (s[:1], t), r"source: want at least 2 rows of features, \(n, d\), got \(1, 3\)"),
        (lambda s, t: (s, t[:0]), r"target: want at least 2 rows .* got \(0, 3\)"),
        (lambda s, t: (s, t[:, 0]), r"target: want at least 2 rows of features, \(n, d\), got \(8,\)"),
        (lambda s, t: (np.where(np.arange(9)[:, None] == 4, np.nan, s), t), "source, row 4: .* got nan"),
        (lambda s, t: (s, np.where(np.arange(8)[:, None] == 2, -np.inf, t)), "target, row 2: .* got -inf"),
        (lambda s, t: (s, t[:, :2]), "want as many features a row, got 3 and 2"),
        (lambda s, t: (s * 0 + 0.1, t * 0 + 0.1), "want features that differ"),
    ],
)
def test_bad_input_is_named(spoil: Callable[[Floats, Floats], tuple[Floats, Floats]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        two_sample_test(*spoil(*samples(9, 8, 3, 0.0)), seed=0)


def test_no_permutations_is_an_error() -> None:
    with pytest.raises(ValueError, match="n_permutations: want at least 1, got 0"):
        two_sample_test(*samples(5, 5, 2, 0.0), n_permutations=0, seed=0)


@pytest.mark.parametrize("bandwidth2", [0.0, -1.0, float("nan")])
def test_a_bandwidth_that_is_not_above_zero_is_an_error(bandwidth2: float) -> None:
    with pytest.raises(ValueError, match="bandwidth2: want a number above 0"):
        mmd2_unbiased(*samples(5, 5, 2, 0.0), bandwidth2)


def test_mostly_duplicate_rows_take_the_median_of_the_other_distances() -> None:
    source = np.array([[0.0], [0.0], [0.0], [0.0], [0.0]])
    target = np.array([[0.0], [0.0], [0.0], [3.0]])
    assert two_sample_test(source, target, n_permutations=9, seed=0).bandwidth2 == pytest.approx(9.0)
