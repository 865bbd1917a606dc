"""Choice of a strategy where the target has no labels: there is no evidence, so that all blocks learn."""

from graft.params.decisions import SelectStrategy
from graft.records.common import Similarity
from graft.records.strategy import StrategyRecord

REASONS = (
    "The target has no labelled image to train on, so no probe was tried, no published table was asked, and both arms "
    "learn from the source's labels.",
    "All blocks learn: where nothing can be tried, none is held back from moving towards the target.",
)


def without_labels(similarity: Similarity, n_classes: int, params: SelectStrategy) -> StrategyRecord:
    """Name the strategy that params.yaml says, else that all blocks learn.

    Args:
        similarity: similarity of the unlabelled images and the source.
        n_classes: number of classes of the source.
        params: the strategy that the user names, if any.
    """
    overruled = params.overrule is not None
    named = f"params.yaml overrules: select_strategy.overrule is {params.overrule}; by itself graft takes full."
    return StrategyRecord(
        n_train=0,
        n_classes=n_classes,
        n_per_class=0,
        similarity=similarity,
        votes=(),
        conflict=False,
        probe=None,
        probe_c=None,
        knn=None,
        weights={},
        choice=params.overrule or "full",
        runner_up=None,
        overruled=overruled,
        reasons=(*REASONS, named) if overruled else REASONS,
        would_change=("With labelled images of the target in train, evidence would choose.",),
    )
