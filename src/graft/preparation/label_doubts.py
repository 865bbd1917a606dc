"""What a table of labels may not mean as it stands: one sentence each, for it decides all the same."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from graft.files import visible
from graft.preparation.csv_table import CsvHeader, read_cells, read_header
from graft.preparation.found import SPLIT_NAMES, Found
from graft.preparation.label_table import COLUMNS, table_in
from graft.store.catalogue import look

GROUP_WORDS = frozenset(
    (
        *("patient", "subject", "person", "participant", "donor", "animal", "individual", "specimen", "slide", "case"),
        *("study", "series", "exam", "visit", "video", "clip", "movie", "scene", "sequence", "session", "burst"),
        *("event", "site", "hospital", "center", "centre", "clinic", "camera", "farm", "field", "plot", "location"),
    )
)
"""in names of columns that may say which images belong together"""
SPLIT_WORDS = frozenset(("split", "fold", "set", "subset", "partition", "phase", "usage"))
MOST_SPLITS = 20
"""different values of a column that may name splits or folds"""
NO_LABELS = frozenset(("nan", "na", "n/a", "#n/a", "null", "none", "?", "unlabelled", "unlabeled"))
"""what programs write where a cell is empty"""
MANY = 0.1
"""share of the images in folders named like a class, or a split, that the table may put elsewhere as a correction"""


def table_doubts(folder: Path, found: Sequence[Found], has_groups: bool) -> tuple[str, ...]:
    """Sentences on columns, labels and folders that look like a mistake; none where there is no table.

    Args:
        folder: of the domain.
        found: what the table says.
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
    """Columns named like a group of which several rows share a value, and that are not the classes again."""
    for name, values in _columns(table, header, GROUP_WORDS):
        if n_classes < len(values) < sum(values.values()):
            yield (
                f"column {name!r} looks as if it said which images belong together ({len(values):,} values in "
                f"{sum(values.values()):,} rows): if so, call it group, or images of one may stand in train and test"
            )


def _like_splits(table: Path, header: CsvHeader) -> Iterator[str]:
    for name, values in _columns(table, header, SPLIT_WORDS):
        if 1 < len(values) <= MOST_SPLITS:
            yield (
                f"column {name!r} looks as if it named splits or folds ({', '.join(map(visible, sorted(values)[:3]))}"
                f"{', ...' if len(values) > 3 else ''}): if so, add a column split with train, val and test, or graft "
                "cuts the splits"
            )


def _columns(table: Path, header: CsvHeader, words: frozenset[str]) -> Iterator[tuple[str, Counter[str]]]:
    """Columns that graft does not read and whose name holds one of the words, with the values of their cells."""
    for written, folded in zip(header.written, header.columns, strict=True):
        if folded not in COLUMNS and words & set(_words(written)):
            yield written, Counter(cell for (cell,) in read_cells(table, header, (folded,)) if cell)


def _words(name: str) -> Iterator[str]:
    """The words of a name such as patient_id, PatientID or videos, without `id` and `s` at their ends."""
    for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name):
        yield from (word.lower(), word.lower().removesuffix("id"), word.lower().removesuffix("s"))


def _labels(found: Sequence[Found]) -> Iterator[str]:
    labels = sorted({each.label for each in found})
    decimals = [label for label in labels if re.fullmatch(r"-?\d+\.\d+", label)]
    missing = [label for label in labels if look(label) in NO_LABELS]
    if decimals:
        yield f"label {decimals[0]!r} is a number with decimals: if a program made it of a class, write its name"
    if missing:
        yield f"label {missing[0]!r} looks like a cell that was empty: if it names no class, delete these rows"


def _class_folders(found: Sequence[Found]) -> Iterator[str]:
    """Many images lie in a folder named like another class."""
    names = {look(each.label) for each in found}
    inside = [(each, _last(each, names)) for each in found]
    named = [(each, folder) for each, folder in inside if folder]
    against = [each for each, folder in named if look(folder) != look(each.label)]
    if len(against) > MANY * len(named):
        each = against[0]
        yield (
            f"{len(against):,} of {len(named):,} images lie in a folder named like another class, such as "
            f"{each.path!r} with the label {each.label!r}: the table decides, so look whether its rows are in order"
        )


def _split_folders(found: Sequence[Found]) -> Iterator[str]:
    """Images lie in folders named like splits, and the table does not say these splits."""
    names = set(SPLIT_NAMES) - {look(each.label) for each in found}
    named = [(each, SPLIT_NAMES[look(folder)]) for each in found if (folder := _last(each, names))]
    if found[0].split is None and len({split for _, split in named}) > 1:
        yield (
            f"{len(named):,} images lie in folders named like splits, such as {named[0][0].path!r}, and the table has "
            "no column split: graft cuts the splits anew; add the column to keep yours"
        )
    against = [each for each, split in named if each.split not in (None, split)]
    if len(against) > MANY * len(named):
        yield (
            f"{len(against):,} of {len(named):,} images lie in a folder named like another split, such as "
            f"{against[0].path!r} with the split {against[0].split!r}: the table decides"
        )


def _last(each: Found, names: set[str]) -> str:
    """The innermost folder of a file that is named so; empty where none is."""
    folders = each.path.split("/")[:-1]
    return next((name for name in reversed(folders) if look(name) in names), "")
