"""The two-sample test against double loops, chance, and the traps of others."""

import doctest
import itertools
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.statistics.two_sample.naive import Floats, naive_median, naive_mmd2, samples

from graft.statistics.two_sample import bandwidths, kernels, permutations, two_sample
from graft.statistics.two_sample.rows import library
from graft.statistics.two_sample.two_sample import TwoSample, two_sample_test

MEDIAN = (1.0,)


def few_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make 100 rows as many as 3,000: bins, 32 bits, tiles, and bandwidths from a part of the rows."""
    monkeypatch.setattr(permutations, "EXACT", 40)
    monkeypatch.setattr(permutations, "BINS", 32)
    monkeypatch.setattr(permutations, "LEAST_BINS", 8)
    monkeypatch.setattr(bandwidths, "SAMPLE_ROWS", 50)
    monkeypatch.setattr(kernels, "TILE_ROWS", 48)


def same(one: TwoSample, other: TwoSample) -> bool:
    none = np.zeros(0)
    equal = one._replace(null=none, seconds=0) == other._replace(null=none, seconds=0)
    return equal and np.array_equal(one.null, other.null)


def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Libraries and precisions that kernels are summed with, from now on."""
    seen = []
    sums = kernels.bin_sums

    def watch(rows: Any, *rest: Any) -> Any:
        seen.append((library(rows).__name__, str(rows.dtype).removeprefix("torch.")))
        return sums(rows, *rest)

    monkeypatch.setattr(kernels, "bin_sums", watch)
    return seen


@pytest.mark.parametrize(("n", "m"), [(7, 5), (5, 9), (2, 2), (2, 30)])
def test_agrees_with_a_double_loop(n: int, m: int) -> None:
    source, target = samples(n, m, 3, 0.7)
    test = two_sample_test(source, target, n_permutations=9, seed=0, bandwidths=MEDIAN)
    median = naive_median(np.concatenate([source, target]))
    assert test.bandwidth2 == pytest.approx(median, rel=1e-12)
    assert test.mmd2 == pytest.approx(naive_mmd2(source, target, median), abs=1e-12)


def test_every_bandwidth_has_its_own_statistic() -> None:
    source, target = samples(12, 15, 2, 0.5)
    test = two_sample_test(source, target, n_permutations=9, seed=0)
    median = naive_median(np.concatenate([source, target]))
    kept = [each for each in test.bandwidths if each.dropped is None]
    assert len(kept) >= 2
    for each in kept:
        assert each.bandwidth2 == pytest.approx(each.multiple * median)
        assert each.mmd2 == pytest.approx(naive_mmd2(source, target, each.bandwidth2), abs=1e-12)
    assert (test.mmd2, test.bandwidth2) in [(each.mmd2, each.bandwidth2) for each in kept]


def test_every_group_weighs_the_same_and_its_rows_are_not_paired() -> None:
    source, target = samples(7, 7, 2, 0.3)
    groups = np.array([0, 0, 1, 2, 2, 2, 3]), np.array([0, 1, 2, 1, 3, 1, 3])
    test = two_sample_test(source, target, n_permutations=9, seed=0, bandwidths=MEDIAN, groups=groups)
    assert test.mmd2 == pytest.approx(naive_mmd2(source, target, test.bandwidth2, groups), abs=1e-12)
    assert test.bins == (4, 4)


@pytest.mark.parametrize("binned", [False, True])
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy], ids=["arrays", "tensors"])
def test_groups_of_copies_give_the_statistics_of_one_row_of_each(
    kind: Callable[[Floats], Any], binned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "multiplies_bfloat16", lambda xp, rows: False)
    if binned:
        few_bins(monkeypatch)
    source, target = samples(72, 48, 3, 0.3)
    sides = [np.repeat(each, np.arange(len(each)) % 3 + 1, axis=0) for each in (source, target)]
    names = [np.repeat(np.arange(len(each)), np.arange(len(each)) % 3 + 1) for each in (source, target)]
    test = two_sample_test(
        kind(sides[0]), kind(sides[1]), n_permutations=99, seed=0, groups=(names[0], names[1]), bandwidths=MEDIAN
    )
    expected = naive_mmd2(source, target, test.bandwidth2)
    assert test.rows_used == (144, 96)  # thirds of one, two and three rows on both sides: none is left out
    assert test.method == ("binned" if binned else "exact")
    assert test.mmd2 == pytest.approx(expected, rel=1e-4 if binned else 1e-9)


