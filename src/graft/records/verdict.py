"""Whether transfer helped, and whether the arms beat a constant prediction: models/records/verdict.json."""

from contextlib import suppress
from pathlib import Path
from typing import Literal

from graft.files import read_record
from graft.params.both_arms import Strategy
from graft.records.common import (
    Arm,
    Interval,
    LabelsFrom,
    Linked,
    Metric,
    NoOutcome,
    Outcome,
    Record,
    StrategyName,
)


class ScoreRecord(Record):
    """Both arms and their difference by one metric on the test split."""

    metric: Metric
    """nll: mean negative log-likelihood of the true class, in nats, of which less is better"""
    transfer: Interval
    scratch: Interval
    difference: Interval
    """transfer minus scratch"""


class Majority(Record):
    """A constant model that always predicts the most frequent class of the train split."""

    label: str
    """name of this class; of equally frequent ones the first by name"""
    accuracy: float
    """share of test images of this class"""
    score: float
    """the same model by the primary metric"""


class VarianceComponents(Record):
    """Components of variance of the difference of one image in one seed, in squared units of the primary metric."""

    seeds: float
    """common to all images of a seed"""
    units: float
    """common to all seeds of an image, or of a group of images"""
    residual: float
    """the remainder"""


class Detectable(Record):
    """The smallest difference that such a run shows four times in five; null if there is none."""

    as_is: float | None
    """with these numbers of seeds and test images"""
    any_seeds: float | None
    """with these test images and any number of seeds"""
    any_images: float | None
    """with these seeds and any number of test images"""


class VerdictRecord(Linked):
    """Whether transfer helped: models/records/verdict.json. Differences are transfer minus scratch."""

    schema_version: Literal[4] = 4
    verdict: Outcome
    headline: str
    """what the verdict claims, in at most twelve words"""
    sentence: str
    decided_by: str
    """what decided, in one sentence"""
    limits: tuple[str, ...]
    """why the verdict can be no more than INCONCLUSIVE, each with its cure; empty if nothing stands against a claim"""
    scores: tuple[ScoreRecord, ...]
    """by the primary metric, which decides, then by others, which decide nothing"""
    level: float
    """level of the verdict: its interval has confidence 1 - level. Planned looks have shared the level of params"""
    margin: float
    equivalence: Interval
    """interval of the difference with confidence 1 - 2 level; EQUIVALENT if it is inside the margin"""
    planned_looks: int
    """number of looks at these test images that was planned before the first"""
    n_looks: int
    """looks at these test images up to this one, without those of two seeds"""
    looks_left: int
    """looks at these test images that may still claim something"""
    unplanned: bool
    """whether this look was not planned, so that it can claim nothing"""
    looks_said: str
    """what the ledger says of earlier looks; empty if there were none"""
    design: str
    """how the standard error was computed: images, classes, equal groups or unequal groups"""
    degrees_of_freedom: float
    standard_error: float
    variances: VarianceComponents
    n_seeds: int
    n_images: int
    n_units: int
    """number of independent units: groups of images, or images if there are no groups"""
    effective_units: float
    """number of units of equal size that tell as much"""
    largest_unit_share: float
    """share of the test images that is in the largest unit"""
    by_seed: tuple[float, ...]
    """difference of each seed"""
    median_of_seeds: float
    n_diverged: dict[Arm, int]
    """number of seeds that did not learn, by arm (graft.decisions.verdict.divergence)"""
    diverged_up_to: dict[Arm, float]
    """upper end of the one-sided 95 % interval of the share of seeds that do not learn, by arm"""
    sign_flip_p: float
    """p-value of a two-sided sign-flip test over seeds, a second opinion"""
    mcnemar_p: float
    """p-value of McNemar's test over units, a second opinion"""
    bootstrap: Interval
    """percentile interval of a crossed bootstrap of seeds and units, a second opinion"""
    could_show: Detectable
    to_show: tuple[int, int] | None
    """numbers of seeds and of test images that together show this difference four times in five; null if none do"""
    majority: Majority
    """baseline for both arms"""
    labels_from: LabelsFrom = "target"
    """the domain whose labels both arms learned from"""
    labels_said: str = ""
    """what the arms learned from, where it is not labelled images of the target; else empty"""
    strategy: StrategyName
    techniques: tuple[Strategy, ...] = ()
    """techniques that transfer was trained with, beside the strategy"""
    ships: Arm
    """the arm that export_onnx exports"""
    ships_because: str
    """why this arm, in one sentence"""
    ships_seed: int
    """the seed of that arm with the median validation accuracy"""
    ships_score: float
    """the shipped model by the primary metric"""
    on_negative: Literal["fail", "ship_scratch", "warn"]
    on_inconclusive: Literal["warn", "fail", "ship_cheapest"]

    @property
    def metric(self) -> Metric:
        """The primary metric."""
        return self.scores[0].metric

    @property
    def difference(self) -> Interval:
        """Transfer minus scratch by the primary metric."""
        return self.scores[0].difference

    @property
    def transfer(self) -> Interval:
        """The transfer arm by the primary metric."""
        return self.scores[0].transfer

    @property
    def scratch(self) -> Interval:
        """The control by the primary metric."""
        return self.scores[0].scratch

    @property
    def confidence(self) -> float:
        """Confidence of the interval of the difference."""
        return 1 - self.level

    def by(self, metric: Metric) -> ScoreRecord:
        """The score by this metric.

        Raises:
            StopIteration: the record does not have it.
        """
        return next(each for each in self.scores if each.metric == metric)


class NoVerdictRecord(Linked):
    """That there is no verdict, because the target has no labelled test image, and what ships all the same."""

    schema_version: Literal[4] = 4
    verdict: NoOutcome = "NONE"
    headline: str
    sentence: str
    labels_from: Literal["source"] = "source"
    """the domain whose labels both arms learned from"""
    labels_said: str
    """what the arms learned from"""
    level: float
    """`check_transfer.level`, by which the intervals of what is measured on the source hold"""
    n_seeds: int
    strategy: StrategyName
    techniques: tuple[Strategy, ...] = ()
    """techniques that transfer was trained with, beside the strategy"""
    ships: Arm
    """the arm that export_onnx exports"""
    ships_because: str
    """why this arm, in one sentence"""
    ships_seed: int
    """the seed of that arm with the median score of those by which its runs were chosen"""
    on_inconclusive: Literal["warn", "fail", "ship_cheapest"]


AnyVerdict = VerdictRecord | NoVerdictRecord


def read_verdict(path: Path) -> AnyVerdict:
    """Read what check_transfer wrote: a verdict, or the word that there is none.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is neither of both.
    """
    try:
        return read_record(VerdictRecord, path)
    except ValueError:
        with suppress(ValueError):
            return read_record(NoVerdictRecord, path)
        raise
