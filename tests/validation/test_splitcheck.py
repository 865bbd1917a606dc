from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.examples import catalog_row
from tests.validation.samples import row

from graft.images.fingerprint import channel_statistics
from graft.store.catalogue import CatalogRow
from graft.validation.domains import OpenDomain
from graft.validation.rules import MAX_AUC
from graft.validation.splitcheck import ENOUGH_IMAGES, label_shift, split_table, told_apart


def rows(**sizes: int) -> list[CatalogRow]:
    """Rows of each split and class: `train_cat=3` gives three cats in train."""
    parts = [name.split("_") for name in sizes]
    return [row(f"{s}/{c}/{n}") for (s, c), n_rows in zip(parts, sizes.values(), strict=True) for n in range(n_rows)]


def pictured(given: list[CatalogRow], images: NDArray[np.uint8]) -> OpenDomain:
    """A target with these images, in order."""
    seen = [each._replace(row=place, **channel_statistics(images[place])._asdict()) for place, each in enumerate(given)]
    return OpenDomain("target", tuple(seen), images, "")


def dark(n: int, seed: int, least: int = 0) -> NDArray[np.uint8]:
    """(n, 16, 16, 3) noise of random brightness, from least to least + 200."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 100, (n, 16, 16, 3)) + rng.integers(0, 100, (n, 1, 1, 1)) + least
    return noise.astype(np.uint8)


def shares(given: list[CatalogRow]) -> dict[str, float]:
    """The column small_share, by domain and split."""
    table = split_table([pictured(given, dark(len(given), 0))], 0)
    some = table[table["small_share"].notna()]
    return {name.split(" ")[0]: share for name, share in zip(some["name"], some["small_share"], strict=True)}


def test_the_share_of_a_split_is_reported_with_its_number_of_images() -> None:
    given = rows(train_cat=90, val_cat=6, test_cat=4)
    assert shares(given) == {"target/train": 0.9, "target/val": 0.06, "target/test": 0.04}
    table = split_table([pictured(given, dark(100, 0))], 0)
    assert "target/test (4 of 100 images)" in list(table["name"])


def test_a_split_of_enough_images_is_large_enough_whatever_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graft.validation.splitcheck.ENOUGH_IMAGES", 4)
    assert shares(rows(train_cat=93, val_cat=3, test_cat=4)) == {"target/val": 0.03}


def test_few_train_images_beside_a_large_test_split_are_not_a_small_split() -> None:
    assert min(shares(rows(train_cat=100, val_cat=150, test_cat=646)).values()) > 0.05
    assert ENOUGH_IMAGES > 646


def test_a_class_distribution_that_chance_does_not_explain_is_a_shift() -> None:
    given = rows(train_cat=60, train_dog=60, test_cat=90, test_dog=30)
    assert label_shift(given, "test", 0).distance == pytest.approx(0.25)
    assert label_shift(given, "test", 0).p_value < 0.01


def test_a_class_distribution_that_chance_explains_has_a_large_p_value() -> None:
    given = rows(train_cat=6, train_dog=6, test_cat=4, test_dog=2)
    assert label_shift(given, "test", 0).p_value > 0.2


def test_images_of_a_group_are_dealt_out_as_one() -> None:
    given = rows(train_cat=60, train_dog=60, test_cat=90, test_dog=30)
    grouped = [each._replace(group=f"{each.split} {each.label} {place % 3}") for place, each in enumerate(given)]
    assert label_shift(grouped, "test", 0).distance == pytest.approx(0.25)
    assert label_shift(grouped, "test", 0).p_value > 0.5


def test_an_empty_split_has_no_shift() -> None:
    assert label_shift(rows(train_cat=6, train_dog=6), "test", 0).p_value == 1


def test_brighter_test_images_are_told_apart() -> None:
    given = rows(train_cat=60, train_dog=60, test_cat=30, test_dog=30)
    found = told_apart(pictured(given, np.concatenate([dark(120, 0), dark(60, 1, 55)])), "test", 0)
    assert found is not None
    assert found.estimate > found.low > 0.6


def test_images_of_one_kind_are_not_told_apart() -> None:
    given = rows(train_cat=60, train_dog=60, test_cat=30, test_dog=30)
    found = told_apart(pictured(given, dark(180, 0)), "test", 0)
    assert found is not None
    assert found.low < 0.5


def test_another_class_distribution_alone_is_not_told_apart() -> None:
    given = rows(train_cat=90, train_dog=30, test_cat=30, test_dog=90)
    images = np.concatenate([dark(90, 0), dark(30, 1, 55), dark(30, 2), dark(90, 3, 55)])
    found = told_apart(pictured(given, images), "test", 0)
    assert found is not None
    assert found.low < 0.5


def test_a_split_of_few_groups_is_not_compared() -> None:
    given = rows(train_cat=60, test_cat=60)
    bright = np.concatenate([dark(60, 0), dark(60, 1, 55)])
    one_video = [each._replace(group="video") if each.split == "test" else each for each in given]
    assert told_apart(pictured(one_video, bright), "test", 0) is None
    table = split_table([pictured(one_video, bright)], 0)
    assert "target: train and test (too few images to tell)" in list(table["name"])
    assert table["told_apart"].max() == 0.5


def test_the_name_of_a_row_says_how_well_the_splits_are_told_apart() -> None:
    given = rows(train_cat=60, train_dog=60, test_cat=30, test_dog=30)
    table = split_table([pictured(given, np.concatenate([dark(120, 0), dark(60, 1, 55)]))], 0)
    (name,) = table.loc[table["told_apart"] > MAX_AUC, "name"]
    assert name.startswith("target: train and test (a classifier orders ")


def _random_splits(n: int) -> Iterator[OpenDomain]:
    """Random splits of images whose appearance depends on the class."""
    rng = np.random.default_rng(7)
    labels = ["cat", "dog"] * 100
    images = np.concatenate([dark(1, seed, 0 if label == "cat" else 40) for seed, label in enumerate(labels)])
    for _ in range(n):
        splits = rng.permutation(["train"] * 140 + ["test"] * 60)
        given = [
            catalog_row(f"{place}", label=label, split=split)
            for place, (label, split) in enumerate(zip(labels, splits.tolist(), strict=True))
        ]
        yield pictured(given, images)


@pytest.mark.simulation
def test_few_random_splits_are_told_apart_or_shifted() -> None:
    n_told = n_shifted = 0
    for seed, domain in enumerate(_random_splits(100)):
        table = split_table([domain], seed)
        n_told += bool((table["told_apart"] > MAX_AUC).any())
        n_shifted += bool((table["label_shift"] > 0.1).any())
    assert n_told <= 5
    assert n_shifted <= 5
