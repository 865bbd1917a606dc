"""Which rows of a group count: in turn, without a look at their order, and as many as the other side has."""

import numpy as np
import pytest

from graft.statistics.two_sample.samples import rows_of_even_groups, turns


def kept(sizes: tuple[list[int], list[int]], seed: int = 0) -> tuple[list[int], list[int]]:
    """Sizes of the groups of both sides after they are made even, in ascending order."""
    names = np.repeat(np.arange(sum(map(len, sizes))), np.concatenate(sizes))
    keys = np.random.default_rng(9).integers(-(2**62), 2**62, len(names))
    rows = rows_of_even_groups(keys, names, sum(sizes[0]), np.random.default_rng(seed))
    left = np.bincount(names[rows])
    assert (np.diff(rows) > 0).all()
    return sorted(left[: len(sizes[0])].tolist()), sorted(left[len(sizes[0]) :].tolist())


def test_no_group_is_larger_than_the_other_sides_of_its_rank() -> None:
    assert kept(([1] * 20, [9, 1, 1])) == ([1] * 20, [1, 1, 1])
    assert kept(([1] * 3, [4] * 30)) == ([1] * 3, [1] * 30)
    assert kept(([5] * 4, [3] * 7)) == ([3] * 4, [3] * 7)
    assert kept(([60, 1, 1, 1], [40, 1, 1, 2])) == ([1, 1, 1, 40], [1, 1, 1, 40])


def test_the_largest_of_few_groups_keeps_one_row_against_many_single_rows() -> None:
    assert kept(([300] + [1] * 100, [60] + [1] * 40)) == ([1] * 100 + [60], [1] * 41)


def test_groups_of_equal_size_on_both_sides_stay_whole() -> None:
    sizes = [1, 2, 2, 7, 30]
    assert kept((sizes, sizes[::-1])) == (sizes, sizes)


def test_where_every_row_is_a_group_nothing_is_drawn() -> None:
    rng = np.random.default_rng(0)
    assert rows_of_even_groups(np.arange(9), np.arange(9), 4, rng).tolist() == list(range(9))
    assert turns(np.arange(9), np.arange(9), rng).tolist() == [0] * 9
    assert rng.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize("seed", [0, 1])
def test_turns_count_each_group_from_zero_in_any_order_of_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups, keys = rng.integers(0, 6, 40), rng.integers(-(2**62), 2**62, 40)
    order = rng.permutation(40)
    turn, moved = (
        turns(keys, groups, np.random.default_rng(3)),
        turns(keys[order], groups[order], np.random.default_rng(3)),
    )
    np.testing.assert_array_equal(turn[order], moved)
    for each in range(6):
        assert sorted(turn[groups == each].tolist()) == list(range(np.count_nonzero(groups == each)))


def test_copies_in_a_group_are_drawn_in_proportion_to_their_number() -> None:
    keys, groups = np.array([5] * 9 + [7]), np.zeros(10, dtype=np.int64)
    first = [int(keys[turns(keys, groups, np.random.default_rng(seed)) == 0][0]) for seed in range(400)]
    assert np.mean(np.array(first) == 7) == pytest.approx(0.1, abs=0.05)  # by their key alone it would be 0.5
