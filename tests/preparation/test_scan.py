import os
from collections.abc import Callable
from pathlib import Path

import pytest

from graft.files import UNSEEN
from graft.preparation.found import Found
from graft.preparation.scan import scan, scan_optional


def lay(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"x")
    return folder


def test_class_folders_give_files_without_a_split_sorted_by_path(tmp_path: Path) -> None:
    lay(tmp_path, "dog/b.png", "cat/z.png", "cat/deep/a.png")
    assert scan(tmp_path) == (
        Found("cat/deep/a.png", "cat", None),
        Found("cat/z.png", "cat", None),
        Found("dog/b.png", "dog", None),
    )


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_split_folders_give_their_split(tmp_path: Path, name: str) -> None:
    lay(tmp_path, *(f"{split}/{label}/a.png" for split in ("train", name, "test") for label in ("cat", "dog")))
    assert [(each.path, each.split) for each in scan(tmp_path) if each.label == "cat"] == [
        ("test/cat/a.png", "test"),
        ("train/cat/a.png", "train"),
        (f"{name}/cat/a.png", "val"),
    ]


def test_a_class_may_be_named_train(tmp_path: Path) -> None:
    lay(tmp_path, "train/a.png", "bus/a.png")
    assert {(each.label, each.split) for each in scan(tmp_path)} == {("train", None), ("bus", None)}


def test_hidden_files_are_skipped_and_all_others_are_found(tmp_path: Path) -> None:
    lay(
        tmp_path,
        "cat/a.png",
        "cat/.DS_Store",
        "cat/.thumbs/a.png",
        ".git/x/a.png",
        "cat/notes.txt",
        "dog/b.png",
    )
    assert [each.path for each in scan(tmp_path)] == ["cat/a.png", "cat/notes.txt", "dog/b.png"]


def test_a_broken_link_is_found_so_that_it_is_reported(tmp_path: Path) -> None:
    lay(tmp_path, "cat/a.png", "dog/b.png")
    (tmp_path / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert "cat/gone.png" in [each.path for each in scan(tmp_path)]


@pytest.mark.parametrize("to", ["elsewhere", "data", "data/cat"])
@pytest.mark.parametrize("link", ["cat/more", "bird"])
def test_a_link_to_a_folder_is_an_error_that_names_it(tmp_path: Path, link: str, to: str) -> None:
    lay(tmp_path, "data/cat/a.png", "data/dog/a.png", "elsewhere/b.png")
    (tmp_path / "data" / link).symlink_to(tmp_path / to)
    with pytest.raises(ValueError, match=rf"data/{link}: want a folder, got a link to one: DVC does not see"):
        scan(tmp_path / "data")


def test_a_domain_that_is_a_link_is_an_error(tmp_path: Path) -> None:
    lay(tmp_path, "elsewhere/cat/a.png", "elsewhere/dog/a.png")
    (tmp_path / "data").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"data: want a folder, got a link to one"):
        scan(tmp_path / "data")


@pytest.mark.parametrize("names", [("Train", "Val", "TEST"), ("training", "Validation", "testing")])
def test_split_folders_are_recognised_in_any_case(tmp_path: Path, names: tuple[str, str, str]) -> None:
    lay(tmp_path, *(f"{name}/{label}/a.png" for name in names for label in ("cat", "dog")))
    found = scan(tmp_path)
    assert {each.label for each in found} == {"cat", "dog"}
    assert {each.split for each in found} == {"train", "val", "test"}


@pytest.mark.parametrize("look", [scan, scan_optional])
def test_a_class_folder_that_is_a_broken_link_is_an_error(tmp_path: Path, look: Callable[[Path], object]) -> None:
    (tmp_path / "dog").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"want links to existing files, got broken ones: dog\. Fix"):
        look(tmp_path)


@pytest.mark.parametrize("below", ["", "train/"])
def test_an_empty_class_is_an_error_that_names_it(tmp_path: Path, below: str) -> None:
    lay(tmp_path, f"{below}cat/a.png", f"{below}dog/a.png", f"{below}elk/.hidden.png")
    with pytest.raises(ValueError, match=rf"want images in every class folder, got none in {below}elk\. Add some"):
        scan(tmp_path)


def test_names_with_spaces_newlines_and_other_scripts_are_found(tmp_path: Path) -> None:
    names = ["cat/a b.png", "cat/a\nb.png", "cat/a\rb.png", 'cat/a",b.png', "cat/ねこ 🐈.png", "собака/é.png"]
    assert [each.path for each in scan(lay(tmp_path, *names))] == sorted(names)


def test_names_in_another_encoding_are_an_error_that_shows_one(tmp_path: Path) -> None:
    lay(tmp_path, "cat/a.png", "dog/b.png")
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/cat/\xe9t\xe9.png")).write_bytes(b"x")
    except OSError:
        pytest.skip("this disk takes no such names")
    with pytest.raises(ValueError, match=r"want file names in UTF-8, got 1 others, such as b'cat/\\xe9t\\xe9\.png'\."):
        scan(tmp_path)


