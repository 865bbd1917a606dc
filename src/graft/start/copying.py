"""Copy images, and files of weights, into the repository: whole or not at all, and never over what differs."""

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
from graft.preparation.found import Found
from graft.preparation.leftovers import is_left_out
from graft.preparation.scan import scan

DOMAINS = ("source", "target")
TEMPORARY = ".graft-start-"
"""how the name of an unfinished copy begins"""


class Copy(NamedTuple):
    """Files of a folder, and the folder that they shall fill."""

    origin: Path
    goal: Path
    found: tuple[Found, ...]
    """what a scan of the origin finds"""
    paths: tuple[str, ...]
    """of these files and of tables beside them, relative to either folder"""

    @property
    def n_bytes(self) -> int:
        """Of all files."""
        return sum((self.origin / each).stat().st_size for each in self.paths)


def origins(folder: Path, raw: Path) -> dict[str, Path]:
    """The folders that stand for source and target: those two below a folder, or the folder itself as the target.

    Args:
        folder: that a person named.
        raw: of the pipeline, which has its own source where the folder brings none.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: it holds the pipeline itself, of which every folder would be a class.
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
    if below == set(DOMAINS) and all(any(part.is_dir() for part in (folder / each).iterdir()) for each in DOMAINS):
        return {each: folder / each for each in DOMAINS}
    return {"source": raw / "source", "target": folder}


def planned(origin: Path, goal: Path, found: tuple[Found, ...]) -> Copy | None:
    """What is to be copied: images, and tables beside them; None where all of it is there already.

    Raises:
        FileExistsError: other files are there.
    """
    if goal.exists() and goal.resolve() == origin.resolve():
        return None
    _check_goal(goal, origin)
    tables = [
        each.name
        for each in origin.iterdir()
        if each.suffix.lower() == ".csv" and not is_left_out(each.name) and each.is_file()
    ]
    whole = tuple(each for each in found if (origin / each.path).is_file())  # not links to nowhere
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
    """Refuse what no folder can take the name of."""
    if goal.is_symlink() or (goal.exists() and not goal.is_dir()):
        got = "a link" if goal.is_symlink() else "a file"
        raise FileExistsError(
            f"{visible(goal)}: want a folder, or none, to copy {visible(origin)} to, got {got}. Move it away."
        )


def _difference(copy: Copy) -> str:
    """What is not the same in a folder that should be this copy; empty where all is."""
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
    """Copy, then give the copies their names: all of them or none.

    Raises:
        OSError: no room, or a file that cannot be read or written.
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
        except BaseException:  # Ctrl-C, too
            for goal in made:
                goal.rename(folder / goal.name)
            raise


def dvc_file(goal: Path) -> Path:
    """What DVC would write beside a folder that it keeps track of."""
    return goal.with_name(f"{goal.name}.dvc")


def stands_for_others(goal: Path) -> str:
    """A sentence on a .dvc file whose images are not there, for `dvc add` writes over it."""
    return (
        f"{visible(dvc_file(goal))} stands for images that are not here, and after `dvc add` for those of the copy. "
        "For the former run `dvc pull`, without `--from`."
    )


def check_room(copies: Sequence[Copy]) -> str:
    """A sentence on what a copy takes and what is free.

    Raises:
        OSError: too little is free.
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
    """Copy a file of weights, unless it lies there already.

    Raises:
        FileExistsError: another file has this name.
        OSError: no room, or a file that cannot be read or written.
    """
    check_weights(file, goal)
    if goal.exists():
        return
    with _temporary(goal.parent) as folder, _told(file, goal):
        _copy(file, folder / goal.name)
        (folder / goal.name).rename(goal)


def check_weights(file: Path, goal: Path) -> None:
    """Refuse where another file lies where a file of weights is to be copied to.

    Raises:
        FileExistsError: it does.
    """
    if goal.exists() and not filecmp.cmp(file, goal, shallow=False):
        raise FileExistsError(
            f"{visible(goal)}: want no other file of this name, got one that differs from {visible(file)}. Rename one."
        )


def check_writable(folder: Path) -> None:
    """Refuse where no file can be made in a folder, which is made if it is not there.

    Raises:
        OSError: it cannot be written to.
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
    """A folder to fill on the disk of another one, where it does not lie for good; those of killed runs go."""
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
    """Refuse a copy that reads otherwise than its original: a table may name files by the name of their folder."""
    try:
        alike = scan(folder) == copy.found
    except ValueError:
        alike = False
    if not alike:
        raise ValueError(
            f"{visible(copy.origin)}: want images that a copy has too, got others there. Write the paths in its "
            "table relative to the table's own folder."
        )


def _copy(file: Path, goal: Path) -> None:
    """With its time of change, which tells something of images; not with its permissions, which may be to read only."""
    shutil.copyfile(file, goal)
    times = file.stat()
    os.utime(goal, ns=(times.st_atime_ns, times.st_mtime_ns))


@contextmanager
def _told(file: Path, goal: Path) -> Iterator[None]:
    """One sentence where a file cannot be copied."""
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
