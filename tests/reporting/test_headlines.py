import json

from graft.reporting.evidence import Evidence
from graft.reporting.headlines import MOST, headline_numbers, metrics_json


def test_there_are_at_most_fifteen_and_all_are_numbers_or_null(evidence: Evidence) -> None:
    numbers = json.loads(metrics_json(evidence))
    assert len(numbers) <= MOST == 15
    assert all(value is None or type(value) in (int, float) for value in numbers.values())


def test_without_source_images_the_shift_is_null_and_the_keys_stay(evidence: Evidence) -> None:
    shift = evidence.shift.model_copy(update={"mmd2": None, "p_value": None})
    without = headline_numbers(evidence._replace(shift=shift))
    assert without["shift_mmd2"] is None
    assert list(without) == list(headline_numbers(evidence))


def test_floats_have_six_digits(evidence: Evidence) -> None:
    verdict = evidence.verdict.model_copy(update={"ships_accuracy": 0.123456789})
    assert json.loads(metrics_json(evidence._replace(verdict=verdict)))["shipped_accuracy"] == 0.123457


def test_refusals_of_the_gate_are_counted(evidence: Evidence) -> None:
    refused = tuple(each.model_copy(update={"level": "fail"}) for each in evidence.reasons)
    assert headline_numbers(evidence)["gate_refusals"] == 0
    assert headline_numbers(evidence._replace(reasons=refused))["gate_refusals"] == len(refused)