@pytest.mark.parametrize(
    ("one", "other"), [("Cat", "cat"), ("STRASSE", "straße"), ("caf\u00e9", "cafe\u0301"), ("cat", "cat ")]
)
def test_classes_that_look_alike_are_an_error_that_names_both(tmp_path: Path, one: str, other: str) -> None:
    if len({each.label for each in _found(lay(tmp_path, f"{one}/a.png", f"{other}/b.png"))}) == 1:
        pytest.skip("this disk takes the two for one")
    with pytest.raises(ValueError, match="want class names that differ in more than case, spaces at the ends or"):
        scan(tmp_path)


def _found(folder: Path) -> list[Found]:
    return [Found(f"{each.name}", each.name, None) for each in folder.iterdir()]


def test_files_that_differ_only_in_case_are_two(tmp_path: Path) -> None:
    lay(tmp_path, "cat/A.jpg", "cat/a.jpg", "dog/a.jpg")
    if len(list((tmp_path / "cat").iterdir())) == 1:
        pytest.skip("this disk takes the two for one")
    assert [each.path for each in scan(tmp_path)] == ["cat/A.jpg", "cat/a.jpg", "dog/a.jpg"]


def test_a_folder_without_permission_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, "cat/a.png", "dog/b.png")
    listed = os.scandir

    def forbid(path: str) -> object:
        if Path(path).name == "dog":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", forbid)  # for root there is no such folder
    with pytest.raises(OSError, match=r"dog: want a readable folder, got: Permission denied\. Check"):
        scan(tmp_path)


def test_files_outside_of_class_folders_that_are_not_images_are_ignored(tmp_path: Path) -> None:
    lay(tmp_path, "README.md", "notes.csv", "cat/a.png", "dog/b.png")
    assert len(scan(tmp_path)) == 2


def test_an_absent_target_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"target: want a folder of images for each class, got no such folder\. Put"
    ):
        scan(tmp_path / "target")


@pytest.mark.parametrize("paths", [(), (".gitignore",), ("README.md",)])
def test_an_empty_target_is_an_error(tmp_path: Path, paths: tuple[str, ...]) -> None:
    lay(tmp_path, *paths)
    (tmp_path / "cat").mkdir()
    with pytest.raises(ValueError, match=r"want a folder of images for each class, got no images\. Put images under"):
        scan(tmp_path)


def test_one_class_only_is_an_error_that_names_it(tmp_path: Path) -> None:
    lay(tmp_path, "train/cat/a.png", "test/cat/b.png")
    with pytest.raises(ValueError, match=r"want at least two classes, got only cat\. Add"):
        scan(tmp_path)


def test_class_folders_that_differ_between_splits_are_an_error_that_names_class_and_split(tmp_path: Path) -> None:
    lay(tmp_path, "train/cat/a.png", "train/dog/a.png", "train/elk/a.png", "val/cat/b.png")
    with pytest.raises(ValueError, match=r"want the same class folders, .+ got none of dog, elk in val\. Add them"):
        scan(tmp_path)


@pytest.mark.parametrize("loose", ["a.JPG", "train/b.png"])
def test_images_outside_of_class_folders_are_an_error_that_names_one(tmp_path: Path, loose: str) -> None:
    below = "train/" if "/" in loose else ""
    lay(tmp_path, loose, f"{below}cat/a.png", f"{below}dog/b.png")
    name = loose.rsplit("/")[-1]
    with pytest.raises(ValueError, match=rf"want images in class folders, got 1 outside, such as {name}\. Move"):
        scan(tmp_path)


def test_split_folders_without_class_folders_are_not_taken_for_classes(tmp_path: Path) -> None:
    lay(tmp_path, "train/a.png", "test/b.png")
    with pytest.raises(ValueError, match="want images in class folders"):
        scan(tmp_path)


def test_class_folders_beside_split_folders_are_an_error_that_names_them(tmp_path: Path) -> None:
    lay(tmp_path, "train/cat/a.png", "train/dog/a.png", "elk/a.png")
    with pytest.raises(ValueError, match=r"got train beside elk\. Move"):
        scan(tmp_path)


@pytest.mark.parametrize("names", [("val", "test"), ("train", "val", "valid")])
def test_split_folders_without_train_or_twice_are_an_error(tmp_path: Path, names: tuple[str, ...]) -> None:
    lay(tmp_path, *(f"{name}/{label}/a.png" for name in names for label in ("cat", "dog")))
    with pytest.raises(ValueError, match="want train, and at most one val and one test folder, got"):
        scan(tmp_path)


TABLE = "path,label\n1.png,cat\ndeep/er/2.png,cat\nnotes.txt,dog\ndeep/3.png,dog\n"


