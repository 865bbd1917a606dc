"""Read labels.csv in a domain's folder: the columns path and label, and optionally split and group."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from graft.files import UNSEEN, visible
from graft.preparation.csv_table import CsvHeader, read_cells, read_header
from graft.preparation.found import SPLIT_NAMES, Found, absent_classes
from graft.preparation.leftovers import is_left_out
from graft.preparation.names import finder, some
from graft.records.common import Split
from graft.store.catalogue import look, nfc

TABLE = "labels.csv"
# The way to work with labels in a test split alone.
TEST_ALONE = (
    "Test alone will do where data/raw/target_unlabeled has images and data/raw/source has labelled ones, from which "
    "the classes are then learned."
)
NEEDED = ("path", "label")
COLUMNS = (*NEEDED, "split", "group")
# Names that other tables give to the needed columns.
MEANT = {
    "path": (
        "file",
        "filename",
        "file_name",
        "filepath",
        "file_path",
        "image",
        "image_path",
        "img",
        "name",
        "image_id",
    ),
    "label": ("class", "class_name", "classname", "category", "target", "y", "labels", "diagnosis", "species"),
}


class _TableRow(NamedTuple):
    """A row of the table as it was written."""

    path: str
    label: str
    split: str
    group: str


def table_in(folder: Path) -> Path | None:
    """The table of labels in a folder, its name in upper or lower case; None if there is none.

    Raises:
        ValueError: there are several, or it is not a file.
    """
    named = sorted(each for each in folder.iterdir() if look(each.name) == TABLE)
    if len(named) > 1:
        names = " and ".join(visible(each.name) for each in named)
        raise ValueError(f"{visible(folder)}: want one table of labels, got {names}. Delete or rename one.")
    if named and not named[0].is_file():
        raise ValueError(
            f"{visible(named[0])}: want a CSV, got a folder, a pipe or a broken link. Replace it, or rename it."
        )
    return named[0] if named else None


def read_labels(table: Path, files: Sequence[str], needs_train: bool = True) -> tuple[Found, ...]:
    """The files that the table names, sorted by path; equal rows count once.

    Args:
        table: the domain's table of labels.
        files: paths that the table may name, relative to its folder, with forward slashes.
        needs_train: whether a column split must have train. Without, test alone will do.

    Raises:
        OSError: the table cannot be read.
        ValueError: it is not a CSV in UTF-8, lacks a column, rows or cells, names files that do not exist,
            contradicts itself about a file, or has unusable labels, splits or groups.
    """
    where, header = visible(table), _header(table)
    lines = [_TableRow(*cells) for cells in read_cells(table, header, COLUMNS)]
    _check_cells(where, lines)
    paths = _placed(table, [line.path for line in lines], files)
    _check_labels(where, [line.label for line in lines])
    _check_splits(where, lines, needs_train)
    said = {
        Found(path, nfc(line.label), _split(line), nfc(line.group) or None)
        for path, line in zip(paths, lines, strict=True)
    }
    found = tuple(sorted(said, key=lambda each: each.path))
    _check_once(where, found)
    _check_classes(where, found)
    return found


def _header(table: Path) -> CsvHeader:
    header = read_header(table)
    missing = [name for name in NEEDED if name not in header.columns]
    if missing:
        raise ValueError(
            f"{visible(table)}: want a header with the columns path and label, and optionally split and group, got "
            f"{header.shown}. {_renaming(header, missing)}"
        )
    return header


def _renaming(header: CsvHeader, missing: Sequence[str]) -> str:
    """Advice for missing columns: which to rename, where a column of another name looks right."""
    alike = {
        name: written
        for name in missing
        for written, folded in reversed(tuple(zip(header.written, header.columns, strict=True)))
        if folded in MEANT[name]
    }
    if set(alike) == set(missing):
        return f"Rename {' and '.join(f'{visible(written)} to {name}' for name, written in alike.items())}."
    return "Name the columns so in its first line, or rename the file if it is not a table of labels."


def _check_cells(where: str, lines: Sequence[_TableRow]) -> None:
    """Check that every row has a path and a label, and that all rows or none have a split, and likewise a group."""
    if not lines:
        raise ValueError(f"{where}: want a row for each image, got only a header. Add rows, or delete the file.")
    pathless = [line.label for line in lines if not line.path]
    if pathless:
        raise ValueError(
            f"{where}: want a path in every row, got none in {len(pathless)}, such as one with the label "
            f"{pathless[0]!r}. Add it, or delete the row."
        )
    for column, cure in (
        ("label", "Add it, or delete these rows: the images are then left out."),
        ("split", "Write train, val or test in every row, or in none."),
        ("group", "Write one in every row, or in none; an image that belongs to no other gets a group of its own."),
    ):
        empty = [line.path for line in lines if not getattr(line, column)]
        if empty and (column == "label" or len(empty) < len(lines)):
            raise ValueError(f"{where}: want a {column} for every image, got none for {some(empty)}. {cure}")


def _placed(table: Path, written: Sequence[str], files: Sequence[str]) -> list[str]:
    """The file that each path names; an error if one does not exist."""
    find = finder(table.parent, files)
    places = [find(path) for path in written]
    lost = [path for path, place in zip(written, places, strict=True) if place is None]
    if lost:
        where, folder = visible(table), visible(table.parent)
        outside = [path for path in lost if _leads_out(path)]
        hidden = [path for path in lost if any(map(is_left_out, PurePosixPath(path).parts))]
        if outside:
            raise ValueError(
                f"{where}: want paths relative to {folder}, such as {_example(files)}, got others for "
                f"{some(outside)}. Put the files there, and remove what comes before from the paths."
            )
        if hidden:
            raise ValueError(
                f"{where}: want no hidden files and no files of the operating system, got {some(hidden)}. Delete these "
                "rows, or rename the files."
            )
        raise ValueError(
            f"{where}: want a file for every row, got none for {some(lost)}{_hint(lost[0], files)}. Fix the paths, "
            f"put the files into {folder}, or delete these rows."
        )
    return [place for place in places if place is not None]


def _leads_out(path: str) -> bool:
    # a Windows path accepts both separators
    parts = PureWindowsPath(path)
    return bool(parts.drive or parts.root or ".." in parts.parts)


def _example(files: Sequence[str]) -> str:
    return repr(next((name for name in files if look(name) != TABLE), "cat/1.png"))


def _hint(lost: str, files: Sequence[str]) -> str:
    """A file that the path may mean: the same name in another case, in another folder, or with a suffix."""
    name = PureWindowsPath(lost).name

    def n_alike(path: str) -> int:
        there = PurePosixPath(path)
        return (look(path) == look(lost)) + (look(there.name) == look(name)) + (look(there.stem) == look(name))

    best = max(files, key=n_alike, default="")
    return f" ({best!r} exists)" if best and n_alike(best) else ""


def _check_labels(where: str, labels: Sequence[str]) -> None:
    """Check that there are several classes, of several images each, and no class under two spellings."""
    counts = Counter(map(nfc, labels))
    seen: dict[str, str] = {}
    for label, n in sorted(counts.items()):
        alike = seen.setdefault(_sense(label), label)
        if alike != label:
            raise ValueError(
                f"{where}: want labels that differ in more than case, spaces, accents' encoding or decimals, got "
                f"{alike!r} in {counts[alike]} rows and {label!r} in {n}. Write the same in all of them."
            )
    if len(counts) == 1:
        raise ValueError(f"{where}: want at least two labels, got only {labels[0]!r}. Add rows of another class.")
    if 2 * len(counts) > len(labels):
        named = ", ".join(repr(label) for label in sorted(counts)[:3])
        raise ValueError(
            f"{where}: want several rows for each label, got {len(counts)} labels in {len(labels)} rows, such as "
            f"{named}. If these are not classes, name another column label; otherwise add images."
        )


def _sense(label: str) -> str:
    """A label without differences of spelling: 1.0 becomes 1, and invisible characters and extra spaces go."""
    label = " ".join(UNSEEN.sub("", label).split())
    number = re.fullmatch(r"(\d+)(?:[.,]0+)?", label)
    return str(int(number[1])) if number else look(label)


def _check_splits(where: str, lines: Sequence[_TableRow], needs_train: bool) -> None:
    words = Counter(line.split for line in lines if line.split)
    unknown = [word for word, _ in words.most_common() if look(word) not in SPLIT_NAMES]
    if unknown:
        raise ValueError(
            f"{where}: want train, val or test in the column split, got {unknown[0]!r} in {words[unknown[0]]} rows. "
            "Write one of these, or rename the column: graft then cuts the splits."
        )
    named = {SPLIT_NAMES[look(word)] for word in words}
    test_alone = named == {"test"}
    if named and "train" not in named and not (test_alone and not needs_train):
        raise ValueError(
            f"{where}: want rows of train in the column split, got only {' and '.join(sorted(named))}. Add them."
            f"{f' {TEST_ALONE}' if test_alone else ''}"
        )


def _split(line: _TableRow) -> Split | None:
    return SPLIT_NAMES[look(line.split)] if line.split else None


def _check_once(where: str, found: Sequence[Found]) -> None:
    """Check that rows for one file agree.

    Args:
        where: the table, for the error message.
        found: the files, sorted by path, so that rows for one file are neighbours.
    """
    for column in ("label", "split", "group"):
        differ = [a.path for a, b in pairwise(found) if a.path == b.path and getattr(a, column) != getattr(b, column)]
        if differ:
            raise ValueError(
                f"{where}: want one {column} for every image, got several for {some(list(dict.fromkeys(differ)))}. "
                "Keep one row for each image."
            )


def _check_classes(where: str, found: Sequence[Found]) -> None:
    for split, missing in absent_classes(found):
        raise ValueError(
            f"{where}: want rows of every label in every split, got none of {', '.join(map(repr, missing))} in "
            f"{split}. Add some, or remove the column split: graft then cuts the splits."
        )
