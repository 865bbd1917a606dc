"""Warn of what looks like a mistake in a table of labels. The table is used all the same."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from graft.files import visible
from graft.preparation.csv_table import CsvHeader, read_cells, read_header
from graft.preparation.found import SPLIT_NAMES, Found
from graft.preparation.label_table import COLUMNS, table_in
from graft.store.catalogue import look

# Words in names of columns that may hold groups.
GROUP_WORDS = frozenset(
    (
        *("patient", "subject", "person", "participant", "donor", "animal", "individual", "specimen", "slide", "case"),
        *("study", "series", "exam", "visit", "video", "clip", "movie", "scene", "sequence", "session", "burst"),
        *("event", "site", "hospital", "center", "centre", "clinic", "camera", "farm", "field", "plot", "location"),
    )
)
SPLIT_WORDS = frozenset(("split", "fold", "set", "subset", "partition", "phase", "usage"))
# Distinct values in a column that may name splits or folds.
MOST_SPLITS = 20
# What programs write for an empty cell.
NO_LABELS = frozenset(("nan", "na", "n/a", "#n/a", "null", "none", "?", "unlabelled", "unlabeled"))
# Share of the images in folders named like a class or a split for which the table may say otherwise, as a correction.
MANY = 0.1


def table_doubts(folder: Path, found: Sequence[Found], has_groups: bool) -> tuple[str, ...]:
    """Sentences on columns, labels and folders that look like a mistake; none without a table.

    Args:
        folder: the domain's folder.
        found: the files that the table names.
        has_groups: whether the table or params.yaml names groups.
    """
    table = table_in(folder) if found else None
    if table is None:
        return ()
    header = read_header(table)
    return (
        *([] if has_groups else _like_groups(table, header, len({each.label for each in found}))),
        *([] if found[0].split else _like_splits(table, header)),
        *_labels(found),
        *_class_folders(found),
        *_split_folders(found),
    )


def _like_groups(table: Path, header: CsvHeader, n_classes: int) -> Iterator[str]:
    """Columns named like a group whose values repeat, and that are more than the classes under another name."""
    for name, values in _columns(table, header, GROUP_WORDS):
        if n_classes < len(values) < sum(values.values()):
            yield (
                f"column {name!r} looks like groups of images that belong together ({len(values):,} values in "
                f"{sum(values.values()):,} rows): if so, name it group, or one group may be in both train and test"
            )


def _like_splits(table: Path, header: CsvHeader) -> Iterator[str]:
    for name, values in _columns(table, header, SPLIT_WORDS):
        if 1 < len(values) <= MOST_SPLITS:
            yield (
                f"column {name!r} looks like splits or folds ({', '.join(map(visible, sorted(values)[:3]))}"
                f"{', ...' if len(values) > 3 else ''}): if so, add a column split with train, val and test, or graft "
                "cuts the splits itself"
            )


def _columns(table: Path, header: CsvHeader, words: frozenset[str]) -> Iterator[tuple[str, Counter[str]]]:
    """Columns that graft does not read and whose name contains one of the words, with a count of their values."""
    for written, folded in zip(header.written, header.columns, strict=True):
        if folded not in COLUMNS and words & set(_words(written)):
            yield written, Counter(cell for (cell,) in read_cells(table, header, (folded,)) if cell)


def _words(name: str) -> Iterator[str]:
    """The words of a name such as patient_id, PatientID or videos, also without a final `id` or `s`."""
    for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name):
        yield from (word.lower(), word.lower().removesuffix("id"), word.lower().removesuffix("s"))


def _labels(found: Sequence[Found]) -> Iterator[str]:
    labels = sorted({each.label for each in found})
    decimals = [label for label in labels if re.fullmatch(r"-?\d+\.\d+", label)]
    missing = [label for label in labels if look(label) in NO_LABELS]
    if decimals:
        yield f"label {decimals[0]!r} is a number with decimals: if a program made it from a class, write its name"
    if missing:
        yield f"label {missing[0]!r} looks like an empty cell: if it does not name a class, delete these rows"


def _class_folders(found: Sequence[Found]) -> Iterator[str]:
    """Warn if many images are in a folder named like another class."""
    names = {look(each.label) for each in found}
    inside = [(each, _last(each, names)) for each in found]
    named = [(each, folder) for each, folder in inside if folder]
    against = [each for each, folder in named if look(folder) != look(each.label)]
    if len(against) > MANY * len(named):
        each = against[0]
        yield (
            f"{len(against):,} of {len(named):,} images are in a folder named like another class, such as "
            f"{each.path!r} with the label {each.label!r}: the table decides, so check that its rows are right"
        )


def _split_folders(found: Sequence[Found]) -> Iterator[str]:
    """Warn if images are in folders named like splits and the table does not name these splits."""
    names = set(SPLIT_NAMES) - {look(each.label) for each in found}
    named = [(each, SPLIT_NAMES[look(folder)]) for each in found if (folder := _last(each, names))]
    if found[0].split is None and len({split for _, split in named}) > 1:
        yield (
            f"{len(named):,} images are in folders named like splits, such as {named[0][0].path!r}, and the table has "
            "no column split: graft cuts new splits; add the column to keep yours"
        )
    against = [each for each, split in named if each.split not in (None, split)]
    if len(against) > MANY * len(named):
        yield (
            f"{len(against):,} of {len(named):,} images are in a folder named like another split, such as "
            f"{against[0].path!r} with the split {against[0].split!r}: the table decides"
        )


def _last(each: Found, names: set[str]) -> str:
    """The innermost of a file's folders with one of these names; empty if there is none."""
    folders = each.path.split("/")[:-1]
    return next((name for name in reversed(folders) if look(name) in names), "")
