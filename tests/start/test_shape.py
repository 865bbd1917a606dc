from pathlib import Path

import pytest
from tests.start.folders import classes, picture

from graft.preparation.scan import scan
from graft.start.shape import check_shape, meant


def test_the_data_set_below_is_named(tmp_path: Path) -> None:
    classes(tmp_path / "deep" / "photos")
    assert meant(tmp_path) == f"Did you mean {tmp_path}/deep/photos? It holds cat, dog."


def test_split_folders_below_are_a_data_set(tmp_path: Path) -> None:
    classes(tmp_path / "photos" / "train")
    assert meant(tmp_path) == f"Did you mean {tmp_path}/photos? It holds train."


def test_a_table_makes_a_data_set(tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "all" / "0.png")
    (tmp_path / "photos" / "labels.csv").write_text("path,label\n")
    assert meant(tmp_path).startswith(f"Did you mean {tmp_path}/photos?")


@pytest.mark.parametrize("name", [".hidden", "__MACOSX"])
def test_what_is_left_out_is_not_meant(tmp_path: Path, name: str) -> None:
    classes(tmp_path / name)
    assert meant(tmp_path) == ""


def test_links_in_circles_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").symlink_to(tmp_path)
    assert meant(tmp_path) == ""


def test_what_a_link_leads_to_is_not_meant(tmp_path: Path) -> None:
    classes(tmp_path / "elsewhere")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "elsewhere")
    assert meant(tmp_path / "here") == ""


def test_one_folder_in_each_class_is_no_data_set(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        picture(tmp_path / label / "images" / "0.png")
    check_shape(tmp_path, scan(tmp_path))


def test_the_same_folders_below_each_are_refused(tmp_path: Path) -> None:
    for year in ("2019", "2020"):
        classes(tmp_path / year)
    with pytest.raises(ValueError, match="got the same folders cat, dog below each of 2019, 2020") as caught:
        check_shape(tmp_path, scan(tmp_path))
    assert f"Name one data set, {tmp_path}/2019; `--force` goes on" in str(caught.value)


def test_data_sets_side_by_side_are_refused(tmp_path: Path) -> None:
    classes(tmp_path / "birds" / "Train")
    classes(tmp_path / "cars")
    with pytest.raises(ValueError, match=r"got split folders below birds\. Name one data set, .*/birds"):
        check_shape(tmp_path, scan(tmp_path))


def test_patients_below_classes_are_no_data_sets(tmp_path: Path) -> None:
    for label, patients in (("ill", "abc"), ("well", "cdef")):
        for patient in patients:
            picture(tmp_path / label / patient / "0.png")
    check_shape(tmp_path, scan(tmp_path))


def test_a_class_with_images_of_its_own_is_no_data_set(tmp_path: Path) -> None:
    classes(tmp_path / "cat")
    classes(tmp_path / "dog")
    picture(tmp_path / "dog" / "own.png")
    check_shape(tmp_path, scan(tmp_path))


def test_under_split_folders_the_classes_are_looked_at(tmp_path: Path) -> None:
    for split in ("train", "test"):
        classes(tmp_path / split)
    check_shape(tmp_path, scan(tmp_path))
