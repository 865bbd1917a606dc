"""What to train, and why: models/records/strategy.json."""

from typing import Literal

from graft.params.both_arms import Strategy
from graft.records.common import Linked, Record, Similarity, StrategyName


class Vote(Record):
    """What one published decision table advises for this data."""

    table: str
    strategy: StrategyName | None
    """null if the table abstains"""
    reason: str


class ProbeScore(Record):
    """Cross-validated accuracy of a classifier on cached features."""

    mean: float
    standard_error: float
    setting: str
    """chosen hyper-parameter, such as `C=0.1` or `k=5`"""


class Candidate(Record):
    """A strategy, or a technique beside one, that was considered."""

    name: Strategy
    available: bool
    """whether graft may name it by itself"""
    on: bool = False
    """whether finetune_target switches the technique on; false for a strategy"""
    reason: str
    """why it may be named, or why not"""


class StrategyRecord(Linked):
    """The chosen strategy and the reasons for it: models/records/strategy.json."""

    schema_version: Literal[4] = 4
    n_train: int
    """number of labelled train images of the target; 0 where the arms learn from the source"""
    n_classes: int
    n_per_class: int
    """number of train images of the smallest class"""
    similarity: Similarity
    votes: tuple[Vote, ...]
    conflict: bool
    """true if the tables that do not abstain disagree"""
    probe: ProbeScore | None
    """accuracy of a linear probe; null, as the two below, where the target has no labels to try it on"""
    probe_c: float | None
    """inverse regularisation of the chosen probe, with which fine-tuning initialises the head"""
    knn: ProbeScore | None
    """accuracy of k nearest neighbours by cosine similarity"""
    weights: dict[str, float]
    """weight of votes and evidence by strategy"""
    candidates: tuple[Candidate, ...]
    """all strategies and techniques that were considered"""
    choice: Strategy
    techniques: tuple[Strategy, ...]
    """techniques that the choice is trained with; the name of one as the choice stands for full with it"""
    runner_up: StrategyName | None
    overruled: bool
    """true if params.yaml names the strategy"""
    reasons: tuple[str, ...]
    would_change: tuple[str, ...]
    """changes of the data that would have changed the choice, one sentence each"""
