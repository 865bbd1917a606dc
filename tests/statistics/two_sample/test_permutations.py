"""Bins of units, labellings, and their statistics."""

import numpy as np
import pytest
from tests.statistics.two_sample.naive import Ints

from graft.statistics.two_sample import permutations
from graft.statistics.two_sample.kernels import bin_sums
from graft.statistics.two_sample.permutations import (
    counts_by_side,
    form_bins,
    labellings,
    mmd2_of_labellings,
    row_weights,
    standardised,
    units_a_bin,
)


def bins_of(n: int, m: int, groups: Ints | None = None, seed: int = 0) -> permutations.Bins:
    keys = np.random.default_rng(9).integers(-(2**62), 2**62, n + m)
    return form_bins(keys, np.arange(n + m) if groups is None else groups, n, np.random.default_rng(seed))


@pytest.mark.parametrize("sizes", [(500, 500), (10, 990), (2, 2)])
def test_up_to_a_thousand_units_each_is_a_bin(sizes: tuple[int, int]) -> None:
    bins = bins_of(*sizes)
    assert (bins.units, bins.complete, counts_by_side(bins)) == (1, True, (sizes, sizes))


@pytest.mark.parametrize("n", [5, 8, 30, 300, 501, 999, 2_000, 10_007, 50_000])
@pytest.mark.parametrize("m", [996, 1_999, 20_011, 50_000])
def test_the_smaller_side_keeps_its_rows_and_has_enough_bins(n: int, m: int) -> None:
    (ours, theirs), (rows, others) = counts_by_side(bins_of(n, m))
    small, large, kept, n_bins = (n, m, rows, ours) if n <= m else (m, n, others, theirs)
    assert kept >= 0.95 * small
    assert n_bins >= min(permutations.LEAST_BINS, small)
    assert 330 <= ours + theirs <= 1_000
    wide = rows // ours
    assert (rows, others) == (ours * wide, theirs * wide)
    if small >= large / 25:
        assert rows + others > 0.97 * (n + m)  # the larger side is cut only where the sides differ much


@pytest.mark.parametrize("sizes", [(35, 3_000), (3_000, 35), (63, 50_000), (3, 998)])
def test_few_rows_against_many_are_permuted_row_by_row(sizes: tuple[int, int]) -> None:
    bins, few = bins_of(*sizes), min(sizes)
    used = (few, 1_000 - few) if sizes[0] == few else (1_000 - few, few)
    assert (bins.units, bins.complete, counts_by_side(bins)) == (1, False, (used, used))


def test_near_equal_sides_fill_about_512_bins() -> None:
    assert [units_a_bin(n, n) for n in (500, 501, 2_000, 10_000, 50_000)] == [1, 2, 8, 40, 196]


def test_bins_have_equally_many_whole_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permutations, "EXACT", 30)
    monkeypatch.setattr(permutations, "BINS", 30)
    monkeypatch.setattr(permutations, "LEAST_BINS", 8)
    groups = np.repeat(np.arange(100), np.random.default_rng(0).integers(1, 5, 100))
    n = int(np.searchsorted(groups, 60))
    bins = bins_of(n, len(groups) - n, groups)
    assert bins.units == 4
    assert bins.n_marked == 10  # of the 40 groups of the target
    for start, stop in zip(bins.edges[:-1], bins.edges[1:], strict=True):
        members = np.unique(groups[bins.order[start:stop]])
        assert len(members) == 4
        assert np.isin(groups, members).sum() == stop - start
        assert len({row < n for row in bins.order[start:stop]}) == 1


def test_rows_of_one_group_are_consecutive() -> None:
    groups = np.array([0, 1, 0, 1, 2, 3, 2, 4])
    bins = bins_of(4, 4, groups)
    assert (np.diff(bins.groups) >= 0).all()
    assert len(set(zip(bins.groups.tolist(), groups[bins.order].tolist(), strict=True))) == 5


def test_the_numbers_of_groups_do_not_matter_even_where_their_keys_have_the_same_sum() -> None:
    rng = np.random.default_rng(0)
    keys = np.repeat(rng.integers(1, 2**30, 40), 2) * np.tile([1, -1], 40)
    numbers = np.repeat(np.arange(40), 2)
    others = np.concatenate([rng.permutation(20), 20 + rng.permutation(20)])[numbers]
    one, other = (form_bins(keys, each, 40, np.random.default_rng(1)).order for each in (numbers, others))
    np.testing.assert_array_equal(one, other)


def test_the_seed_shuffles_which_rows_share_a_bin() -> None:
    one, again, other = (bins_of(2_000, 1_500, seed=seed).order for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.mean(one[: len(other)] == other[: len(one)]) < 0.01


def test_which_rows_share_a_bin_depends_neither_on_their_order_nor_on_their_key() -> None:
    bins = bins_of(2_000, 1_500)
    keys = np.random.default_rng(9).integers(-(2**62), 2**62, 3_500)
    for of_row in (np.arange(3_500), keys.argsort().argsort()):
        within = of_row[bins.order[: bins.edges[bins.n_marked]]]
        neighbours = np.corrcoef(within[:-1], within[1:])[0, 1]
        assert abs(neighbours) < 0.1


def test_labellings_begin_with_the_observed_one_and_mark_equally_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permutations, "BLOCK", 40)
    blocks = list(labellings(6, 20, 99, np.random.default_rng(0)))
    assert [len(each) for each in blocks] == [40, 40, 20]
    drawn = np.concatenate(blocks)
    np.testing.assert_array_equal(drawn[0], np.arange(20) < 6)
    assert (drawn.sum(axis=1) == 6).all()
    assert len(np.unique(drawn, axis=0)) == 100
    np.testing.assert_allclose(drawn[1:].mean(axis=0), 0.3, atol=0.16)


def test_statistics_are_standardised_over_all_labellings() -> None:
    statistics = np.array([[5.0, 1.0, 3.0, 7.0]])
    units, mean, deviation = standardised(statistics, np.ones((1, 2, 2)), 2)
    assert (mean[0], deviation[0]) == (4.0, np.sqrt(5.0))
    np.testing.assert_allclose(units[0], np.array([1.0, -3.0, -1.0, 3.0]) / np.sqrt(5.0))


def test_a_spread_that_is_rounding_counts_as_none() -> None:
    statistics = np.array([[1e-17, 2e-17, 0.0]])
    units, _, deviation = standardised(statistics, np.ones((1, 2, 2)), 2)
    assert not units.any()
    assert deviation[0] == 0


def test_an_even_kernel_gives_every_labelling_zero() -> None:
    bins = bins_of(12, 12, np.repeat(np.arange(12), np.tile([1, 2, 3], 4)))
    sums = bin_sums(np.zeros((24, 1)), bins.groups, bins.edges, (1.0,), row_weights(bins))
    drawn = next(labellings(bins.n_marked, 12, 50, np.random.default_rng(0)))
    np.testing.assert_allclose(mmd2_of_labellings(sums, bins, drawn), 0, atol=1e-12)


def test_the_weights_of_the_rows_of_a_unit_sum_to_one() -> None:
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(10), np.arange(1, 11)))
    groups[:30] += 10
    bins = bins_of(30, 25, groups)
    np.testing.assert_allclose(np.bincount(bins.groups, weights=row_weights(bins)), 1)


@pytest.mark.parametrize(("n", "m", "different"), [(3, 3, 10), (2, 3, 10), (4, 1, 5), (2, 2, 3)])
def test_a_labelling_and_its_mirror_count_once(n: int, m: int, different: int) -> None:
    assert permutations.n_labellings(bins_of(n, m)) == different
