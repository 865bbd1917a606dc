"""What a scan of a domain finds: its files, each with its class."""

from collections.abc import Sequence
from typing import NamedTuple

from graft.records.common import Split

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""in any case: Train is train"""


class Found(NamedTuple):
    """A file that should be an image."""

    path: str
    """relative to the folder of the domain, forward slashes"""
    label: str
    """name of the class folder, or what the table says; its accents as keyboards give them (NFC)"""
    split: Split | None
    """of the split folder it lies in, or of the table; None where neither names splits"""
    group: str | None = None
    """what the table says; None where no table names groups"""


def absent_classes(found: Sequence[Found]) -> tuple[tuple[Split, tuple[str, ...]], ...]:
    """The splits that are named and lack classes, each with the classes that it lacks."""
    classes = sorted({each.label for each in found})
    present = {(each.split, each.label) for each in found}
    splits = sorted({each.split for each in found if each.split is not None})
    lacking = ((split, tuple(name for name in classes if (split, name) not in present)) for split in splits)
    return tuple((split, names) for split, names in lacking if names)
