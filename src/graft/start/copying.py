"""Copy images and files of weights into the repository, completely or not at all, never over other files."""

import filecmp
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from graft.files import FULL, no_room, visible
from graft.preparation.found import FOLDERS, Found
from graft.preparation.leftovers import is_left_out
from graft.preparation.scan import scan, scan_unlabelled

DOMAINS = ("source", "target")
# first part of the name of an unfinished copy
TEMPORARY = ".graft-start-"


class Copy(NamedTuple):
    """Files to copy from one folder to another."""

    origin: Path
    goal: Path
    found: tuple[Found, ...]
    """images that a scan of the origin finds"""
    paths: tuple[str, ...]
    """paths of these images and of tables beside them, relative to both folders"""

    @property
    def n_bytes(self) -> int:
        """Size of all files in bytes."""
        return sum((self.origin / each).stat().st_size for each in self.paths)


def origins(folder: Path, raw: Path) -> dict[str, Path]:
    """Folders of all domains: those of their names below a folder, or the folder itself as the target.

    Args:
        folder: folder that the user named.
        raw: folder of the pipeline's raw images, whose source and unlabelled images are used if it has none.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: the folder holds this repository, each folder of which would be a class, or unlabelled images lie
            beside classes.
    """
    if folder.is_dir() and Path.cwd().is_relative_to(folder.resolve()):
        raise ValueError(
            f"graft start, --from: want a folder of images, got {visible(folder.resolve())}, which holds this "
            "repository. Name the folder of the images, or leave out `--from` where they lie in data/raw/target."
        )
    if not folder.is_dir():
        got = "a file" if folder.is_file() else "none"
        raise FileNotFoundError(
            f"graft start, --from: want a folder of images, got {got} at {visible(folder)}. Mend the path."
        )
    folder = folder.resolve()
    below = {each.name for each in folder.iterdir() if each.is_dir() and not is_left_out(each.name)}
    unlabeled = FOLDERS["unlabeled"]
    has_parts = all(any(part.is_dir() for part in (folder / each).iterdir()) for each in DOMAINS if each in below)
    # without labels of the target there is no folder of it
    is_whole = below in ({*DOMAINS}, {*DOMAINS, unlabeled}, {"source", unlabeled})
    if is_whole and has_parts:
        there = folder if unlabeled in below else raw
        return {**{each: folder / each for each in DOMAINS}, "unlabeled": there / unlabeled}
    if unlabeled in below:
        raise ValueError(
            f"{visible(folder)}: want {unlabeled} beside source or target alone, got it beside other folders, where it "
            "would be a class. Move the folders of the classes into a new folder target, or into source if they are "
            "the source's."
        )
    return {"source": raw / "source", "target": folder, "unlabeled": raw / unlabeled}


def planned(origin: Path, goal: Path, found: tuple[Found, ...]) -> Copy | None:
    """Images and tables to copy; None if all of them are there already.

    Raises:
        FileExistsError: the goal holds other files.
    """
    if goal.exists() and goal.resolve() == origin.resolve():
        return None
    _check_goal(goal, origin)
    tables = [
        each.name
        for each in origin.iterdir()
        if each.suffix.lower() == ".csv" and not is_left_out(each.name) and each.is_file()
    ]
    # links to nowhere are left out
    whole = tuple(each for each in found if (origin / each.path).is_file())
    copy = Copy(origin, goal, whole, (*(each.path for each in whole), *sorted(tables)))
    if not goal.exists() or not any(goal.iterdir()):
        return copy
    got = _difference(copy)
    if not got:
        return None
    raise FileExistsError(
        f"{visible(goal)}: want an empty folder to copy {visible(origin)} to, got one {got}. Move that folder away, or "
        "leave out `--from` to go on with what is there."
    )


def _check_goal(goal: Path, origin: Path) -> None:
    """Refuse a goal that is a link or a file."""
    if goal.is_symlink() or (goal.exists() and not goal.is_dir()):
        got = "a link" if goal.is_symlink() else "a file"
        raise FileExistsError(
            f"{visible(goal)}: want a folder, or none, to copy {visible(origin)} to, got {got}. Move it away."
        )


def _difference(copy: Copy) -> str:
    """How the goal differs from the copy; empty if it does not."""
    there, wanted = _files(copy.goal), set(copy.paths)
    if more := sorted(there - wanted):
        return f"with other files, such as {visible(more[0])}"
    if lacking := sorted(wanted - there):
        return f"without some of its files, such as {visible(lacking[0])}"
    changed = next((path for path in copy.paths if not _same(copy, path)), None)
    return "" if changed is None else f"with other files, such as {visible(changed)}"


def _files(folder: Path) -> set[str]:
    """Paths of all files below a folder that are not left out by their names."""
    paths = [each.relative_to(folder) for each in folder.rglob("*") if not each.is_dir()]
    return {each.as_posix() for each in paths if not any(map(is_left_out, each.parts))}