def with_table(folder: Path, *paths: str) -> Path:
    lay(folder, "1.png", "deep/er/2.png", "notes.txt", "deep/3.png", *paths)
    (folder / "labels.csv").write_text(TABLE)
    return folder


@pytest.mark.parametrize("look", [scan, scan_optional])
def test_a_table_decides_wherever_the_files_are(tmp_path: Path, look: Callable[[Path], tuple[Found, ...]]) -> None:
    assert look(with_table(tmp_path, "cat/left.png", "train/dog/out.png", "loose.png")) == (
        Found("1.png", "cat", None),
        Found("deep/3.png", "dog", None),
        Found("deep/er/2.png", "cat", None),
        Found("notes.txt", "dog", None),
    )


def test_a_table_alone_is_an_error_also_in_the_source(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(TABLE)
    with pytest.raises(ValueError, match="want a file for every row, got none for 4 of them"):
        scan_optional(tmp_path)


def test_a_file_of_a_table_may_be_a_link_but_no_folder_may(tmp_path: Path) -> None:
    folder = with_table(tmp_path / "data")
    (folder / "1.png").unlink()
    (folder / "1.png").symlink_to(tmp_path / "nowhere.png")
    assert "1.png" in [each.path for each in scan(folder)]
    (folder / "more").symlink_to(tmp_path)
    with pytest.raises(ValueError, match=r"data/more: want a folder, got a link to one: DVC does not see"):
        scan(folder)


def test_a_table_may_not_name_hidden_files(tmp_path: Path) -> None:
    lay(tmp_path, ".x/1.png", "a.png", "b.png", "c.png")
    (tmp_path / "labels.csv").write_text("path,label\n.x/1.png,cat\na.png,cat\nb.png,dog\nc.png,dog\n")
    with pytest.raises(ValueError, match=r"want no hidden files .+ got 1 of them: '\.x/1\.png'\."):
        scan(tmp_path)


def test_the_error_for_loose_images_suggests_a_table(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"Move each .+, or name their classes in a table of path,label in .+/labels\.csv"
    ):
        scan(lay(tmp_path, "train/a.png", "train/cat/a.png", "train/dog/a.png"))


def test_the_source_may_be_absent_or_empty(tmp_path: Path) -> None:
    assert scan_optional(tmp_path / "source") == ()
    assert scan_optional(lay(tmp_path, ".gitignore", "README.md")) == ()


def test_a_source_that_exists_must_be_sound(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="want images in class folders"):
        scan_optional(lay(tmp_path, "a.png"))
    lay(tmp_path / "other", "cat/a.png", "dog/a.png")
    assert len(scan_optional(tmp_path / "other")) == 2


EVIL = "a\x1b[2J\nwarning: b\u202e"


@pytest.mark.parametrize(
    "paths",
    [
        (f"{EVIL}/a.png",),
        (f"{EVIL}.png", "cat/a.png"),
        (f"train/cat/{EVIL}.png", f"{EVIL}/a.png"),
        (f"train/{EVIL}.png",),
        (f"train/{EVIL}/a.png", "train/cat/a.png", "test/cat/a.png"),
        (f"{EVIL}/a.png", f"{EVIL.upper()}/a.png"),
        (f"{EVIL}/.hidden", "cat/a.png", "dog/a.png"),
        (f"{EVIL}/a.png", "->cat"),
        ("cat/a.png", f"->{EVIL}"),
    ],
)
def test_every_error_of_a_scan_is_one_line_whatever_the_names(tmp_path: Path, paths: tuple[str, ...]) -> None:
    domain = lay(tmp_path / EVIL, *(each for each in paths if not each.startswith("->")))
    for link in (each.removeprefix("->") for each in paths if each.startswith("->")):
        (domain / link).symlink_to(tmp_path if link == "cat" else tmp_path / "nowhere")
    with pytest.raises(ValueError, match="want") as caught:
        scan(domain)
    assert not UNSEEN.search(str(caught.value))


def test_files_of_operating_systems_are_neither_classes_nor_images(tmp_path: Path) -> None:
    lay(
        tmp_path, "cat/a.png", "dog/b.png", "cat/Thumbs.db", "dog/desktop.ini", "cat/@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg"
    )
    lay(tmp_path, "@eaDir/x/y.jpg", "__MACOSX/cat/._a.png", "lost+found/a.png", "$RECYCLE.BIN/a.png", "dog/._b.png")
    assert [each.path for each in scan(tmp_path)] == ["cat/a.png", "dog/b.png"]


def test_a_label_is_in_nfc_and_its_path_keeps_its_bytes(tmp_path: Path) -> None:
    lay(tmp_path, "cafe\u0301/a.png", "dog/b.png")
    found = scan(tmp_path)[0]
    assert found.label == "caf\u00e9"
    assert (tmp_path / found.path).is_file()
