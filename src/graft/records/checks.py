"""What frozen features say of the target's labels and splits: models/records/checks.json."""

from typing import Literal

from graft.records.common import Interval, Linked, Record, Split


class Suspect(Record):
    """An image whose label a classifier contradicts."""

    image: str
    """first 12 hex digits of its sha256"""
    path: str
    label: str
    suggested: str
    of_label: float
    """probability of the label"""
    of_suggested: float


class LabelCheck(Record):
    """Labels of train and val held against a classifier that has not seen them."""

    n_images: int
    accuracy: float
    """of that classifier, cross-validated"""
    n_suspects: int
    n_right: float
    """suspects that are expected to be right after all"""
    suspects: tuple[Suspect, ...]
    """at most 50, the least probable label first"""
    sentence: str


class SplitCheck(Record):
    """Train held against another split: can a classifier tell them apart."""

    other: Split
    by_class: bool
    """only images of one class are compared; false: the images alone, labels unused"""
    auc: Interval | None
    """area under the curve, 0.5 is chance; null: too few images"""
    warns: bool
    sentence: str


class ChecksRecord(Linked):
    """What frozen features say of the target: models/records/checks.json. No training depends on it."""

    schema_version: Literal[1] = 1
    labels: LabelCheck
    splits: tuple[SplitCheck, ...]
