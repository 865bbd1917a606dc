"""Choice of a strategy where the target has no labels: there is no evidence, so that all blocks learn."""

from graft.decisions.selection.candidates import Domains, candidates, of_techniques, with_effect_of
from graft.params.both_arms import FinetuneTarget, Strategy
from graft.records.strategy import StrategyRecord

REASONS = (
    "The target has no labelled image to train on, so no probe was tried, no published table was asked, and both arms "
    "learn from the source's labels.",
    "All blocks learn: where nothing can be tried, none is held back from moving towards the target.",
)


def without_labels(domains: Domains, overrule: Strategy | None, arm: FinetuneTarget) -> StrategyRecord:
    """Name the strategy that params.yaml says, else that all blocks learn.

    Args:
        domains: what the source and the unlabelled images are.
        overrule: the strategy that the user names, if any.
        arm: whose techniques are candidates where they are switched on.
    """
    choice: Strategy = overrule or "full"
    considered = candidates(choice, {}, domains, arm)
    named = (
        ()
        if overrule is None
        else (f"params.yaml overrules: select_strategy.overrule is {overrule}; by itself graft takes full.",)
    )
    return StrategyRecord(
        n_train=0,
        n_classes=len(domains.source_classes),
        n_per_class=0,
        similarity=domains.similarity,
        votes=(),
        conflict=False,
        probe=None,
        probe_c=None,
        knn=None,
        weights={},
        candidates=considered,
        choice=choice,
        techniques=with_effect_of(considered),
        runner_up=None,
        overruled=overrule is not None,
        reasons=(*REASONS, *named, *of_techniques(considered)),
        would_change=("With labelled images of the target in train, evidence would choose.",),
    )
