from typing import Any

import pytest
from tests.examples import strategy_record, training_record
from tests.transfer.conftest import tiny_params

from graft.decisions.selection.candidates import Domains, candidates
from graft.params.techniques import L2SP, Dan, Lora
from graft.records.strategy import Candidate
from graft.records.training import TrainingRecord
from graft.reporting.technique_words import bytes_in_words, parts_trained, switched_off, trained_sentence


def _record(**changes: Any) -> TrainingRecord:
    return training_record().model_copy(update=changes)


def test_what_is_off_is_shown_as_such_and_left_out_of_the_sentence() -> None:
    assert [(each.name, each.value) for each in parts_trained(_record())] == [
        ("Keeping", "none"),
        ("Adapting", "none"),
        ("Tuning", "whole blocks"),
    ]
    assert trained_sentence(_record()) == ""


def test_what_is_on_is_told_with_its_values() -> None:
    record = _record(
        techniques=("l2_sp", "adabn", "dan", "lora"),
        keeping=L2SP(kind="l2_sp", strength=0.01),
        adapting=Dan(kind="dan", strength=1.0, blocks=("a", "b")),
        tuning=Lora(kind="lora", rank=8, alpha=16.0),
    )
    assert [tuple(each) for each in parts_trained(record)] == [
        ("Keeping", "L2-SP", "strength 0.01"),
        ("Adapting", "DAN and AdaBN", "strength 1, blocks a and b"),
        ("Tuning", "LoRA", "rank 8, alpha 16"),
    ]
    assert trained_sentence(record) == (
        "Transfer was trained with L2-SP, strength 0.01; DAN, strength 1, blocks a and b; AdaBN; LoRA, rank 8, alpha "
        "16."
    )


def test_adabn_alone_is_an_adaptation() -> None:
    assert parts_trained(_record(techniques=("adabn",)))[1][1:] == ("AdaBN", "BatchNorm statistics of the target")


def test_how_much_learned_is_a_share_of_the_parameters() -> None:
    record = _record(n_parameters=2_236_682, n_trained_parameters=42_500, delta_bytes=180_400)
    assert trained_sentence(record) == "It trains 1.9% of 2.2 million parameters; its delta is 180 kB."
    assert parts_trained(record)[-2:] == (
        ("Learning", "1.9%", "of 2.2 million parameters"),
        ("Delta", "180 kB", "all that differs from the backbone"),
    )
    whole = _record(n_parameters=160_000, n_trained_parameters=160_000)
    assert trained_sentence(whole) == "It trains 100% of 160,000 parameters."


@pytest.mark.parametrize(
    ("n", "words"),
    [(999, "999 bytes"), (1_000, "1.0 kB"), (999_999, "1000 kB"), (25_300_000, "25 MB"), (3_200_000_000, "3.2 GB")],
)
def test_sizes_have_two_digits_or_more(n: int, words: str) -> None:
    assert bytes_in_words(n) == words


def test_techniques_that_are_off_are_listed_by_their_names() -> None:
    off = [Candidate(name=name, available=False, reason="no values in finetune_target.x") for name in ("l2_sp", "lora")]
    off.append(Candidate(name="gradual", available=False, reason="no evidence speaks for or against it"))
    on = Candidate(name="dan", available=True, on=True, reason="")
    record = strategy_record().model_copy(update={"candidates": (*off, on)})
    assert switched_off(record) == "L2-SP and LoRA"
    assert switched_off(strategy_record()) == ""


def test_what_is_switched_on_without_effect_is_not_called_off() -> None:
    arm = tiny_params(finetune_target={"tuning": "bias", "batchnorm": "adapt"}).finetune_target
    considered = candidates("feature_extraction", {"feature_extraction": 1.0}, Domains("near", ("a",), ("a",)), arm)
    said = switched_off(strategy_record().model_copy(update={"candidates": considered}))
    assert "bias-only tuning" not in said
    assert "LoRA" in said
