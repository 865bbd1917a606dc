"""What lies in a domain's folder and is left out because of its name."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from graft.records import LeftOut

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

Kind = Literal["hidden", "system_folder", "system_file"]


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
    """What is left out, by kind: all files of systems, and of hidden files those that an image's suffix marks.

    Args:
        folder: of the domain; nothing is left out of one that is not there.
    """
    found = list(_walk(folder))
    return tuple(record for kind in get_args(Kind) if (record := _record(kind, found)).n_files)


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
        below = path.relative_to(folder).as_posix()
        yield _Left(kind, below.encode(errors="backslashreplace").decode(), n_files)  # records are UTF-8
