"""What a verdict claims of a strategy, in few words, and what it takes to claim anything."""

from collections.abc import Sequence

from graft.params.both_arms import Strategy
from graft.params.combinations import TECHNIQUES, phases_as
from graft.records.common import Metric, Outcome, StrategyName
from graft.wording import in_words

# What each strategy does, to be read after the word `by`; the name of a technique stands for full with it.
TRANSFER_BY: dict[Strategy, str] = {
    "feature_extraction": "training the head alone",
    "top_blocks": "tuning the top blocks",
    "full": "tuning all blocks",
    "gradual": "gradual unfreezing",
    "surgical": "tuning chosen blocks",
    "norms": "tuning the norm layers",
}

# With fewer seeds a look at the test images can claim nothing, so it spends nothing.
LEAST_SEEDS = 3
METRIC_WORDS: dict[Metric, str] = {
    "accuracy": "test accuracy",
    "balanced_accuracy": "balanced test accuracy",
    "nll": "negative log-likelihood",
}


def transfer_by(strategy: StrategyName, techniques: Sequence[Strategy] = ()) -> str:
    """What was trained, to be read after the word `by`, such as `tuning all blocks with L2-SP`."""
    assert strategy != "scratch", "the control transfers nothing"
    named = (strategy, *techniques) if strategy in TECHNIQUES else techniques
    return in_words(TRANSFER_BY[phases_as(strategy)], named)


def claim(outcome: Outcome, strategy: StrategyName, techniques: Sequence[Strategy] = ()) -> str:
    """What a verdict claims, in at most twelve words and those of the techniques.

    It names strategy and techniques, because it says nothing about others.
    """
    transfer = f"ransfer by {transfer_by(strategy, techniques)}"
    return {
        "POSITIVE": f"T{transfer} helped",
        "NEGATIVE": f"T{transfer} hurt",
        "EQUIVALENT": f"T{transfer} made no difference that counts",
        "INCONCLUSIVE": f"It is open whether t{transfer} helped",
    }[outcome]
