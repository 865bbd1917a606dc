import numpy as np
from numpy.typing import NDArray

from graft.shift.per_class import per_class_shift
from graft.statistics.two_sample.mmd import mmd2_unbiased

Side = tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.int64]]


def _side(counts: tuple[int, ...], moved: float, seed: int) -> Side:
    """Class k lies at k in every feature; class 1 is moved."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    rows = rng.normal(size=(len(labels), 8)) + (labels + moved * (labels == 1))[:, None]
    return rows, labels.astype(np.str_), np.arange(len(labels))


def _judge(source: Side, target: Side) -> dict[str, tuple[float, float]]:
    found = per_class_shift(source, target, bandwidth2=16.0, n_permutations=199, seed=0)
    return {each.label: (each.p_value, each.p_holm) for each in found}


def test_the_class_that_moved_is_found_and_no_other() -> None:
    found = _judge(_side((60, 60, 60, 60), 0, 0), _side((20, 40, 50, 60), 1, 1))
    assert [label for label, (_, p) in found.items() if p <= 0.05] == ["1"]
    assert found["1"] == (1 / 200, 4 / 200)


def test_only_classes_with_two_groups_on_both_sides_are_tested() -> None:
    source, target = _side((9, 9, 9, 0, 9), 0, 0), _side((9, 1, 9, 9, 9), 0, 1)
    groups = np.where(target[1] == "2", -1, target[2])
    assert set(_judge(source, (*target[:2], groups))) == {"0", "4"}


def test_a_class_of_blank_images_is_skipped() -> None:
    source, target = _side((9, 9), 0, 0), _side((9, 9), 0, 1)
    for rows, labels, _ in (source, target):
        rows[labels == "1"] = 3.0
    assert set(_judge(source, target)) == {"0"}


def test_copies_within_a_group_are_no_evidence() -> None:
    rng = np.random.default_rng(0)
    labels, groups = np.full(60, "a"), np.arange(60) // 12
    source, target = ((np.repeat(rng.normal(size=(5, 8)), 12, axis=0), labels, groups) for _ in range(2))
    alone = np.arange(60)
    assert _judge((*source[:2], alone), (*target[:2], alone))["a"][0] == 1 / 200
    assert _judge(source, target)["a"][0] > 0.05


def test_sizes_are_unbiased_distances_at_the_bandwidth_given() -> None:
    source, target = _side((30, 30), 0, 0), _side((20, 25), 1, 1)
    for each in per_class_shift(source, target, bandwidth2=16.0, n_permutations=99, seed=0):
        rows = source[0][source[1] == each.label], target[0][target[1] == each.label]
        assert each.mmd2 == mmd2_unbiased(*rows, 16.0)
        assert (each.n_source, each.n_target) == tuple(map(len, rows))


def test_sizes_weigh_every_group_the_same_and_pair_no_rows_of_one() -> None:
    rng = np.random.default_rng(0)
    labels, groups = np.full(60, "a"), np.minimum(np.arange(60), 40)
    source, target = ((rng.normal(size=(60, 8)), labels, groups) for _ in range(2))
    (found,) = per_class_shift(source, target, bandwidth2=16.0, n_permutations=99, seed=0)
    assert found.mmd2 == mmd2_unbiased(source[0], target[0], 16.0, (groups, groups))
    assert found.mmd2 != mmd2_unbiased(source[0], target[0], 16.0)


def test_no_shared_class_gives_no_rows() -> None:
    rows, labels, groups = _side((9, 9), 0, 0)
    assert _judge((rows, labels, groups), (rows, np.char.add("x", labels), groups)) == {}


def test_a_class_whose_groups_all_contain_the_same_image_is_skipped() -> None:
    """Of each group the test may keep that image alone."""
    source, target = _side((9, 40), 0, 0), _side((9, 9), 0, 1)
    source[0][source[1] == "1"] = target[0][target[1] == "1"] = 3.0
    source[0][-1] = 4.0
    groups = source[2].copy()
    groups[10:] = 10  # one of 39 and one alone
    for seed in range(5):
        found = per_class_shift((*source[:2], groups), target, bandwidth2=16.0, n_permutations=99, seed=seed)
        assert [each.label for each in found] == ["0"]
