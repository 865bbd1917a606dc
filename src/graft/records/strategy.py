"""What select_strategy hands on: the choice, and what the features say of labels and splits."""

from typing import Literal

from graft.params.both_arms import Strategy
from graft.records.common import Interval, Linked, Outcome, Record, Similarity, Split, StrategyName

TRANSFER_BY: dict[StrategyName, str] = {
    "feature_extraction": "training the head alone",
    "top_blocks": "tuning the top blocks",
    "full": "tuning all blocks",
    "gradual": "gradual unfreezing",
    "surgical": "tuning chosen blocks",
    "norms": "tuning the norm layers",
}
"""what a strategy does, after the word `by`"""


def claim(outcome: Outcome, strategy: StrategyName) -> str:
    """What a verdict says of transfer, in at most twelve words: of the strategy that was tried, and of no other."""
    transfer = f"ransfer by {TRANSFER_BY[strategy]}"
    return {
        "POSITIVE": f"T{transfer} helped",
        "NEGATIVE": f"T{transfer} hurt",
        "EQUIVALENT": f"T{transfer} made no difference that counts",
        "INCONCLUSIVE": f"It is open whether t{transfer} helped",
    }[outcome]


class Vote(Record):
    """What one published table says for this data."""

    table: str
    strategy: StrategyName | None
    """null: the table abstains"""
    reason: str


class ProbeScore(Record):
    """A cross-validated accuracy on cached features."""

    mean: float
    standard_error: float
    setting: str
    """the chosen hyper-parameter, such as `C=0.1` or `k=5`"""


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


class StrategyRecord(Linked):
    """The choice and its reasons: models/records/strategy.json."""

    schema_version: Literal[2] = 2
    n_train: int
    n_classes: int
    n_per_class: int
    """images of the smallest class in the train split"""
    similarity: Similarity
    votes: tuple[Vote, ...]
    conflict: bool
    """the tables that did not abstain disagree"""
    probe: ProbeScore
    """linear probe"""
    probe_c: float
    """inverse regularisation of the chosen probe; the head of a fine-tuning starts from it"""
    knn: ProbeScore
    """k nearest neighbours, cosine"""
    weights: dict[str, float]
    """sum of votes and evidence by strategy"""
    choice: Strategy
    runner_up: StrategyName | None
    overruled: bool
    """true where params.yaml made the choice"""
    reasons: tuple[str, ...]
    would_change: tuple[str, ...]
    """what would have changed the choice"""
    labels: LabelCheck
    splits: tuple[SplitCheck, ...]
