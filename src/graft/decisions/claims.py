"""What a verdict claims of a strategy, in few words, and what it takes to claim anything."""

from graft.records.common import Metric, Outcome, StrategyName

# What each strategy does, to be read after the word `by`.
TRANSFER_BY: dict[StrategyName, str] = {
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


def claim(outcome: Outcome, strategy: StrategyName) -> str:
    """What a verdict claims, in at most twelve words. It names the strategy, because it says nothing about others."""
    transfer = f"ransfer by {TRANSFER_BY[strategy]}"
    return {
        "POSITIVE": f"T{transfer} helped",
        "NEGATIVE": f"T{transfer} hurt",
        "EQUIVALENT": f"T{transfer} made no difference that counts",
        "INCONCLUSIVE": f"It is open whether t{transfer} helped",
    }[outcome]
