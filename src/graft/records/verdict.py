"""What check_transfer hands on: did transfer help, and is either arm better than saying one class always."""

from typing import Literal

from graft.records.common import Arm, Interval, Linked, Outcome, Record, StrategyName


class Majority(Record):
    """What a model that always says one class would reach: the class that is most frequent in train."""

    label: str
    """of several that are as frequent, the first by name"""
    accuracy: float
    """share of the test images that are of this class"""


class Variances(Record):
    """Components of variance of the difference of one image in one seed, as squared shares."""

    seeds: float
    """common to all images of a seed"""
    units: float
    """common to all seeds of an image, or of a group of images"""
    residual: float
    """the remainder"""


class VerdictRecord(Linked):
    """Did transfer help: models/records/verdict.json."""

    schema_version: Literal[3] = 3
    verdict: Outcome
    sentence: str
    difference: Interval
    """test accuracy of transfer minus scratch, a share"""
    confidence: float
    degrees_of_freedom: float
    margin: float
    standard_error: float
    variances: Variances
    n_seeds: int
    n_images: int
    n_units: int
    """groups of images, or images where none come in groups: the independent units"""
    transfer_accuracy: Interval
    scratch_accuracy: Interval
    majority: Majority
    """what both are held against"""
    by_seed: tuple[float, ...]
    """difference of accuracy, one a seed"""
    sign_flip_p: float
    """second opinion: two-sided sign-flip test over seeds"""
    bootstrap: Interval
    """second opinion: crossed bootstrap of seeds and units, percentile"""
    seeds_to_settle: int | None
    """seeds that would bring the interval off 0 or into the margin at this estimate; null: settled or over 1,000"""
    images_to_settle: int | None
    """test images that would, with these seeds; null: settled or over 1,000,000"""
    together_to_settle: tuple[int, int] | None
    """where neither alone would: 50 seeds, and the test images that would with them; null: not so, or over 1,000,000"""
    strategy: StrategyName
    ships: Arm
    """the arm that export_onnx exports"""
    ships_seed: int
    """of that arm, the seed with the median validation accuracy"""
    ships_accuracy: float
    """test accuracy of that one model"""
    on_negative: Literal["fail", "ship_scratch", "warn"]

    @property
    def shipped_interval(self) -> Interval:
        """Test accuracy of the arm that ships."""
        return self.transfer_accuracy if self.ships == "transfer" else self.scratch_accuracy

    @property
    def beats_majority(self) -> bool:
        """Whether the whole interval of the arm that ships lies above the majority's accuracy."""
        return self.shipped_interval.low > self.majority.accuracy
