import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from tests.start.folders import classes, picture

from graft.preparation.scan import scan
from graft.start import copying
from graft.start.copying import Copy

Usage = namedtuple("Usage", "total used free")


def _files(folder: Path) -> dict[str, bytes]:
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def _planned(origin: Path, goal: Path) -> Copy | None:
    return copying.planned(origin, goal, scan(origin))


def _copied(origin: Path, goal: Path) -> None:
    copy = _planned(origin, goal)
    assert copy is not None
    copying.copy_images([copy])


def test_a_copy_has_all_images_and_tables_and_times(tmp_path: Path) -> None:
    origin, goal = classes(tmp_path / "photos"), tmp_path / "raw" / "target"
    (origin / "groups.csv").write_text("path,group\n")
    os.utime(origin / "cat" / "0.png", (1, 1))
    before = _files(origin)
    _copied(origin, goal)
    assert _files(goal) == before == _files(origin)
    assert (goal / "cat" / "0.png").stat().st_mtime == 1
    assert [each.name for each in goal.parent.iterdir()] == ["target"]


def test_hidden_files_and_links_to_nowhere_stay_behind(tmp_path: Path) -> None:
    origin = classes(tmp_path / "photos")
    picture(origin / "cat" / ".hidden.png")
    (origin / "cat" / "lost.png").symlink_to("nowhere")
    _copied(origin, tmp_path / "target")
    assert set(_files(tmp_path / "target")) == {f"{label}/{n}.png" for label in ("cat", "dog") for n in range(6)}


def test_what_may_only_be_read_becomes_an_ordinary_file(tmp_path: Path) -> None:
    origin = classes(tmp_path / "photos")
    (origin / "cat" / "0.png").chmod(0o400)
    _copied(origin, tmp_path / "target")
    assert (tmp_path / "target" / "cat" / "0.png").stat().st_mode & 0o200


def test_the_same_images_are_not_copied_twice(tmp_path: Path) -> None:
    origin, goal = classes(tmp_path / "photos"), tmp_path / "target"
    _copied(origin, goal)
    (goal / ".DS_Store").write_text("of a file manager")
    assert _planned(origin, goal) is None
    assert _planned(goal, goal) is None


@pytest.mark.parametrize("differs", ["cat/0.png", "cat/more.png"])
def test_other_images_in_the_way_are_left_alone(tmp_path: Path, differs: str) -> None:
    origin, goal = classes(tmp_path / "photos"), tmp_path / "target"
    _copied(origin, goal)
    picture(goal / differs, colour=(1, 2, 3))
    with pytest.raises(FileExistsError, match=f"one with other files, such as {differs}. Move that folder away"):
        _planned(origin, goal)


def test_a_folder_that_lacks_images_is_said_to(tmp_path: Path) -> None:
    origin, goal = classes(tmp_path / "photos"), tmp_path / "target"
    goal.mkdir()
    (goal / ".gitkeep").touch()
    with pytest.raises(FileExistsError, match=r"got one without some of its files, such as cat/0\.png\. Move that"):
        _planned(origin, goal)


@pytest.mark.parametrize("kind", ["a link", "a file"])
def test_what_is_no_folder_is_not_copied_over(tmp_path: Path, kind: str) -> None:
    origin, goal = classes(tmp_path / "photos"), tmp_path / "target"
    if kind == "a link":
        goal.symlink_to(tmp_path / "elsewhere")
    else:
        goal.touch()
    with pytest.raises(FileExistsError, match=f"want a folder, or none, to copy .* to, got {kind}. Move it away."):
        _planned(origin, goal)


def test_a_class_may_be_called_like_a_table(tmp_path: Path) -> None:
    origin = classes(tmp_path / "photos", names=("cat.csv", "dog"))
    _copied(origin, tmp_path / "target")
    assert _files(tmp_path / "target") == _files(origin)


@pytest.mark.parametrize("place", ["", "below"])
def test_the_repository_is_no_folder_of_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """`--from "$FOLDER"` with nothing in FOLDER names the place where one is."""
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / place)
    with pytest.raises(ValueError, match="which holds this repository"):
        copying.origins(tmp_path if place else Path(), Path("raw"))


def test_an_empty_folder_is_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    _copied(classes(tmp_path / "photos"), tmp_path / "target")
    assert (tmp_path / "target" / "dog" / "5.png").is_file()


