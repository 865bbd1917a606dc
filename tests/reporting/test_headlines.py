import json
from dataclasses import replace
from types import ModuleType

from tests.examples import no_verdict_record

from graft.records.verdict import VerdictRecord
from graft.reporting.evidence import Evidence
from graft.reporting.headlines import MOST, headline_numbers, metrics_json


def test_there_are_at_most_fifteen_entries_of_numbers_or_null(evidence: Evidence) -> None:
    numbers = json.loads(metrics_json(evidence))
    assert len(numbers) <= MOST == 15
    assert all(value is None or type(value) in (int, float) for value in numbers.values())


def test_the_majority_follows_the_accuracies(evidence: Evidence) -> None:
    numbers = headline_numbers(evidence)
    assert isinstance(evidence.verdict, VerdictRecord)
    assert numbers["majority_accuracy"] == evidence.verdict.majority.accuracy > 0
    assert list(numbers)[:3] == ["transfer_accuracy", "scratch_accuracy", "majority_accuracy"]


def test_the_shift_is_given_by_its_size_and_p_value(evidence: Evidence) -> None:
    numbers = headline_numbers(evidence)
    assert (numbers["shift_mmd2"], numbers["shift_p_value"]) == (0.0612, 0.001)


def test_without_source_images_the_shift_is_null_and_keys_are_the_same(evidence: Evidence, samples: ModuleType) -> None:
    without = headline_numbers(samples.sample_evidence(kind="bn_stats"))
    assert (without["shift_mmd2"], without["shift_p_value"]) == (None, None)
    assert list(without) == list(headline_numbers(evidence))


def test_floats_have_six_digits(evidence: Evidence) -> None:
    verdict = evidence.verdict.model_copy(update={"ships_score": 0.123456789})
    assert json.loads(metrics_json(replace(evidence, verdict=verdict)))["shipped_score"] == 0.123457


def test_refusals_of_the_gate_are_counted(evidence: Evidence) -> None:
    refused = tuple(each.model_copy(update={"level": "fail"}) for each in evidence.release.reasons)
    release = evidence.release.model_copy(update={"reasons": refused})
    assert headline_numbers(evidence)["gate_refusals"] == 0
    assert headline_numbers(replace(evidence, release=release))["gate_refusals"] == len(refused)


def test_without_a_verdict_numbers_of_the_test_are_null_and_keys_are_the_same(evidence: Evidence) -> None:
    without = headline_numbers(replace(evidence, verdict=no_verdict_record(), predictions=None))
    assert list(without) == list(headline_numbers(evidence))
    of_test = (
        "transfer_accuracy",
        "scratch_accuracy",
        "majority_accuracy",
        "difference",
        "shipped_score",
        "classes_worse",
    )
    assert {without[name] for name in of_test} == {None}
    assert without["n_test_images"] == 0
