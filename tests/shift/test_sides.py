from pathlib import Path

import numpy as np
import pytest
from tests.examples import catalog_row
from tests.shift.samples import normal, side_of

from graft.shift.sides import check_groups, read_side, without_copies
from graft.store.catalogue import write_catalog
from graft.store.features import save_array


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four images, of which the third cannot be read and the last is test."""
    rows = (
        catalog_row("b/0.png", label="b", group="left", row=0),
        catalog_row("a/1.png", label="a", group="right", row=1),
        catalog_row("a/2.png", label="a", error="truncated"),
        catalog_row("a/3.png", label="a", split="test", row=2),
    )
    write_catalog(rows, tmp_path / "catalog.csv")
    save_array(np.arange(6, dtype=np.float32).reshape(3, 2), tmp_path / "features.npy")
    return tmp_path


def test_a_side_has_the_readable_images_of_a_split(folder: Path) -> None:
    side = read_side(folder / "catalog.csv", folder / "features.npy", "train")
    assert side.features.tolist() == [[0, 1], [2, 3]]
    assert (side.rows.tolist(), side.labels.tolist(), side.groups.tolist()) == ([0, 1], ["b", "a"], ["left", "right"])
    assert side.images.tolist() == [catalog_row("b/0.png").sha256, catalog_row("a/1.png").sha256]


def test_without_a_split_a_side_has_all_readable_images(folder: Path) -> None:
    assert read_side(folder / "catalog.csv", folder / "features.npy").rows.tolist() == [0, 1, 2]


def test_a_domain_without_images_is_a_side_without_rows(tmp_path: Path) -> None:
    write_catalog((), tmp_path / "catalog.csv")
    save_array(np.zeros((0, 2), dtype=np.float32), tmp_path / "features.npy")
    assert [each.shape for each in read_side(tmp_path / "catalog.csv", tmp_path / "features.npy")] == [
        (0, 2), (0,), (0,), (0,), (0,)
    ]  # fmt: skip


def test_rows_of_the_store_are_found_in_their_order_without_those_of_other_sides() -> None:
    side = side_of(normal(4, 0), "a").at(np.array([3, 1, 0]))
    found = side.of_rows(np.array([0, 2, 3]))
    assert found.rows.tolist() == [0, 3]
    np.testing.assert_array_equal(found.features, side.features[[2, 0]])


def test_images_that_are_in_the_target_too_are_removed_from_the_source() -> None:
    source, target = side_of(normal(5, 0), "a"), side_of(normal(3, 1), "b")
    target.images[1] = source.images[4]
    left = without_copies(source, target)
    assert left.rows.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(left.features, source.features[:4])


def test_a_side_of_one_group_is_refused_with_what_to_do() -> None:
    check_groups(side_of(normal(2, 0), "a"), "target")
    with pytest.raises(ValueError, match=r"^target: want images of at least 2 groups, got 1 \(3 images\)\. Add images"):
        check_groups(side_of(normal(3, 0), "a", groups=["p"] * 3), "target")
