"""Whether transfer helped, and whether the arms beat a constant prediction: models/records/verdict.json."""

from typing import Literal

from graft.records.common import Arm, Interval, Linked, Outcome, Record, StrategyName


class Majority(Record):
    """A constant model that always predicts the most frequent class of the train split."""

    label: str
    """name of this class; of equally frequent ones the first by name"""
    accuracy: float
    """share of test images of this class"""


class VarianceComponents(Record):
    """Components of variance of the difference of one image in one seed, as squared shares."""

    seeds: float
    """common to all images of a seed"""
    units: float
    """common to all seeds of an image, or of a group of images"""
    residual: float
    """the remainder"""


class VerdictRecord(Linked):
    """Whether transfer helped: models/records/verdict.json."""

    schema_version: Literal[3] = 3
    verdict: Outcome
    headline: str
    """what the verdict claims, in at most twelve words"""
    sentence: str
    difference: Interval
    """test accuracy of transfer minus that of scratch, as a share"""
    confidence: float
    degrees_of_freedom: float
    margin: float
    standard_error: float
    variances: VarianceComponents
    n_seeds: int
    n_images: int
    n_units: int
    """number of independent units: groups of images, or images if there are no groups"""
    transfer_accuracy: Interval
    scratch_accuracy: Interval
    majority: Majority
    """baseline for both arms"""
    by_seed: tuple[float, ...]
    """difference of test accuracy of each seed"""
    sign_flip_p: float
    """p-value of a two-sided sign-flip test over seeds, a second opinion"""
    bootstrap: Interval
    """percentile interval of a crossed bootstrap of seeds and units, a second opinion"""
    seeds_to_settle: int | None
    """number of seeds that would settle the verdict at this estimate; null if it is settled or over 1,000 are needed"""
    images_to_settle: int | None
    """number of test images that would, with these seeds; null if it is settled or over 1,000,000 are needed"""
    together_to_settle: tuple[int, int] | None
    """50 seeds and the number of test images that would settle it with them, if neither alone would; else null"""
    strategy: StrategyName
    ships: Arm
    """the arm that export_onnx exports"""
    ships_seed: int
    """the seed of that arm with the median validation accuracy"""
    ships_accuracy: float
    """test accuracy of the shipped model"""
    on_negative: Literal["fail", "ship_scratch", "warn"]