def test_a_copy_that_ends_early_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = classes(tmp_path / "photos")

    def full(file: Path, goal: Path) -> None:
        if file.name == "3.png":
            raise OSError(errno.ENOSPC, "No space left on device", str(goal))
        Path(goal).write_bytes(Path(file).read_bytes())

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match=r"want room on the disk of .*No space left on device"):
        _copied(origin, tmp_path / "raw" / "target")
    assert list((tmp_path / "raw").iterdir()) == []


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt("Input/output error")])
def test_source_and_target_come_both_or_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    made = [_planned(classes(tmp_path / name), tmp_path / "raw" / name) for name in ("source", "target")]
    rename = Path.rename

    def second_fails(path: Path, goal: Path) -> Path:
        if goal == tmp_path / "raw" / "target":
            raise error
        return rename(path, goal)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(type(error), match="Input/output error"):
        copying.copy_images([each for each in made if each is not None])
    assert list((tmp_path / "raw").iterdir()) == []


def test_a_table_that_names_its_own_folder_is_refused(tmp_path: Path) -> None:
    origin = classes(tmp_path / "photos")
    rows = [f"photos/{label}/{number}.png,{label}" for label in ("cat", "dog") for number in range(6)]
    (origin / "labels.csv").write_text("\n".join(["path,label", *rows]))
    with pytest.raises(ValueError, match="relative to the table's own folder"):
        _copied(origin, tmp_path / "raw" / "target")
    assert list((tmp_path / "raw").iterdir()) == []


def test_what_a_killed_copy_left_goes(tmp_path: Path) -> None:
    (tmp_path / "raw" / f"{copying.TEMPORARY}x").mkdir(parents=True)
    _copied(classes(tmp_path / "photos"), tmp_path / "raw" / "target")
    assert [each.name for each in (tmp_path / "raw").iterdir()] == ["target"]


def test_too_little_room_is_said_before_anything_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = _planned(classes(tmp_path / "photos"), tmp_path / "target")
    assert copy is not None
    assert copying.check_room([copy]).startswith("12 files, 0.0 MB (")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10, 10, 9))
    with pytest.raises(OSError, match=r"want room for 12 files, 0\.0 MB, got 0\.0 MB free"):
        copying.check_room([copy])


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        OSError, match=r"want a folder that can be written to, got: File exists\. Look at its permissions"
    ):
        copying.check_writable(tmp_path / "file")


def test_a_folder_with_source_and_target_fills_both(tmp_path: Path) -> None:
    for name in ("source", "target"):
        classes(tmp_path / name)
    unlabeled = "target_unlabeled"
    both = {name: tmp_path / name for name in ("source", "target")}
    assert copying.origins(tmp_path, Path("raw")) == {**both, "unlabeled": Path("raw") / unlabeled}
    (tmp_path / unlabeled).mkdir()
    assert copying.origins(tmp_path, Path("raw")) == {**both, "unlabeled": tmp_path / unlabeled}


def test_a_source_and_unlabelled_images_need_no_folder_of_the_target(tmp_path: Path) -> None:
    classes(tmp_path / "source")
    (tmp_path / "target_unlabeled").mkdir()
    names = {"source": "source", "target": "target", "unlabeled": "target_unlabeled"}
    assert copying.origins(tmp_path, Path("raw")) == {domain: tmp_path / name for domain, name in names.items()}


def test_unlabelled_images_are_not_taken_for_a_class(tmp_path: Path) -> None:
    classes(tmp_path)
    classes(tmp_path, names=("target_unlabeled",))
    with pytest.raises(ValueError, match=r"want target_unlabeled beside source or target alone.* new folder target"):
        copying.origins(tmp_path, Path("raw"))


def test_a_third_folder_beside_source_and_target_is_a_class(tmp_path: Path) -> None:
    for name in ("source", "target"):
        classes(tmp_path / name)
    classes(tmp_path, names=("other",))
    assert copying.origins(tmp_path, Path("raw"))["target"] == tmp_path


def test_classes_may_be_called_source_and_target(tmp_path: Path) -> None:
    classes(tmp_path, names=("source", "target"))
    found = copying.origins(tmp_path, Path("raw"))
    assert (found["source"], found["target"]) == (Path("raw/source"), tmp_path)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="--from: want a folder of images, got none at"):
        copying.origins(tmp_path / "none", Path("raw"))
    (tmp_path / "file").write_text("")
    with pytest.raises(FileNotFoundError, match="got a file at"):
        copying.origins(tmp_path / "file", Path("raw"))


def test_weights_are_copied_once_and_never_over_others(tmp_path: Path) -> None:
    file, goal = tmp_path / "net.pth", tmp_path / "models" / "weights" / "net.pth"
    file.write_bytes(b"weights")
    for _ in range(2):
        copying.copy_weights(file, goal)
    assert [each.name for each in goal.parent.iterdir()] == ["net.pth"]
    file.write_bytes(b"others")
    with pytest.raises(FileExistsError, match="want no other file of this name"):
        copying.copy_weights(file, goal)
    assert goal.read_bytes() == b"weights"
