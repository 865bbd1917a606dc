"""What lies in a domain's folder and is left out: because of its name, or because it has no label."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from graft.preparation.found import Found
from graft.records.catalog import LeftOut

SYSTEM_FOLDERS = ("@eadir", "__macosx", "#recycle", "$recycle.bin", "lost+found", "system volume information")
"""of disk stations, archivers and operating systems, in any case; they hold thumbnails and deleted files"""
SYSTEM_FILES = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r")
HIDDEN_SYSTEM = (".ds_store", "._", ".spotlight-", ".trash", ".fseventsd", ".apdisk", ".thumbnails", ".@__thumb")
"""how hidden names of the same origin begin"""
IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".jp2", ".ppm", ".pgm", ".pbm", ".heic"),
)
"""files with these names are meant as images"""
MOST_NAMED = 10

Kind = Literal["hidden", "system_folder", "system_file", "unlabelled"]


class _Left(NamedTuple):
    kind: Kind
    path: str
    n_files: int


def is_left_out(name: str) -> bool:
    """Whether a file or folder of this name takes part in nothing."""
    return name.startswith(".") or is_system(name)


def is_system(name: str) -> bool:
    """Whether a name is one that an operating system, a disk station or an archiver gives."""
    folded = name.casefold()
    return folded in (*SYSTEM_FOLDERS, *SYSTEM_FILES) or folded.startswith(HIDDEN_SYSTEM)


def left_out(folder: Path) -> tuple[LeftOut, ...]:
    """What is left out by name, by kind: all files of systems, and of hidden files those that an image's suffix marks.

    Args:
        folder: of the domain; nothing is left out of one that is not there.
    """
    found = list(_walk(folder))
    return tuple(record for kind in get_args(Kind) if (record := _record(kind, found)).n_files)


def unlabelled(folder: Path, found: Sequence[Found]) -> tuple[LeftOut, ...]:
    """The images that no table of labels names, where there are any; in class folders all have a label.

    Args:
        folder: of the domain.
        found: its files that have a label.
    """
    labelled = {each.path for each in found}
    lost = [_Left("unlabelled", _recorded(path), 1) for path in _images(folder) if path not in labelled]
    return (_record("unlabelled", lost),) if lost else ()


def _images(folder: Path) -> Iterator[str]:
    """Paths of files that an image's suffix marks and whose names are not left out."""
    for top, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if not is_left_out(each)]
        below = "".join(f"{part}/" for part in Path(top).relative_to(folder).parts)
        yield from (
            f"{below}{each}" for each in files if each.lower().endswith(IMAGE_SUFFIXES) and not is_left_out(each)
        )


def _record(kind: Kind, found: Sequence[_Left]) -> LeftOut:
    chosen = sorted(each for each in found if each.kind == kind)
    paths = tuple(each.path for each in chosen[:MOST_NAMED])
    return LeftOut(kind=kind, n_files=sum(each.n_files for each in chosen), paths=paths)


def _walk(folder: Path) -> Iterator[_Left]:
    for top, folders, files in os.walk(folder):
        here = Path(top)
        for name in [each for each in folders if is_left_out(each)]:
            folders.remove(name)
            below = [each for _, _, files_below in os.walk(here / name) for each in files_below]
            yield from _left(folder, here / name, below)
        for name in files:
            if is_left_out(name):
                yield from _left(folder, here / name, [name])


def _left(folder: Path, path: Path, files: Sequence[str]) -> Iterator[_Left]:
    """One entry, unless a hidden one holds no images."""
    kind: Kind = "hidden"
    if is_system(path.name):
        kind = "system_folder" if path.is_dir() else "system_file"
    n_files = sum(kind != "hidden" or Path(each).suffix.lower() in IMAGE_SUFFIXES for each in files)
    if n_files:
        yield _Left(kind, _recorded(path.relative_to(folder).as_posix()), n_files)


def _recorded(path: str) -> str:
    return path.encode(errors="backslashreplace").decode()  # records are UTF-8
