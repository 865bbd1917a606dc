"""What to train, and why: models/records/strategy.json."""

from typing import Literal

from graft.params.both_arms import Strategy
from graft.records.common import Linked, Outcome, Record, Similarity, StrategyName

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


class StrategyRecord(Linked):
    """The choice and its reasons: models/records/strategy.json."""

    schema_version: Literal[3] = 3
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
