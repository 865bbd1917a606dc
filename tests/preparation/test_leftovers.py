import os
from pathlib import Path

import pytest
from tests.preparation.test_scan import lay

from graft.preparation.found import Found
from graft.preparation.leftovers import is_left_out, left_out, unlabelled
from graft.records.catalog import LeftOut


def test_nothing_is_left_out_of_sound_folders_or_of_none(tmp_path: Path) -> None:
    assert left_out(lay(tmp_path, "cat/a.png", "dog/b c.png", "README.md")) == ()
    assert left_out(tmp_path / "nowhere") == ()


def test_hidden_images_are_counted_and_other_hidden_files_are_not(tmp_path: Path) -> None:
    lay(tmp_path, "cat/a.png", "cat/.b.PNG", ".bird/c.png", ".bird/deep/d.jpg", ".bird/notes.txt", ".git/config")
    assert left_out(tmp_path) == (LeftOut(kind="hidden", n_files=3, paths=(".bird", "cat/.b.PNG")),)


def test_files_of_operating_systems_are_counted_by_kind(tmp_path: Path) -> None:
    lay(tmp_path, "cat/@eaDir/a.png/SYNO_M.jpg", "cat/@eaDir/a.png/SYNO_S.jpg", "__MACOSX/cat/._a.png", "cat/._a.png")
    lay(tmp_path, "cat/Thumbs.db", "dog/.DS_Store", "dog/desktop.ini", ".Trashes/a.png")
    assert left_out(tmp_path) == (
        LeftOut(kind="system_folder", n_files=4, paths=(".Trashes", "__MACOSX", "cat/@eaDir")),
        LeftOut(
            kind="system_file", n_files=4, paths=("cat/._a.png", "cat/Thumbs.db", "dog/.DS_Store", "dog/desktop.ini")
        ),
    )


def test_images_without_a_label_are_counted_and_other_files_are_not(tmp_path: Path) -> None:
    lay(
        tmp_path,
        "1.PNG",
        "x/2.JPG",
        "x/y/3.tif",
        "labels.csv",
        "x/notes.txt",
        ".hidden/4.png",
        "x/._5.png",
        "@eaDir/6.png",
    )
    assert unlabelled(tmp_path, [Found("x/2.JPG", "cat", None)]) == (
        LeftOut(kind="unlabelled", n_files=2, paths=("1.PNG", "x/y/3.tif")),
    )


def test_if_all_images_have_a_label_or_there_is_no_folder_nothing_is_counted(tmp_path: Path) -> None:
    assert unlabelled(lay(tmp_path, "1.png"), [Found("1.png", "cat", None)]) == ()
    assert unlabelled(tmp_path / "nowhere", []) == ()


def test_ten_paths_are_named_and_all_files_counted(tmp_path: Path) -> None:
    lay(tmp_path, *(f"cat/.{number:02}.png" for number in range(12)))
    (record,) = left_out(tmp_path)
    assert (record.n_files, record.paths[0], len(record.paths)) == (12, "cat/.00.png", 10)


def test_a_name_in_another_encoding_can_be_recorded(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/.\xe9.png")).write_bytes(b"x")
    except OSError:
        pytest.skip("this disk takes no such names")
    assert left_out(tmp_path)[0].paths == (".\\udce9.png",)


@pytest.mark.parametrize("name", ["cat", "a.png", "thumbs", "eaDir", "recycle", "MACOSX"])
def test_ordinary_names_are_not_left_out(name: str) -> None:
    assert not is_left_out(name)