def copy_images(copies: Sequence[Copy]) -> None:
    """Copy all files, then rename the copies: all of them or none.

    Raises:
        OSError: there is no room, or a file cannot be read or written.
    """
    made: list[Path] = []
    with _temporary(copies[0].goal.parent) as folder:
        total = sum(each.n_bytes for each in copies)
        with tqdm(total=total, desc="copying", unit="B", unit_scale=True, disable=None, leave=False) as bar:
            for each in copies:
                _fill(folder / each.goal.name, each, bar)
        try:
            for each in copies:
                (folder / each.goal.name).rename(each.goal)
                made.append(each.goal)
        # Ctrl-C is a BaseException
        except BaseException:
            for goal in made:
                goal.rename(folder / goal.name)
            raise


def dvc_file(goal: Path) -> Path:
    """The file that DVC writes beside a folder that it tracks."""
    return goal.with_name(f"{goal.name}.dvc")


def stands_for_others(goal: Path) -> str:
    """A sentence on a .dvc file whose images are missing: `dvc add` overwrites it."""
    return (
        f"{visible(dvc_file(goal))} stands for images that are not here, and after `dvc add` for those of the copy. "
        "For the former run `dvc pull`, without `--from`."
    )


def check_room(copies: Sequence[Copy]) -> str:
    """A sentence on the room that a copy takes and the room that is free.

    Raises:
        OSError: there is too little room.
    """
    total, n_files = sum(each.n_bytes for each in copies), sum(len(each.paths) for each in copies)
    goal = copies[0].goal
    there = next(each for each in goal.absolute().parents if each.is_dir())
    free = shutil.disk_usage(there).free
    took = f"{n_files:,} files, {total / 1e6:,.1f} MB"
    if total > free:
        raise OSError(
            f"{visible(goal)}: want room for {took}, got {free / 1e6:,.1f} MB free on the disk of {visible(there)}. "
            "Free some."
        )
    return f"{took} ({free / 1e9:,.1f} GB free; `dvc add` keeps as much again)"


def copy_weights(file: Path, goal: Path) -> None:
    """Copy a file of weights, unless it is there already.

    Raises:
        FileExistsError: another file has this name.
        OSError: there is no room, or a file cannot be read or written.
    """
    check_weights(file, goal)
    if goal.exists():
        return
    with _temporary(goal.parent) as folder, _told(file, goal):
        _copy(file, folder / goal.name)
        (folder / goal.name).rename(goal)


def check_weights(file: Path, goal: Path) -> None:
    """Refuse to copy a file of weights over another file.

    Raises:
        FileExistsError: the goal is another file.
    """
    if goal.exists() and not filecmp.cmp(file, goal, shallow=False):
        raise FileExistsError(
            f"{visible(goal)}: want no other file of this name, got one that differs from {visible(file)}. Rename one."
        )


def check_writable(folder: Path) -> None:
    """Refuse a folder in which no file can be created; the folder is created if it is missing.

    Raises:
        OSError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(
            f"{visible(folder.absolute())}: want a folder that can be written to, got: {error.strerror}. Look at its "
            "permissions; nothing was written."
        ) from None


def _same(copy: Copy, path: str) -> bool:
    return filecmp.cmp(copy.origin / path, copy.goal / path, shallow=False)


@contextmanager
def _temporary(parent: Path) -> Iterator[Path]:
    """A temporary folder beside the goal, on the same disk; folders of killed runs are deleted."""
    check_writable(parent)
    for stale in parent.glob(f"{TEMPORARY}*"):
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=parent) as name:
        yield Path(name)


def _fill(folder: Path, copy: Copy, bar: "tqdm[Any]") -> None:
    for path in copy.paths:
        goal = folder / path
        goal.parent.mkdir(parents=True, exist_ok=True)
        with _told(copy.origin / path, copy.goal):
            _copy(copy.origin / path, goal)
        bar.update(goal.stat().st_size)
    _check_reads_alike(folder, copy)


def _check_reads_alike(folder: Path, copy: Copy) -> None:
    """Refuse a copy that a scan reads differently: a table may name files by the name of their folder."""
    is_unlabelled = copy.goal.name == FOLDERS["unlabeled"]
    try:
        read = scan_unlabelled(folder) if is_unlabelled else scan(folder, needs_train=False)
        alike = read == copy.found
    except ValueError:
        alike = False
    if not alike:
        raise ValueError(
            f"{visible(copy.origin)}: want images that a copy has too, got others there. Write the paths in its "
            "table relative to the table's own folder."
        )


def _copy(file: Path, goal: Path) -> None:
    """Copy a file with its time of change, which matters, but not its permissions, which may be read-only."""
    shutil.copyfile(file, goal)
    times = file.stat()
    os.utime(goal, ns=(times.st_atime_ns, times.st_mtime_ns))


@contextmanager
def _told(file: Path, goal: Path) -> Iterator[None]:
    """Turn an error of copying a file into one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise OSError(no_room(goal, error)) from None
        why = error.strerror or " ".join(str(error).split())
        raise OSError(
            f"{visible(file)}: want a file that can be copied to {visible(goal)}, got: {why}. Look at the permissions "
            "of both; nothing was copied."
        ) from None