def test_a_group_larger_than_any_of_the_other_side_keeps_one_row_of_it() -> None:
    source, target = samples(20, 40, 3, 0.3)
    test = two_sample_test(source, target, n_permutations=99, seed=0, groups=(np.arange(20), np.arange(40) // 20))
    assert (test.bins, test.rows_used, test.method) == ((20, 2), (20, 2), "exact")


def test_null_values_are_statistics_of_relabelled_groups() -> None:
    source, target = samples(4, 7, 2, 0.5)
    groups = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1, 2, 2, 2])
    test = two_sample_test(source, target, n_permutations=300, seed=0, bandwidths=MEDIAN, groups=groups)
    pooled, names = np.concatenate([source, target]), np.array([0, 0, 0, 1, 2, 3, 3, 3, 4, 4, 4])
    possible = []
    for chosen in itertools.combinations(range(5), 2):
        ours = np.isin(names, chosen)
        possible.append(naive_mmd2(pooled[ours], pooled[~ours], test.bandwidth2, (names[ours], names[~ours])))
    assert np.abs(test.null[:, None] - np.array(possible)).min(axis=1).max() < 1e-12
    assert len(np.unique(test.null.round(9))) == 10


def test_p_counts_the_null_at_or_above_the_statistic() -> None:
    for seed in range(5):
        test = two_sample_test(*samples(30, 20, 3, 0.2, seed), n_permutations=199, seed=seed)
        assert test.p_value == (1 + np.count_nonzero(test.null >= test.mmd2)) / 200


@pytest.mark.parametrize("seed", range(8))
def test_permutations_that_repeat_the_observed_labelling_count_as_ties(seed: int) -> None:
    source, target = samples(3, 3, 2, 30.0, seed)  # of 20 labellings the observed one and its mirror are farthest
    test = two_sample_test(source, target, n_permutations=3000, seed=0)
    assert test.p_value == pytest.approx(2 / 20, abs=0.02)  # rounding alone tells the mirror from the observed


def test_p_is_never_zero() -> None:
    test = two_sample_test(*samples(40, 40, 2, 50.0), n_permutations=99, seed=0)
    assert test.p_value == 1 / 100


def test_duplicate_rows_give_p_one() -> None:
    rows = np.random.default_rng(0).normal(size=(6, 40)) * 1e3 + 1e5
    flat = np.repeat(rows[:1], 6, axis=0)
    flat[0] += 1.0  # one row apart in the source and one in the target: labellings differ by rounding alone
    test = two_sample_test(flat, flat.copy(), n_permutations=99, seed=0)
    assert test.mmd2 < 0
    assert test.p_value == 1.0


def test_features_far_from_zero_keep_their_digits() -> None:
    source, target = samples(20, 20, 3, 0.5)
    test = two_sample_test(source, target, n_permutations=9, seed=0)
    moved = two_sample_test(source + 1e6, target + 1e6, n_permutations=9, seed=0)
    np.testing.assert_allclose(
        [each.mmd2 for each in moved.bandwidths if each.mmd2],
        [each.mmd2 for each in test.bandwidths if each.mmd2],
        rtol=1e-6,
    )


