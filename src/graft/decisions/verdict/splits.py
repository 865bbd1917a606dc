"""The target's images as the verdict sees them: two splits that the arms were made from, and one that judges them."""

from collections.abc import Sequence
from typing import NamedTuple

from graft.store.catalogue import SPLITS, CatalogRow, Labelled, labelled


class Splits(NamedTuple):
    """The readable target images by split."""

    train: Labelled
    val: Labelled
    test: Labelled
    """the n images on which both arms are judged"""
    classes: Sequence[str]
    """class names by number"""


def splits_of(catalog: Sequence[CatalogRow], classes: Sequence[str]) -> Splits:
    """The readable images of a catalogue by split.

    Args:
        catalog: rows of the target's catalogue.
        classes: class names by number.
    """
    train, val, test = (labelled(catalog, classes, split) for split in SPLITS)
    return Splits(train, val, test, classes)
