"""Sizes of the target before any training: from the catalogue, the folders, or the example's record."""

from pathlib import Path

import pytest
from tests.examples import catalog_record, catalog_row
from tests.start.folders import PARAMS, classes, picture

from graft.files import write_record
from graft.params.pipeline import Params
from graft.start.minutes import Counts
from graft.start.sizes import Files, Sizes, sizes_in, sizes_of
from graft.store.catalogue import CatalogRow, write_catalog

EXAMPLE = PARAMS
OF_FOLDERS = PARAMS.model_copy(
    update={"prepare_data": PARAMS.prepare_data.model_copy(update={"dataset": "folders", "group_pattern": None})}
)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "catalog.json", tmp_path / "target.csv", tmp_path / "raw")


def rows_of(folder: Path, split: str = "test") -> list[CatalogRow]:
    paths = sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*.png"))
    return [
        catalog_row(path, label=path.split("/")[0], split=split, row=place, group=f"g{place // 2}")
        for place, path in enumerate(paths)
    ]


def of_folder(folder: Path, params: Params) -> Sizes:
    from graft.preparation.scan import scan

    return sizes_in(folder, scan(folder), params, 7)


def test_folders_without_splits_are_cut(tmp_path: Path) -> None:
    sizes = of_folder(classes(tmp_path / "target", 20), OF_FOLDERS)
    assert sizes.counts == Counts(n_source=7, n_train=28, n_val=6, n_test=6, n_classes=2)
    assert sizes.test.labels.tolist().count(0) == 3
    assert len(set(sizes.test.groups)) == 6
    assert not sizes.catalogued


def test_groups_that_params_name_stay_whole(tmp_path: Path) -> None:
    for number in range(40):
        picture(tmp_path / ("ill", "well")[number % 2] / f"patient{number // 4}_{number}.png")
    data = OF_FOLDERS.prepare_data.model_copy(update={"group_pattern": "(patient[0-9]+)"})
    sizes = of_folder(tmp_path, OF_FOLDERS.model_copy(update={"prepare_data": data}))
    assert len(set(sizes.test.groups)) == len(sizes.test.groups) / 4


def test_the_catalogue_tells_groups_and_splits(files: Files) -> None:
    target = classes(files.raw / "target", 6)
    write_catalog(rows_of(target), files.target)
    write_record(catalog_record("folders"), files.record)
    sizes = sizes_of(OF_FOLDERS, files)
    assert (len(sizes.test.labels), len(set(sizes.test.groups)), sizes.catalogued) == (12, 6, True)


def test_a_catalogue_of_other_images_does_not_count(files: Files) -> None:
    target = classes(files.raw / "target", 6)
    write_catalog(rows_of(target), files.target)
    write_record(catalog_record("folders"), files.record)
    picture(target / "cat" / "new.png")
    sizes = sizes_of(OF_FOLDERS, files)
    assert (sizes.catalogued, sizes.where) == (False, f"the names in {target}")


def test_the_catalogue_of_the_example_says_nothing_on_folders(files: Files) -> None:
    target = classes(files.raw / "target", 20)
    write_catalog(rows_of(target), files.target)
    write_record(catalog_record("example"), files.record)
    assert not sizes_of(OF_FOLDERS, files).catalogued


def test_images_that_are_elsewhere_are_known_from_the_catalogue(files: Files, tmp_path: Path) -> None:
    write_catalog(rows_of(classes(tmp_path / "elsewhere")), files.target)
    write_record(catalog_record("folders"), files.record)
    assert sizes_of(OF_FOLDERS, files).catalogued


def test_without_a_catalogue_the_record_tells_the_example(files: Files) -> None:
    write_record(catalog_record("example"), files.record)
    sizes = sizes_of(EXAMPLE, files)
    assert (sizes.test.labels.tolist(), sizes.counts.n_test, sizes.catalogued) == ([0, 1], 2, True)


def test_the_example_that_was_never_prepared_is_to_be_validated(files: Files) -> None:
    with pytest.raises(FileNotFoundError, match=r"want the catalogue of this data set, got none\. Run `dvc repro val"):
        sizes_of(EXAMPLE, files)


def test_folders_without_images_say_where_to_put_them(files: Files) -> None:
    with pytest.raises(FileNotFoundError, match="want a folder of images for each class"):
        sizes_of(OF_FOLDERS, files)


def test_a_class_with_too_few_images_for_a_cut_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="class cat: want at least 3 different readable images"):
        of_folder(classes(tmp_path / "target", 2), OF_FOLDERS)


def of_source(files: Files) -> None:
    """Record and catalogue of a target whose labels, if any, are for testing alone."""
    record = catalog_record("folders")
    target = record.target.model_copy(update={"classes": ("a",), "counts": {"train": {}, "val": {}, "test": {"a": 2}}})
    write_record(record.model_copy(update={"labels_from": "source", "target": target}), files.record)


def test_without_labels_to_train_on_classes_and_numbers_are_the_source_s(files: Files) -> None:
    of_source(files)
    write_catalog([catalog_row(f"{i}.png", label="a", split="test", row=i) for i in range(2)], files.target)
    sizes = sizes_of(OF_FOLDERS, files)
    assert sizes.classes == ("a", "b")
    assert sizes.test.labels.tolist() == [0, 0]
    assert (sizes.counts.n_train, sizes.counts.n_val, sizes.counts.n_test, sizes.counts.n_classes) == (2, 2, 2, 2)


def test_without_any_label_there_is_no_test_image(files: Files) -> None:
    of_source(files)
    write_catalog((), files.target)
    assert len(sizes_of(OF_FOLDERS, files).test.labels) == 0


def test_a_test_split_alone_is_to_be_prepared_first(files: Files) -> None:
    classes(files.raw / "source", 6)
    classes(files.raw / "target/test", 3)
    picture(files.raw / "target_unlabeled/one.png")
    with pytest.raises(FileNotFoundError, match="want the catalogue of this data set"):
        sizes_of(OF_FOLDERS, files)
