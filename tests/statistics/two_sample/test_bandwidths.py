"""The median, and which bandwidths are kept."""

import numpy as np
import pytest
from tests.statistics.two_sample.naive import Floats, naive_median, samples

from graft.statistics.two_sample import bandwidths
from graft.statistics.two_sample.bandwidths import PooledRows, draw_pooled_rows, family, pooled_median2
from graft.statistics.two_sample.rows import row_keys
from graft.statistics.two_sample.two_sample import FAMILY, two_sample_test


def sampled(rows: Floats) -> PooledRows:
    return PooledRows(np.zeros(rows.shape[1]), rows, np.arange(len(rows)))


def test_the_median_is_that_of_all_pairs() -> None:
    rows = samples(25, 2, 3, 0.0)[0]
    assert family(sampled(rows), np.arange(25), (1.0,))[0].bandwidth2 == pytest.approx(naive_median(rows))


def test_the_pooled_median_of_two_samples_is_that_of_the_test() -> None:
    source, target = samples(25, 14, 3, 0.5)
    test = two_sample_test(source, target, n_permutations=9, seed=0, bandwidths=(1.0,))
    assert pooled_median2(source, target, 0) == pytest.approx(naive_median(np.concatenate([source, target])))
    assert pooled_median2(source, target, 1) == pytest.approx(test.bandwidth2)


def test_pairs_of_one_group_do_not_count_for_the_median() -> None:
    rows, groups = np.array([[0.0], [1.0], [5.0]]), np.array([0, 0, 1])
    found = family(PooledRows(np.zeros(1), rows, groups), groups, (1.0,))
    assert found[0].bandwidth2 == pytest.approx((16 + 25) / 2)


@pytest.mark.parametrize("n_groups", [40, 3])
def test_groups_of_copies_keep_the_bandwidths_of_one_row_of_each(n_groups: int) -> None:
    rows = samples(n_groups, 2, 2, 0.0)[0]
    groups = np.repeat(np.arange(n_groups), np.random.default_rng(0).integers(1, 12, n_groups))
    single = family(sampled(rows), np.arange(n_groups), FAMILY)
    copies = family(PooledRows(np.zeros(2), rows[groups], groups), groups, FAMILY)
    for one, other in zip(single, copies, strict=True):
        assert other.bandwidth2 == pytest.approx(one.bandwidth2)
        assert other.dropped == (one.dropped and one.dropped.replace("pairs of rows", "pairs of groups"))


def test_one_large_group_does_not_crowd_the_others_out_of_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bandwidths, "SAMPLE_ROWS", 30)
    sides = samples(300, 20, 2, 0.0)
    keys = np.concatenate([row_keys(each, "float64") for each in sides])
    groups = np.concatenate([np.zeros(300, dtype=np.int64), np.arange(1, 21)])
    sample = draw_pooled_rows(sides, keys, groups, np.random.default_rng(0))
    assert np.bincount(sample.groups).tolist() == [10] + [1] * 20


def test_mostly_duplicate_rows_take_the_median_of_the_other_distances() -> None:
    source = np.array([[0.0], [0.0], [0.0], [0.0], [0.0]])
    target = np.array([[0.0], [0.0], [0.0], [3.0]])
    test = two_sample_test(source, target, n_permutations=9, seed=0, bandwidths=(1.0,))
    assert test.bandwidth2 == pytest.approx(9.0)


def test_many_rows_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = samples(150, 90, 4, 0.2)
    exact = two_sample_test(source, target, n_permutations=1, seed=0, bandwidths=(1.0,)).bandwidth2
    monkeypatch.setattr(bandwidths, "SAMPLE_ROWS", 100)
    by_some = two_sample_test(source, target, n_permutations=1, seed=0, bandwidths=(1.0,)).bandwidth2
    assert by_some != exact
    assert by_some == pytest.approx(exact, rel=0.15)


def test_the_sample_has_either_side_by_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bandwidths, "SAMPLE_ROWS", 300)
    sides = samples(1_500, 500, 2, 0.0)
    keys = np.concatenate([row_keys(each, "float32") for each in sides])
    sample = draw_pooled_rows(sides, keys, np.arange(2_000), np.random.default_rng(0))
    assert len(np.unique(sample.groups)) == 300
    assert np.mean(sample.groups < 1_500) == pytest.approx(0.75, abs=0.08)
    np.testing.assert_allclose(sample.rows + sample.centre, np.concatenate(sides)[sample.groups])
    np.testing.assert_allclose(sample.rows.mean(axis=0), 0, atol=1e-12)


def test_the_choice_does_not_look_at_the_labels() -> None:
    rows = np.concatenate(samples(30, 30, 2, 1.0))
    choices = []
    for order in (np.arange(60), np.random.default_rng(0).permutation(60)):
        test = two_sample_test(rows[order][:30], rows[order][30:], n_permutations=9, seed=0)
        choices.append([(each.bandwidth2, each.dropped) for each in test.bandwidths])
    assert choices[0] == choices[1]


def test_effective_pairs_agree_with_the_double_sum() -> None:
    rows = samples(40, 2, 2, 0.0)[0]
    distances2 = np.square(rows[:, None] - rows).sum(axis=2)
    for each in family(sampled(rows), np.arange(40), FAMILY):
        kernel = np.exp(-distances2 / each.bandwidth2) * (1 - np.eye(40))
        effective = kernel.sum() ** 2 / np.square(kernel).sum()
        assert (each.dropped is None) == (effective >= 400)
        if each.dropped:
            assert each.dropped == f"{effective:.0f} effective pairs of rows, fewer than 400"


def test_effective_pairs_of_a_sample_stand_for_all_rows() -> None:
    rows = samples(100, 2, 2, 0.0)[0]
    of_sample = family(sampled(rows), np.arange(100), FAMILY)
    of_all = family(sampled(rows), np.arange(10_000), FAMILY)
    assert sum(each.dropped is not None for each in of_all) < sum(each.dropped is not None for each in of_sample)


def test_a_kernel_that_underflows_is_dropped_with_the_reason() -> None:
    rows = samples(60, 2, 512, 0.0)[0]
    found = family(sampled(rows), np.arange(60), FAMILY)
    assert found[0].dropped is not None
    assert found[0].dropped.startswith("the kernel underflows: at most exp(-")
    assert [each.dropped for each in found[-2:]] == [None, None]


def test_the_widest_bandwidth_is_always_kept() -> None:
    test = two_sample_test(*samples(3, 3, 4, 0.0), n_permutations=9, seed=0)
    assert [each.dropped is None for each in test.bandwidths] == [False] * 5 + [True]
