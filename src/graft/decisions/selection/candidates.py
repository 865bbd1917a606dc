"""Candidates of the choice: strategies by evidence, and the techniques that finetune_target switches on."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, get_args

from graft.params.both_arms import FinetuneTarget, Strategy
from graft.params.combinations import TECHNIQUES, effective, phases_as, techniques_on
from graft.records.common import Similarity
from graft.records.strategy import Candidate
from graft.wording import TECHNIQUE_WORDS, in_words

# pull the weights back to where they were on the source
PENALTIES = ("l2_sp", "ewc")


class Domains(NamedTuple):
    """What is known of source and target beside features."""

    similarity: Similarity
    source_classes: tuple[str, ...]
    """names of the classes; none if there are no source images"""
    target_classes: tuple[str, ...]


def candidates(
    choice: Strategy, weights: Mapping[str, float], domains: Domains, arm: FinetuneTarget
) -> tuple[Candidate, ...]:
    """Every strategy and technique, whether graft may name it, and why.

    A technique that is switched on joins whatever strategy is chosen. No evidence speaks for a technique yet, so graft
    switches none on.

    Args:
        choice: the strategy that was chosen.
        weights: weight of votes and evidence by strategy.
        domains: what source and target are.
        arm: values of the transfer arm.
    """
    on, with_effect = techniques_on(arm), techniques_on(effective(choice, arm))
    names: tuple[Strategy, ...] = get_args(Strategy)
    return tuple(
        _strategy(each, weights)
        if each not in TECHNIQUES
        else _joining(each, choice, domains)
        if each in with_effect
        else _left_out(each, each in on)
        for each in names
    )


def of_techniques(considered: Sequence[Candidate]) -> tuple[str, ...]:
    """Sentences on the techniques that are switched on, or that are and have no effect."""
    return tuple(f"{TECHNIQUE_WORDS[each.name]}: {each.reason}." for each in considered if each.on)


def with_effect_of(considered: Sequence[Candidate]) -> tuple[Strategy, ...]:
    """Names of the techniques that join the strategy that is chosen."""
    return tuple(each.name for each in considered if each.on and each.available)


def _strategy(name: Strategy, weights: Mapping[str, float]) -> Candidate:
    if name in weights:
        return Candidate(name=name, available=True, reason=f"weight {weights[name]:.3g} of votes and evidence")
    return Candidate(
        name=name, available=False, reason="no evidence speaks for or against it; select_strategy.overrule names it"
    )


def _left_out(name: Strategy, on: bool) -> Candidate:
    """A technique that is off, or that has no effect under feature extraction."""
    key = TECHNIQUES[name].key
    off = "finetune_target.batchnorm is not adapt" if name == "adabn" else f"no values in finetune_target.{key}"
    idle = f"finetune_target.{key} switches it on, but feature_extraction trains no block, so it has no effect"
    return Candidate(name=name, available=False, on=on, reason=idle if on else off)


def _joining(name: Strategy, choice: Strategy, domains: Domains) -> Candidate:
    key, candidate = TECHNIQUES[name].key, in_words(phases_as(choice), (name,))
    so = f"finetune_target.{key} switches it on, so the candidate is {candidate}"
    return Candidate(name=name, available=True, on=True, reason="; ".join((so, *_against(name, domains))))


def _against(name: Strategy, domains: Domains) -> Iterator[str]:
    """What speaks against a technique between these domains."""
    if name in PENALTIES and domains.similarity == "far":
        yield (
            "source and target are far apart, where a penalty that pulls back to the source's weights may not apply "
            "(Li et al. 2020)"
        )
    if TECHNIQUES[name].key == "adapting" and set(domains.source_classes) != set(domains.target_classes):
        yield (
            "source and target do not have the same classes, and features of different classes would be made alike"
            if domains.source_classes
            else "there are no source images to adapt from"
        )
