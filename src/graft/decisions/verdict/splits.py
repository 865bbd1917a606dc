"""The images as the verdict sees them: two splits that the arms were made from, and one of the target that judges."""

from collections.abc import Sequence
from typing import NamedTuple

from graft.records.common import LabelsFrom
from graft.store.catalogue import CatalogRow, Labelled, labelled, labels_from


class Splits(NamedTuple):
    """The readable images by split: train and val of the domain that the arms learn from, test of the target."""

    train: Labelled
    val: Labelled
    test: Labelled
    """the n images on which both arms are judged"""
    classes: Sequence[str]
    """class names by number"""
    labels_from: LabelsFrom = "target"
    """the domain of train and val"""

    @property
    def nothing_to_judge(self) -> bool:
        """Whether no image of the target has a label: there is no verdict then."""
        return self.labels_from == "source" and not len(self.test.labels)


def splits_of(catalog: Sequence[CatalogRow], classes: Sequence[str], source: Sequence[CatalogRow] = ()) -> Splits:
    """The readable images of a catalogue by split.

    Args:
        catalog: rows of the target's catalogue.
        classes: class names by number, those of the source where the target has no labelled train image.
        source: rows of the source's catalogue, which are read in that case alone.
    """
    whose = labels_from(catalog)
    learned = catalog if whose == "target" else source
    train, val = labelled(learned, classes, "train"), labelled(learned, classes, "val")
    return Splits(train, val, labelled(catalog, classes, "test"), classes, whose)
