from collections import Counter
from itertools import product

import numpy as np
import pytest

from graft.preparation.splits import Unit, assign_splits
from graft.records.common import Split


def units(n: int, label: str, split: Split | None = None, start: int = 0) -> list[Unit]:
    return [Unit(label, f"{label}{split}{number}", split) for number in range(start, start + n)]


def assign(given: list[Unit], seed: int = 0) -> tuple[Split, ...]:
    return assign_splits(given, "data/raw/target", seed)


def test_named_folders_are_kept() -> None:
    given = units(1, "cat", "train") + units(2, "cat", "val") + units(3, "cat", "test")
    assert assign(given) == ("train", "val", "val", "test", "test", "test")


@pytest.mark.parametrize("named", [None, "train"])
def test_without_other_splits_each_class_is_cut_70_15_15(named: Split | None) -> None:
    given = units(100, "cat", named) + units(20, "dog", named)
    placed = Counter(zip((each.label for each in given), assign(given), strict=True))
    assert placed == {
        ("cat", "train"): 70, ("cat", "val"): 15, ("cat", "test"): 15,
        ("dog", "train"): 14, ("dog", "val"): 3, ("dog", "test"): 3,
    }  # fmt: skip


def test_with_train_and_val_alone_val_becomes_test_and_15_percent_of_train_become_val() -> None:
    given = units(40, "cat", "train") + units(10, "cat", "val")
    placed = assign(given)
    assert Counter(placed[:40]) == {"train": 34, "val": 6}
    assert set(placed[40:]) == {"test"}


def test_with_train_and_test_alone_15_percent_of_train_become_val() -> None:
    given = units(40, "cat", "train") + units(10, "cat", "test")
    placed = assign(given)
    assert Counter(placed[:40]) == {"train": 34, "val": 6}
    assert set(placed[40:]) == {"test"}


@pytest.mark.parametrize("n", range(3, 12))
def test_every_class_has_an_image_in_every_split(n: int) -> None:
    assert set(assign(units(n, "cat"))) == {"train", "val", "test"}


@pytest.mark.parametrize("n", [0, 1])
def test_every_class_has_an_image_in_every_split_with_large_groups(n: int) -> None:
    given = [Unit("cat", f"g{number % 3}", None) for number in range(30)] + units(n, "cat")
    assert set(assign(given)) == {"train", "val", "test"}


def test_groups_stay_whole_and_shares_are_close() -> None:
    given = [Unit("cat", f"g{number // 4}", None) for number in range(200)]
    placed = assign(given)
    splits_of = {
        group: {s for each, s in zip(given, placed, strict=True) if each.group == group}
        for group in {each.group for each in given}
    }
    assert {len(splits) for splits in splits_of.values()} == {1}
    assert abs(Counter(placed)["test"] - 30) <= 4


@pytest.mark.parametrize("seed", range(10))
def test_a_large_group_does_not_distort_the_shares(seed: int) -> None:
    placed = assign([Unit("cat", "large", None)] * 20 + units(20, "cat"), seed)
    assert Counter(placed) == {"train": 28, "val": 6, "test": 6}


def test_a_group_of_two_classes_stays_whole() -> None:
    shared = [Unit("cat", "both", None), Unit("dog", "both", None)]
    placed = assign(units(9, "cat") + units(9, "dog") + shared)
    assert placed[-1] == placed[-2]


def random_units(seed: int) -> list[Unit]:
    """Up to 9 groups of up to 4 classes, each of 1 to 5 images of each of its classes."""
    rng = np.random.default_rng(seed)
    holds = rng.random((int(rng.integers(3, 10)), int(rng.integers(2, 5)))) < 0.5
    return [
        Unit(f"class {label}", f"group {group}", None)
        for group, label in np.argwhere(holds).tolist()
        for _ in range(int(rng.integers(1, 6)))
    ]


def can_be_cut(given: list[Unit]) -> bool:
    """Whether any cut has every class in every split."""
    groups = sorted({each.group for each in given})
    held = [
        {place for place, group in enumerate(groups) if (label, group) in {u[:2] for u in given}}
        for label in {each.label for each in given}
    ]
    return any(
        all({cut[place] for place in places} == {0, 1, 2} for places in held)
        for cut in product(range(3), repeat=len(groups))
    )


def test_groups_of_several_classes_stay_whole_and_every_class_is_in_every_split_if_possible() -> None:
    n_cut = 0
    for seed in range(150):
        given = random_units(seed)
        try:
            placed = assign(given, seed)
        except ValueError:
            assert not can_be_cut(given), seed
            continue
        n_cut += 1
        assert len({(each.group, split) for each, split in zip(given, placed, strict=True)}) == len(
            {each.group for each in given}
        ), seed
        assert len({(each.label, split) for each, split in zip(given, placed, strict=True)}) == 3 * len(
            {each.label for each in given}
        ), seed
    assert 30 < n_cut < 120


@pytest.mark.parametrize("seed", range(5))
def test_shares_of_every_class_are_close_if_groups_have_several(seed: int) -> None:
    rng = np.random.default_rng(seed)
    given = [
        Unit(f"class {label}", f"patient {patient}", None)
        for patient in range(120)
        for label in rng.choice(6, size=int(rng.integers(1, 4)), replace=False)
        for _ in range(int(rng.integers(1, 8)))
    ]
    placed = Counter(zip((each.label for each in given), assign(given, seed), strict=True))
    n_images = Counter(each.label for each in given)
    for label, n in n_images.items():
        assert abs(placed[label, "val"] / n - 0.15) < 0.04
        assert abs(placed[label, "test"] / n - 0.15) < 0.04


def test_a_class_that_no_cut_puts_into_every_split_is_an_error() -> None:
    """Each group has two of three classes, so that one of three splits always lacks a class."""
    shared = ["ab", "bc", "ca", "abc"]
    given = [Unit(label, group, None) for group in shared for label in group]
    assert not can_be_cut(given)
    with pytest.raises(ValueError, match=r"target, class [abc]: want images of it in every split, got none in .+ Add"):
        assign(given)


def test_order_and_place_of_the_files_do_not_matter() -> None:
    given = units(30, "cat") + units(30, "dog")
    there = dict(zip(given, assign(given), strict=True))
    back = list(reversed(given))
    assert dict(zip(back, assign(back), strict=True)) == there


def test_another_seed_gives_another_split() -> None:
    assert assign(units(50, "cat"), 0) != assign(units(50, "cat"), 1)


def test_position_in_the_folder_does_not_decide() -> None:
    tests = [index for index, split in enumerate(assign(units(300, "cat"))) if split == "test"]
    assert 110 < sum(tests) / len(tests) < 190


@pytest.mark.parametrize("n", [1, 2])
def test_fewer_different_images_than_splits_are_an_error_that_names_the_class(n: int) -> None:
    given = units(9, "cat") + [Unit("dog", f"copy{number % n}", None) for number in range(9)]
    want = r"target, class dog: want at least 3 different readable images, or groups of them"
    with pytest.raises(ValueError, match=rf"{want}, .+ got {n} in 9 files\. Add .+ near_duplicate_bits\."):
        assign(given)


def test_a_train_folder_of_one_image_cannot_give_validation_images() -> None:
    with pytest.raises(ValueError, match=r"class cat: want at least 2 .+ train, val from them, got 1"):
        assign(units(1, "cat", "train") + units(3, "cat", "test"))


def test_no_images_have_no_splits() -> None:
    assert assign([]) == ()
