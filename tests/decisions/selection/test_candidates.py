"""Which strategies and techniques may be named, and why."""

import pytest
from tests.transfer.conftest import tiny_params

from graft.decisions.selection.candidates import Domains, candidates, of_techniques
from graft.params.both_arms import Strategy
from graft.records.common import Similarity
from graft.records.strategy import Candidate

WEIGHTS = {"feature_extraction": 0.0, "top_blocks": 0.5, "full": 4.5}
L2_SP = {"kind": "l2_sp", "strength": 0.01}
DAN = {"kind": "dan", "strength": 1.0, "blocks": ["block4"]}


def _considered(
    choice: Strategy = "full",
    similarity: Similarity = "near",
    source: tuple[str, ...] = ("a", "b"),
    **arm: object,
) -> dict[str, Candidate]:
    settings = tiny_params(finetune_target=arm).finetune_target
    return {each.name: each for each in candidates(choice, WEIGHTS, Domains(similarity, source, ("a", "b")), settings)}


def test_evidence_weighs_three_strategies_and_the_others_are_named_by_the_user_alone() -> None:
    found = _considered()
    assert [name for name, each in found.items() if each.available] == list(WEIGHTS)
    assert found["full"].reason == "weight 4.5 of votes and evidence"
    assert "select_strategy.overrule names it" in found["gradual"].reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lora", "no values in finetune_target.tuning"),
        ("ewc", "no values in finetune_target.keeping"),
        ("dann", "no values in finetune_target.adapting"),
        ("adabn", "finetune_target.batchnorm is not adapt"),
    ],
)
def test_a_technique_that_is_off_cannot_be_named_and_the_reason_says_which_key(name: str, reason: str) -> None:
    found = _considered()
    assert (found[name].available, found[name].reason) == (False, reason)
    assert of_techniques(list(found.values())) == ()


def test_a_technique_that_is_on_joins_the_strategy() -> None:
    found = _considered("top_blocks", keeping=L2_SP)
    assert found["l2_sp"].available
    assert "so the candidate is top_blocks with L2-SP" in found["l2_sp"].reason
    assert "so the candidate is full with L2-SP" in _considered("l2_sp", keeping=L2_SP)["l2_sp"].reason
    (said,) = of_techniques(list(found.values()))
    assert said.startswith("L2-SP: finetune_target.keeping switches it on")


def test_without_a_block_that_learns_only_adabn_has_an_effect() -> None:
    found = _considered("feature_extraction", keeping=L2_SP, batchnorm="adapt")
    assert not found["l2_sp"].available
    assert "feature_extraction trains no block, so it has no effect" in found["l2_sp"].reason
    assert found["adabn"].available
    assert len(of_techniques(list(found.values()))) == 2


@pytest.mark.parametrize(("similarity", "warned"), [("near", False), ("mid", False), ("unknown", False), ("far", True)])
def test_a_penalty_towards_the_source_is_doubted_where_it_is_far(similarity: Similarity, warned: bool) -> None:
    reason = _considered(similarity=similarity, keeping=L2_SP)["l2_sp"].reason
    assert ("may not apply (Li et al. 2020)" in reason) == warned
    lwf = {"kind": "lwf", "strength": 1.0, "temperature": 2.0}
    assert "Li et al." not in _considered(similarity=similarity, keeping=lwf)["lwf"].reason


@pytest.mark.parametrize(
    ("source", "words"),
    [(("b", "a"), ""), (("a",), "do not have the same classes"), ((), "there are no source images to adapt from")],
)
def test_adapting_is_doubted_without_a_source_of_the_same_classes(source: tuple[str, ...], words: str) -> None:
    reason = _considered(source=source, adapting=DAN)["dan"].reason
    assert reason.endswith("full with DAN") if not words else words in reason
