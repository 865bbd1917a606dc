"""Rows that come in groups: draws and folds that keep groups whole."""

import numpy as np
import pytest
from numpy.typing import NDArray

from graft.statistics.groups import dealt_folds, drawn_rows, group_sizes, grouped_folds, turns_in, unseen_share

Ints = NDArray[np.int64]


def test_groups_are_counted_and_numbered_in_the_order_of_their_names() -> None:
    sizes, unit = group_sizes(np.array(["b", "a", "b", "c", "b"]))
    assert sizes.tolist() == [1, 3, 1]
    assert unit.tolist() == [1, 0, 1, 2, 1]


def test_a_turn_counts_the_rows_of_the_same_group_that_come_before() -> None:
    place, groups = np.array([3, 0, 2, 1]), np.array(["a", "a", "b", "a"])
    assert turns_in(place, groups).tolist() == [2, 0, 0, 1]


def sizes_drawn(groups: Ints, most: int) -> list[int]:
    counts: list[int] = np.bincount(groups[drawn_rows(groups, most, np.random.default_rng(0))], minlength=4).tolist()
    return counts


def test_a_large_group_does_not_crowd_out_the_others() -> None:
    groups = np.repeat(np.arange(4), [100, 2, 1, 5])
    assert sizes_drawn(groups, 4) == [1, 1, 1, 1]
    assert sizes_drawn(groups, 12) == [5, 2, 1, 4]
    assert sizes_drawn(groups, 108) == [100, 2, 1, 5]


def test_dealt_folds_keep_groups_whole_and_spread_each_class_evenly() -> None:
    rng = np.random.default_rng(0)
    unit = rng.permutation(np.repeat(np.arange(40), 3))
    classes = unit % 2
    fold = dealt_folds(unit, (classes,), 5, rng)
    for group in range(40):
        assert len(set(fold[unit == group])) == 1
    for each in (0, 1):
        assert np.bincount(fold[classes == each]).tolist() == [3 * 4] * 5


def test_dealt_folds_are_drawn() -> None:
    unit = np.arange(40)
    one, two = (dealt_folds(unit, (unit % 2,), 5, np.random.default_rng(seed)) for seed in (0, 1))
    assert not np.array_equal(one, two)


def test_the_last_key_counts_most_in_dealt_folds() -> None:
    """Sides of 5 groups, each in every fold once, whatever the strata."""
    side = np.repeat([0, 1], 5)
    strata = np.tile([0, 1], 5)
    for seed in range(5):
        fold = dealt_folds(np.arange(10), (strata, side), 5, np.random.default_rng(seed))
        for each in (0, 1):
            assert sorted(fold[side == each]) == [0, 1, 2, 3, 4]


def test_grouped_folds_keep_groups_whole_and_hold_every_row_out_once() -> None:
    groups = np.repeat(np.arange(20), 3)
    labels = groups % 2
    held_out = []
    for train, held in grouped_folds(labels, groups, 5, 0):
        assert not set(groups[train]) & set(groups[held])
        held_out += held.tolist()
    assert sorted(held_out) == list(range(60))


def test_there_are_no_more_grouped_folds_than_the_smallest_class_has_groups() -> None:
    groups = np.repeat(np.arange(13), 2)
    labels = (groups < 3).astype(np.int64)
    assert len(grouped_folds(labels, groups, 5, 0)) == 3
    assert len(grouped_folds(labels, groups, 2, 0)) == 2


@pytest.mark.parametrize("labels", [[0, 0, 1, 1], [0, 0, 0, 1]])
def test_a_class_of_one_group_cannot_be_cross_validated(labels: list[int]) -> None:
    groups = np.array(["a", "b", "c", "c"])
    with pytest.raises(ValueError, match=r"^labels, groups: want at least 2 images .+ of every class.+, got 1\. Add"):
        grouped_folds(np.array(labels), groups, 5, 0)


def test_the_unseen_share_is_about_three_in_n() -> None:
    np.testing.assert_allclose(unseen_share(np.array([100, 1000]), 0.95), [0.0295, 0.00299], rtol=0.01)
