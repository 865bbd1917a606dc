import math

import pytest
from tests.examples import catalog_row
from tests.validation.samples import domain

from graft.records.catalog import LeftOut
from graft.store.catalogue import CatalogRow
from graft.validation.table import class_table, image_table, left_table, store_table


def row(path: str, sha256: str, group: str = "", error: str = "") -> CatalogRow:
    split, label, _ = path.split("/")
    size = {} if error else {"width": 40, "height": 30}
    return catalog_row(path, label=label, split=split, group=group or sha256, sha256=sha256, error=error, **size)


def column(name: str, source: list[CatalogRow], target: list[CatalogRow]) -> list[float]:
    return [float(each) for each in image_table(source, target)[name]]


def same(got: list[float], want: list[float]) -> bool:
    return got == pytest.approx(want, nan_ok=True)


BROKEN = row("train/cat/x", "a", error="truncated")


def test_cells_about_pixels_and_content_are_empty_for_unreadable_images() -> None:
    rows = [row("train/cat/a", "a"), BROKEN]
    assert column("readable", [], rows) == [1, 0]
    assert same(column("min_side", [], rows), [30, math.nan])
    assert same(column("splits_of_image", [], rows), [1, math.nan])
    assert list(image_table([], rows)["name"]) == ["target/train/cat/a", "target/train/cat/x (truncated)"]


def test_splits_labels_and_copies_are_counted_within_a_domain() -> None:
    target = [row("train/cat/a", "a"), row("test/cat/a", "a"), row("test/dog/b", "a"), row("val/cat/c", "c")]
    source = [row("val/cat/a", "a")]
    assert column("splits_of_image", source, target) == [1, 2, 2, 2, 1]
    assert column("labels_of_image", source, target) == [1, 2, 2, 2, 1]
    assert column("copies_in_split", source, target) == [1, 1, 2, 2, 1]


def test_groups_count_only_for_images_that_are_not_alone() -> None:
    target = [row("train/cat/a", "a", "g"), row("test/cat/b", "b", "g"), row("test/cat/c", "c")]
    assert same(column("splits_of_group", [], target), [2, 2, math.nan])


def test_images_in_both_the_source_and_the_test_split_of_the_target_are_marked() -> None:
    source = [row("train/cat/a", "a"), row("train/cat/b", "b")]
    target = [row("test/cat/a", "a"), row("train/cat/b", "b"), row("test/cat/c", "c")]
    assert same(column("in_source_and_test", source, target), [1, 0, 1, math.nan, 0])


def test_classes_count_readable_images() -> None:
    target = [row(f"train/cat/{n}", f"c{n}") for n in range(6)] + [
        row("train/dog/a", "a"),
        row("val/dog/b", "b"),
    ]
    table = class_table(image_table([], [*target, row("test/dog/x", "x", error="truncated")]), None)
    assert table.to_dict("list") == {
        "name": ["target/cat (none in val and test)", "target/dog (none in test)"],
        "domain": ["target", "target"],
        "label": ["cat", "dog"],
        "expected": [1, 1],
        "spelt_alike": [0, 0],
        "fewest": [0, 0],
        "train": [6, 1],
        "times_smaller": [1.0, 6.0],
    }


def test_expected_classes_that_are_missing_have_a_row_of_their_own_and_no_counts() -> None:
    target = [row("train/cat/a", "a"), row("train/dog/b", "b")]
    table = class_table(image_table([row("train/elk/c", "c")], target), ["cat", "fox"])
    table["name"] = table["name"].str.replace(" (none in val and test)", "")
    assert list(table["name"]) == [
        "source/elk",
        "target/cat",
        "target/dog (not expected)",
        "target/fox (expected, no such class)",
    ]
    assert list(table["expected"]) == [1, 1, 0, 0]
    assert same(list(table["train"]), [1, 1, 1, math.nan])


def test_files_whose_paths_differ_only_in_case_or_encoding_are_counted() -> None:
    target = [row("train/cat/\u00e9", "a"), row("train/cat/E\u0301", "b"), row("train/dog/e", "c")]
    assert column("names_alike", [row("train/cat/\u00e9", "d")], target) == [1, 2, 2, 1]


def test_groups_of_one_name_in_both_domains_are_two_groups() -> None:
    source, target = [row("train/cat/a", "a", "g")], [row("test/cat/b", "b", "g")]
    assert column("splits_of_group", source, target) == [1, 1]


def test_a_store_without_a_fault_is_whole() -> None:
    sound = domain("source", [])
    table = store_table((sound, sound._replace(name="target", fault="t.npy: changed")))
    assert table.to_dict("list") == {"name": ["source", "t.npy: changed"], "whole": [1, 0]}


def test_expected_classes_may_be_typed_in_another_encoding() -> None:
    target = [row(f"train/{label}/{n}", f"{label}{n}") for label in ("caf\u00e9", "dog") for n in range(2)]
    table = class_table(image_table([], target), ("cafe\u0301", "dog"))
    assert list(table["expected"]) == [1, 1]


def test_a_class_of_the_source_that_only_looks_like_one_of_the_target_is_marked() -> None:
    source = [row("train/Cat/a", "a"), row("train/dog/b", "b")]
    target = [row("train/cat/c", "c"), row("val/dog/d", "d")]
    table = class_table(image_table(source, target), None).set_index("name")
    assert table.loc[table["spelt_alike"] == 1].index.tolist() == ["source/Cat (none in val and test)"]


def test_frames_stretch_and_deviation_are_empty_for_unreadable_images() -> None:
    rows = [row("train/cat/a", "a")._replace(frames=3, std_green=0.3), BROKEN]
    for name, value in (("frames", 3), ("stretch", 4 / 3), ("deviation", 0.3)):
        assert same(column(name, [], rows), [value, math.nan])


def test_each_kind_of_left_out_file_has_a_row() -> None:
    left = (LeftOut(kind="hidden", n_files=2, paths=(".bird", "cat/.a.png")),)
    table = left_table((domain("source", []), domain("target", [])._replace(left_out=left)))
    assert list(table["name"]) == ["target: .bird, cat/.a.png (2 files)"]
    assert same([float(each) for each in table.iloc[0, 1:]], [2, math.nan, math.nan, math.nan])


def test_a_doubt_about_a_table_of_labels_has_a_row() -> None:
    table = left_table((domain("source", []), domain("target", [])._replace(table_doubts=("one", "other"))))
    assert list(table["name"]) == ["target: one", "target: other"]
    assert list(table["doubtful"]) == [1, 1]
