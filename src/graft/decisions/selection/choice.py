"""Choice of a strategy: by evidence from cached features, and by published tables if that is unclear."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.decisions.selection.candidates import Domains, candidates, of_techniques, with_effect_of
from graft.decisions.selection.tables import votes
from graft.decisions.selection.without_labels import without_labels
from graft.params.both_arms import FinetuneTarget
from graft.params.combinations import phases_as
from graft.params.decisions import SelectStrategy
from graft.records.common import Similarity, StrategyName
from graft.records.strategy import ProbeScore, StrategyRecord, Vote
from graft.statistics.features import probe
from graft.statistics.groups import grouped_folds
from graft.store.catalogue import CatalogRow, class_names, labelled, labels_from

# what the evidence chooses among
Band = Literal["feature_extraction", "top_blocks", "full"]

CHEAPEST_FIRST: tuple[Band, ...] = ("feature_extraction", "top_blocks", "full")
# All tables together weigh 1, so that they choose only among what the evidence leaves open.
EVIDENCE_WEIGHT = 4.0


class Target(NamedTuple):
    """Target images, as the choice and the checks see them."""

    features: NDArray[np.float32]
    """(n, d) features of the unmodified backbone, indexed by `row` of the catalogue"""
    catalog: Sequence[CatalogRow]


class Wanted(NamedTuple):
    """What params.yaml says of the choice."""

    selection: SelectStrategy
    arm: FinetuneTarget
    """whose techniques are candidates where they are switched on"""


class Facts(NamedTuple):
    """Facts from which the choice is made."""

    n: int
    """number of target images in train"""
    n_per_class: int
    """number of train images of the smallest class"""
    similarity: Similarity
    accuracy: float
    """cross-validated accuracy on frozen features of the better of linear probe and nearest neighbours"""
    standard_error: float


def select_strategy(target: Target, domains: Domains, wanted: Wanted, seed: int) -> StrategyRecord:
    """Choose what to train, and say why.

    The choice is made from the train split alone, and without one by no evidence. A group is never on both sides of a
    fold.

    Args:
        target: cached features and catalogue.
        domains: similarity of target and source, and their classes.
        wanted: limits, number of folds, the strategy that the user names, if any, and the techniques that are on.
        seed: seed of the folds.

    Raises:
        ValueError: a class has fewer than two images, or groups.
    """
    params, similarity = wanted.selection, domains.similarity
    if labels_from(target.catalog) == "source":
        return without_labels(domains, params.overrule, wanted.arm)
    train = labelled(target.catalog, class_names(target.catalog), "train")
    features = target.features[train.rows]
    folds = grouped_folds(train.labels, train.groups, params.folds, seed)
    linear = probe.probe_accuracy(features, train.labels, folds)
    nearest = probe.knn_accuracy(features, train.labels, folds)
    better = max(linear, nearest, key=lambda each: each.mean)
    # (c,) train images per class
    counts = np.bincount(train.labels)
    facts = Facts(len(train.labels), int(counts.min()), similarity, better.mean, better.standard_error)
    table_votes = votes(facts.n, facts.n_per_class, similarity)
    weights = weigh(facts, table_votes, params)
    ranked = ranking(weights)
    chosen = params.overrule or ranked[0]
    considered = candidates(chosen, {str(each): weight for each, weight in weights.items()}, domains, wanted.arm)
    named = {vote.strategy for vote in table_votes if vote.strategy}
    return StrategyRecord(
        n_train=facts.n,
        n_classes=len(counts),
        n_per_class=facts.n_per_class,
        similarity=similarity,
        votes=table_votes,
        conflict=len(named) > 1,
        probe=ProbeScore(mean=linear.mean, standard_error=linear.standard_error, setting=f"C={linear.setting:g}"),
        probe_c=linear.setting,
        knn=ProbeScore(mean=nearest.mean, standard_error=nearest.standard_error, setting=f"k={nearest.setting:g}"),
        weights=dict(weights),
        candidates=considered,
        choice=chosen,
        techniques=with_effect_of(considered),
        runner_up=next((each for each in ranked if each != phases_as(chosen)), None),
        overruled=params.overrule is not None,
        reasons=(*_reasons(facts, table_votes, weights, params), *of_techniques(considered)),
        would_change=would_change(facts, params),
    )


def evidence(facts: Facts, params: SelectStrategy) -> dict[Band, float]:
    """Weight of each strategy by the headroom that frozen features leave.

    The headroom is the error of a classifier on frozen features. Up to `headroom_small` tuning can gain little; above
    `headroom_large` the features lack what the task needs. If the standard error spans limits, all the bands that it
    touches share the weight equally.
    """
    error = 1 - facts.accuracy
    low, high = (_band(error + sign * facts.standard_error, params) for sign in (-1, 1))
    # every band between both ends of error +- standard error
    between = CHEAPEST_FIRST[CHEAPEST_FIRST.index(low) : CHEAPEST_FIRST.index(high) + 1]
    return {each: EVIDENCE_WEIGHT / len(between) if each in between else 0.0 for each in CHEAPEST_FIRST}


def weigh(facts: Facts, table_votes: tuple[Vote, ...], params: SelectStrategy) -> dict[Band, float]:
    """Weight of the evidence plus that of the votes, which share a weight of 1.

    A vote for scratch counts for no strategy: scratch is always trained as the control, so that a measurement decides.
    """
    weights = evidence(facts, params)
    named = [vote.strategy for vote in table_votes if vote.strategy]
    for strategy in CHEAPEST_FIRST:
        weights[strategy] += named.count(strategy) / max(len(named), 1)
    return {each: round(weight, 9) for each, weight in weights.items()}


def ranking(weights: dict[Band, float]) -> list[Band]:
    """Strategies by descending weight; among equal weights the cheapest first."""
    return sorted(CHEAPEST_FIRST, key=lambda each: (-weights[each], CHEAPEST_FIRST.index(each)))


def would_change(facts: Facts, params: SelectStrategy) -> tuple[str, ...]:
    """Sentences on single changes of the facts that would change the choice."""
    changed = [
        (f"similarity {each}", facts._replace(similarity=each))
        for each in ("near", "mid", "far")
        if each != facts.similarity
    ]
    changed += [
        (f"{factor} times the images", facts._replace(n=facts.n * factor, n_per_class=facts.n_per_class * factor))
        for factor in (10, 100)
    ]
    changed += [
        (f"frozen features at {accuracy:.0%} accuracy", facts._replace(accuracy=accuracy))
        for accuracy in _middles(params)
    ]
    now = _choice(facts, params)
    return tuple(
        f"With {what} the choice would be {_choice(other, params)}."
        for what, other in changed
        if _choice(other, params) != now
    )


def _choice(facts: Facts, params: SelectStrategy) -> Band:
    return ranking(weigh(facts, votes(facts.n, facts.n_per_class, facts.similarity), params))[0]


def _band(error: float, params: SelectStrategy) -> Band:
    if error <= params.headroom_small:
        return "feature_extraction"
    return "top_blocks" if error <= params.headroom_large else "full"


def _middles(params: SelectStrategy) -> tuple[float, float, float]:
    """One accuracy in the middle of each band of the evidence."""
    small, large = params.headroom_small, params.headroom_large
    return (1 - small / 2, 1 - (small + large) / 2, 1 - (large + 1) / 2)


def _reasons(
    facts: Facts, table_votes: tuple[Vote, ...], weights: dict[Band, float], params: SelectStrategy
) -> tuple[str, ...]:
    spoken: dict[StrategyName, int] = {}
    for vote in table_votes:
        if vote.strategy:
            spoken[vote.strategy] = spoken.get(vote.strategy, 0) + 1
    tables = ", ".join(f"{count} for {name}" for name, count in spoken.items()) or "all abstain"
    shares = evidence(facts, params)
    clear = max(shares.values()) == EVIDENCE_WEIGHT
    says = max(shares, key=lambda each: shares[each]) if clear else " or ".join(k for k, v in shares.items() if v)
    reasons = [
        f"Frozen features reach {facts.accuracy:.1%} (standard error {facts.standard_error:.1%}) by cross-validation, "
        f"an error of {1 - facts.accuracy:.1%} against the limits {params.headroom_small:.0%} and "
        f"{params.headroom_large:.0%}: the evidence says {says}.",
        f"Published tables: {tables}.",
        "The evidence is clear and decides." if clear else "The evidence straddles a limit, so the tables weigh in.",
    ]
    if params.overrule is not None:
        reasons.append(
            f"params.yaml overrules: select_strategy.overrule is {params.overrule}; by itself graft would have "
            f"chosen {ranking(weights)[0]}."
        )
    return tuple(reasons)