@pytest.mark.parametrize("binned", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_order_of_rows_does_not_matter(binned: bool, grouped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if binned:
        few_bins(monkeypatch)
    source, target = samples(80, 61, 3, 0.2)
    names = np.arange(80) // 2, np.arange(61) // 2
    rng = np.random.default_rng(1)
    one, other = rng.permutation(80), rng.permutation(61)
    came = two_sample_test(source, target, n_permutations=99, seed=3, groups=names if grouped else None)
    moved = two_sample_test(
        source[one],
        target[other],
        n_permutations=99,
        seed=3,
        groups=(names[0][one], names[1][other]) if grouped else None,
    )
    assert came.method == ("binned" if binned else "exact")
    assert same(came, moved)


def test_few_rows_against_many_are_permuted_row_by_row_in_any_order() -> None:
    source, target = samples(35, 3_000, 3, 0.2)
    rng = np.random.default_rng(1)
    came = two_sample_test(source, target, n_permutations=99, seed=3)
    moved = two_sample_test(rng.permutation(source), rng.permutation(target), n_permutations=99, seed=3)
    assert (came.method, came.bins, came.rows_used) == ("binned", (35, 965), (35, 965))
    assert same(came, moved)


def test_the_seed_determines_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    few_bins(monkeypatch)
    one, again, other = (two_sample_test(*samples(70, 61, 3, 0.2), n_permutations=99, seed=seed) for seed in (3, 3, 4))
    assert same(one, again)
    assert not np.array_equal(one.null, other.null)
    assert one.mmd2 != other.mmd2  # other rows are left out


def test_bins_agree_with_single_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = samples(200, 150, 4, 0.15)
    exact = two_sample_test(source, target, seed=0)
    few_bins(monkeypatch)
    monkeypatch.setattr(bandwidths, "SAMPLE_ROWS", 1_000)
    binned = two_sample_test(source, target, seed=0)
    assert (exact.method, exact.bins, exact.rows_used) == ("exact", (200, 150), (200, 150))
    assert (binned.method, binned.bins, binned.rows_used) == ("binned", (18, 13), (198, 143))
    assert binned.mmd2 == pytest.approx(exact.mmd2, rel=0.2)
    assert binned.p_value == pytest.approx(exact.p_value, abs=0.03)
    for one, other in zip(exact.bandwidths, binned.bandwidths, strict=True):
        assert (one.dropped is None) == (other.dropped is None)
        assert one.bandwidth2 == pytest.approx(other.bandwidth2)


def test_all_rows_in_bins_give_the_statistic_of_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    few_bins(monkeypatch)
    source, target = samples(72, 48, 3, 0.3)
    test = two_sample_test(source, target, n_permutations=9, seed=0, bandwidths=MEDIAN)
    assert test.rows_used == (72, 48)
    assert test.mmd2 == pytest.approx(naive_mmd2(source, target, test.bandwidth2), rel=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("binned", [False, True])
def test_tensors_give_what_arrays_give(dtype: Any, binned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if binned:
        few_bins(monkeypatch)
    monkeypatch.setattr(kernels, "multiplies_bfloat16", lambda xp, rows: False)
    source, target = (each.astype(dtype) for each in samples(80, 61, 5, 0.1))
    arrays = two_sample_test(source, target, n_permutations=99, seed=0)
    tensors = two_sample_test(
        torch.from_numpy(source).requires_grad_(), torch.from_numpy(target), n_permutations=99, seed=0
    )
    assert tensors.mmd2 == pytest.approx(arrays.mmd2, rel=1e-4)
    assert tensors.p_value == pytest.approx(arrays.p_value, abs=0.011)
    assert (tensors.method, tensors.bins) == (arrays.method, arrays.bins)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_what_the_cpu_gives() -> None:
    source, target = (torch.from_numpy(each) for each in samples(1_500, 1_100, 16, 0.05))
    here = two_sample_test(source, target, seed=0)
    there = two_sample_test(source.cuda(), target.cuda(), seed=0)
    assert there.mmd2 == pytest.approx(here.mmd2, rel=1e-3)
    assert there.p_value == pytest.approx(here.p_value, abs=0.01)


def test_very_large_arrays_are_computed_by_torch_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    few_bins(monkeypatch)
    source, target = samples(90, 80, 5, 0.1)
    by_numpy = two_sample_test(source, target, n_permutations=99, seed=0)
    monkeypatch.setattr(kernels, "TORCH_PAYS", 0)
    monkeypatch.setattr(kernels, "multiplies_bfloat16", lambda xp, rows: False)
    seen = watched(monkeypatch)
    by_torch = two_sample_test(source, target, n_permutations=99, seed=0)
    assert set(seen) == {("torch", "float32")}
    assert by_torch.mmd2 == pytest.approx(by_numpy.mmd2, rel=1e-4)
    assert by_torch.p_value == pytest.approx(by_numpy.p_value, abs=0.011)


def test_very_large_arrays_need_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from graft.statistics.two_sample import kernels\n"
        "from graft.statistics.two_sample.two_sample import two_sample_test\n"
        "kernels.TORCH_PAYS = 0\n"
        "rows = np.random.default_rng(0).normal(size=(1200, 4))\n"
        "print(two_sample_test(rows[:500], rows[500:], n_permutations=9, seed=0).method)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "binned"


@pytest.mark.parametrize(("multiples", "rough"), [((1.0, 4.0), True), ((0.25,), True), ((0.125, 1.0), False)])
def test_bfloat16_is_used_for_wide_bandwidths_only(
    multiples: tuple[float, ...], rough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    few_bins(monkeypatch)
    monkeypatch.setattr(kernels, "multiplies_bfloat16", lambda xp, rows: True)
    seen = watched(monkeypatch)
    source, target = (torch.from_numpy(each) for each in samples(90, 80, 16, 0.05))
    test = two_sample_test(source, target, n_permutations=99, seed=0, bandwidths=multiples)
    assert seen[-1] == ("torch", "bfloat16" if rough else "float32")
    monkeypatch.setattr(kernels, "multiplies_bfloat16", lambda xp, rows: False)
    fine = two_sample_test(source, target, n_permutations=99, seed=0, bandwidths=multiples)
    assert test.p_value == pytest.approx(fine.p_value, abs=0.021)


def test_bfloat16_is_not_used_where_its_effect_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    few_bins(monkeypatch)
    monkeypatch.setattr(kernels, "multiplies_bfloat16", lambda xp, rows: True)
    seen = watched(monkeypatch)
    rows = torch.from_numpy(samples(90, 80, 3, 0.0)[0])
    two_sample_test(rows[:45], rows[45:], n_permutations=10**6, seed=0, bandwidths=(0.25,))
    assert seen[-1] == ("torch", "float32")


def test_a_shift_that_a_fixed_bandwidth_misses_is_found() -> None:
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
    assert ours[1].detectable_mmd2 is not None
    assert ours[1].mmd2 > 10 * ours[1].detectable_mmd2


def test_the_null_distribution_comes_as_even_quantiles_from_smallest_to_largest() -> None:
    test = two_sample_test(*samples(12, 9, 3, 0.0), n_permutations=300, seed=0)
    assert test.n_permutations == 300
    assert len(test.null_mmd2) == 101
    assert (test.null_mmd2[0], test.null_mmd2[-1]) == (test.null.min(), test.null.max())
    assert test.null_mmd2[50] == pytest.approx(np.median(test.null))


def test_the_example_of_the_docstring_runs() -> None:
    assert doctest.testmod(two_sample) == (0, 4)


Spoil = Callable[[Floats, Floats], tuple[NDArray[Any], NDArray[Any]]]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s, t: (s[:1], t), r"source: want at least 2 rows of features, \(n, d\), got \(1, 3\)"),
        (lambda s, t: (s, t[:0]), r"target: want at least 2 rows .* got \(0, 3\)"),
        (lambda s, t: (s, t[:, 0]), r"target: want at least 2 rows of features, \(n, d\), got \(8,\)"),
        (lambda s, t: (np.where(np.arange(9)[:, None] == 4, np.nan, s), t), "source, row 4: .* got nan"),
        (lambda s, t: (s, np.where(np.arange(8)[:, None] == 2, -np.inf, t)), "target, row 2: .* got -inf"),
        (lambda s, t: (s, t[:, :2]), "want the same number of features in every row, got 3 and 2"),
        (lambda s, t: (s * 0 + 0.1, t * 0 + 0.1), "want features that differ"),
        (lambda s, t: (s, torch.from_numpy(t)), "got an array and a tensor on cpu"),
        (lambda s, t: (s * 1e200, t), "want features whose squared distances are numbers"),
    ],
)
@pytest.mark.parametrize("as_tensors", [False, True])
def test_bad_input_is_named(spoil: Spoil, message: str, as_tensors: bool) -> None:
    spoilt = spoil(*samples(9, 8, 3, 0.0))
    if as_tensors and isinstance(spoilt[1], np.ndarray):
        spoilt = torch.from_numpy(spoilt[0]), torch.from_numpy(spoilt[1])  # type: ignore[assignment]
    with pytest.raises(ValueError, match=message):
        two_sample_test(*spoilt, seed=0)


def test_groups_of_another_length_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"groups of target: want a name for each of 5 rows, got \(4,\)"):
        two_sample_test(*samples(5, 5, 2, 0.0), seed=0, groups=(np.arange(5), np.arange(4)))


def test_one_group_per_side_is_an_error() -> None:
    with pytest.raises(ValueError, match="groups of source: want at least 2 groups, got 1"):
        two_sample_test(*samples(5, 5, 2, 0.0), seed=0, groups=(np.zeros(5), np.arange(5)))


def test_no_permutations_is_an_error() -> None:
    with pytest.raises(ValueError, match="n_permutations: want at least 1, got 0"):
        two_sample_test(*samples(5, 5, 2, 0.0), n_permutations=0, seed=0)


@pytest.mark.parametrize("multiples", [(), (1.0, 0.0), (-1.0,), (float("nan"),), (float("inf"),)])
def test_a_bandwidth_that_is_not_above_zero_is_an_error(multiples: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="bandwidths: want multiples of the median above 0"):
        two_sample_test(*samples(5, 5, 2, 0.0), seed=0, bandwidths=multiples)
