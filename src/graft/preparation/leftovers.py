"""Report files of a domain's folder that are left out, because of their name or because they have no label."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from graft.preparation.found import Found
from graft.records.catalog import LeftOut

# Folders of disk stations, archivers and operating systems, in lower case; they hold thumbnails and deleted files.
SYSTEM_FOLDERS = ("@eadir", "__macosx", "#recycle", "$recycle.bin", "lost+found", "system volume information")
SYSTEM_FILES = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r")
# Prefixes of hidden names with the same origin.
HIDDEN_SYSTEM = (".ds_store", "._", ".spotlight-", ".trash", ".fseventsd", ".apdisk", ".thumbnails", ".@__thumb")
# Suffixes of files that are meant to be images.
IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".jp2", ".ppm", ".pgm", ".pbm", ".heic"),
)
# Paths that the record names, for each kind.
MOST_NAMED = 10

Kind = Literal["hidden", "system_folder", "system_file", "unlabelled"]


class _Left(NamedTuple):
    kind: Kind
    path: str
    n_files: int


def is_left_out(name: str) -> bool:
    """Whether files and folders of this name are ignored everywhere."""
    return name.startswith(".") or is_system(name)


def is_system(name: str) -> bool:
    """Whether operating systems, disk stations or archivers create files or folders of this name."""
    folded = name.casefold()
    return folded in (*SYSTEM_FOLDERS, *SYSTEM_FILES) or folded.startswith(HIDDEN_SYSTEM)


def left_out(folder: Path) -> tuple[LeftOut, ...]:
    """Files that are left out because of their name, by kind.

    All files of the operating system count, but hidden files only if they have the suffix of an image.

    Args:
        folder: the domain's folder; the result is empty if it does not exist.
    """
    found = list(_walk(folder))
    return tuple(record for kind in get_args(Kind) if (record := _record(kind, found)).n_files)


def unlabelled(folder: Path, found: Sequence[Found]) -> tuple[LeftOut, ...]:
    """Images that the table of labels does not name. Without a table there are none: class folders label all images.

    Args:
        folder: the domain's folder.
        found: the files in it that have a label.
    """
    labelled = {each.path for each in found}
    lost = [_Left("unlabelled", _recorded(path), 1) for path in _images(folder) if path not in labelled]
    return (_record("unlabelled", lost),) if lost else ()


def _images(folder: Path) -> Iterator[str]:
    """Paths of files with the suffix of an image whose names are not left out."""
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
    """One entry; none for a hidden file or folder without images."""
    kind: Kind = "hidden"
    if is_system(path.name):
        kind = "system_folder" if path.is_dir() else "system_file"
    n_files = sum(kind != "hidden" or Path(each).suffix.lower() in IMAGE_SUFFIXES for each in files)
    if n_files:
        yield _Left(kind, _recorded(path.relative_to(folder).as_posix()), n_files)


def _recorded(path: str) -> str:
    # records are UTF-8; a file name may be any bytes
    return path.encode(errors="backslashreplace").decode()
