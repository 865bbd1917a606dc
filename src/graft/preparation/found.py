"""A file that a scan of a domain found, with its class, split and group."""

from collections.abc import Sequence
from typing import NamedTuple

from graft.records.common import Split

# Names of split folders, compared in lower case.
SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}

# Folder of each domain below data/raw; the third holds images of the target without labels.
FOLDERS = {"source": "source", "target": "target", "unlabeled": "target_unlabeled"}


class Found(NamedTuple):
    """A file that should be an image."""

    path: str
    """path relative to the domain's folder, with forward slashes"""
    label: str
    """class from the folder or the table of labels, in Unicode's composed form (NFC); empty for an image without a
    label"""
    split: Split | None
    """split from the folder or the table of labels; None if neither names splits"""
    group: str | None = None
    """group from the table of labels; None if it names no groups"""


def absent_classes(found: Sequence[Found]) -> tuple[tuple[Split, tuple[str, ...]], ...]:
    """Named splits that lack classes, each with the classes that it lacks."""
    classes = sorted({each.label for each in found})
    present = {(each.split, each.label) for each in found}
    splits = sorted({each.split for each in found if each.split is not None})
    lacking = ((split, tuple(name for name in classes if (split, name) not in present)) for split in splits)
    return tuple((split, names) for split, names in lacking if names)
