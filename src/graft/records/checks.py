"""What frozen features tell about labels and splits of the target: models/records/checks.json."""

from typing import Literal

from graft.records.common import Interval, Linked, Record, Split


class Suspect(Record):
    """An image whose label a classifier contradicts."""

    image: str
    """leading digits of its sha256"""
    path: str
    label: str
    suggested: str
    of_label: float
    """probability of the given label"""
    of_suggested: float
    """probability of the suggested label"""


class LabelCheck(Record):
    """Labels of train and val compared with the predictions of a classifier that did not see them."""

    n_images: int
    accuracy: float | None
    """cross-validated accuracy of that classifier; null where there are no labels to check"""
    n_suspects: int
    n_right: float
    """expected number of suspects whose label is right after all"""
    suspects: tuple[Suspect, ...]
    """at most 50 images, the least probable label first"""
    sentence: str


class SplitCheck(Record):
    """Whether a classifier can tell the images of another split from those of train."""

    other: Split
    by_class: bool
    """true if images are compared within their class, false if labels are not used"""
    auc: Interval | None
    """area under the ROC curve, 0.5 by chance; null if there are too few images"""
    warns: bool
    sentence: str


class ChecksRecord(Linked):
    """What frozen features tell about the target: models/records/checks.json. No training depends on it."""

    schema_version: Literal[1] = 1
    labels: LabelCheck
    splits: tuple[SplitCheck, ...]
