from dataclasses import replace
from typing import Any

import pytest
from tests.decisions.verdict.arms import params as verdict_params
from tests.examples import (
    CLEAN,
    EXPORT,
    catalog_record,
    no_verdict_record,
    run_records,
    training_record,
    verdict_record,
)

from graft.decisions.release.gate import judge_release
from graft.decisions.verdict.shipping import Cost, shipped_arm
from graft.records.common import Interval, Outcome
from graft.records.release import ExportRecord, Reason, ReleaseRecord
from graft.records.training import TrainingRecord, Trial
from graft.records.validation import Finding, ValidationRecord
from graft.records.verdict import Majority, ScoreRecord, VerdictRecord


def _levels(
    verdict: VerdictRecord,
    validation: ValidationRecord = CLEAN,
    export: ExportRecord = EXPORT,
    scratch: TrainingRecord | None = None,
) -> dict[str, str]:
    records = replace(run_records(), validation=validation, verdict=verdict, export=export)
    release = judge_release(replace(records, scratch=scratch or records.scratch))
    return {reason.check: reason.level for reason in release.reasons}


def _finding(severity: str) -> ValidationRecord:
    finding = Finding.model_validate(
        {"name": "x", "severity": severity, "ok": False, "n_unexpected": 1, "examples": ("a",), "advice": "Mend."}
    )
    return ValidationRecord(ok=severity != "critical", findings=(finding,))


@pytest.mark.parametrize("outcome", ["POSITIVE", "EQUIVALENT"])
def test_a_good_verdict_passes(outcome: str) -> None:
    assert set(_levels(verdict_record(outcome)).values()) == {"pass"}


@pytest.mark.parametrize(("on_negative", "level"), [("fail", "fail"), ("warn", "warn"), ("ship_scratch", "pass")])
def test_a_negative_verdict_does_what_params_say(on_negative: str, level: str) -> None:
    assert _levels(verdict_record("NEGATIVE", on_negative=on_negative))["verdict"] == level


@pytest.mark.parametrize(("policy", "level"), [("warn", "warn"), ("fail", "fail"), ("ship_cheapest", "warn")])
def test_an_open_verdict_does_what_params_say(policy: str, level: str) -> None:
    assert _levels(verdict_record("INCONCLUSIVE", on_inconclusive=policy))["verdict"] == level


def test_the_reason_tells_the_verdict_and_what_ships() -> None:
    verdict = verdict_record("INCONCLUSIVE", ships_because="The control ships: check_transfer.x says y.")
    reasons = judge_release(replace(run_records(), verdict=verdict)).reasons
    (said,) = (each.sentence for each in reasons if each.check == "verdict")
    assert said == "The sentence. The control ships: check_transfer.x says y."


def _looked(**changes: Any) -> Reason:
    verdict = verdict_record("INCONCLUSIVE", **changes)
    reasons = judge_release(replace(run_records(), verdict=verdict)).reasons
    return next(each for each in reasons if each.check == "looks")


def test_a_planned_look_passes() -> None:
    reason = _looked(n_looks=2, planned_looks=3)
    assert (reason.level, reason.sentence) == ("pass", "Look 2 at these test images, 3 planned.")


def test_an_unplanned_look_warns_with_its_number_the_plan_the_param_and_the_cure() -> None:
    reason = _looked(n_looks=2, unplanned=True)
    assert reason.level == "warn"
    for each in ("Look 2 at these test images, 1 planned", "new test images", "check_transfer.planned_looks"):
        assert each in reason.sentence


def test_a_look_beyond_the_plan_after_a_gain_passes_with_the_reason() -> None:
    reason = _looked(n_looks=2)
    assert reason.level == "pass"
    assert "looks that end POSITIVE use up no plan" in reason.sentence


def test_a_look_of_two_seeds_spends_none() -> None:
    assert "claims nothing, so it spends none of 1 planned" in _looked(n_looks=0, n_seeds=2).sentence


@pytest.mark.parametrize(("severity", "level"), [("critical", "fail"), ("warning", "warn")])
def test_findings_on_the_data_count_by_severity(severity: str, level: str) -> None:
    assert _levels(verdict_record("POSITIVE"), validation=_finding(severity))["data"] == level


def _tried(rates: tuple[float, ...], chosen: tuple[float, ...], strategy: str = "full") -> TrainingRecord:
    """An arm in which each seed chose one of the rates."""
    scores = dict.fromkeys(("val_accuracy", "val_loss", "accuracy", "loss"), 0.5)
    trials = tuple(Trial(seed=seed, rate=rate, **scores) for seed, _ in enumerate(chosen) for rate in rates)
    record = training_record()
    runs = tuple(record.runs[0].model_copy(update={"seed": seed, "rate": each}) for seed, each in enumerate(chosen))
    return record.model_copy(update={"trials": trials, "runs": runs, "strategy": strategy})


@pytest.mark.parametrize(
    ("rates", "chosen", "level"),
    [
        ((0.1, 0.2, 0.3), (0.2, 0.2, 0.2), "pass"),
        ((0.1, 0.2, 0.3), (0.1, 0.1, 0.2), "warn"),
        ((0.1, 0.2, 0.3), (0.2, 0.3, 0.3), "warn"),
        ((0.1, 0.2, 0.3), (0.1, 0.2, 0.3), "pass"),
        ((0.1, 0.2, 0.3), (0.2, 0.3), "pass"),
        ((0.1,), (0.1, 0.1), "pass"),
    ],
)
def test_rates_of_most_seeds_at_one_end_of_the_grid_warn(
    rates: tuple[float, ...], chosen: tuple[float, ...], level: str
) -> None:
    assert _levels(verdict_record("POSITIVE"), scratch=_tried(rates, chosen))["rates"] == level


def test_the_regularisation_of_feature_extraction_is_not_checked_as_a_rate() -> None:
    extraction = _tried((0.1, 0.2), (0.2,), "feature_extraction")
    assert _levels(verdict_record("POSITIVE"), scratch=extraction)["rates"] == "pass"


@pytest.mark.parametrize("difference", [2e-4, float("nan")])
def test_a_breach_of_parity_fails(difference: float) -> None:
    broken = EXPORT.model_copy(update={"max_logit_difference": difference})
    assert _levels(verdict_record("POSITIVE"), export=broken)["export"] == "fail"


@pytest.mark.parametrize(
    ("levels", "passed", "refusals"),
    [(("pass", "warn"), True, ""), (("pass", "fail", "fail"), False, "Is fail. Is fail."), ((), True, "")],
)
def test_the_refusals_are_the_sentences_of_the_reasons_that_fail(
    levels: tuple[str, ...], passed: bool, refusals: str
) -> None:
    reasons = tuple(Reason.model_validate({"check": "x", "level": each, "sentence": f"Is {each}."}) for each in levels)
    release = ReleaseRecord(passed=passed, model_sha256="0", reasons=reasons, next_steps=())
    assert release.refusals == refusals


@pytest.mark.parametrize(("outcome", "passed"), [("POSITIVE", True), ("INCONCLUSIVE", True), ("NEGATIVE", False)])
def test_a_release_passes_where_no_reason_fails(outcome: Outcome, passed: bool) -> None:
    records = replace(run_records(), validation=CLEAN, verdict=verdict_record(outcome), export=EXPORT)
    assert judge_release(records).passed is passed


def test_a_release_names_the_model_and_what_to_try_next() -> None:
    records = replace(run_records(), catalog=catalog_record("example"), scratch=_tried((0.1, 0.2), (0.2,)))
    release = judge_release(records)
    assert release.model_sha256 == EXPORT.onnx_sha256
    assert "graft start" in release.next_steps[0]
    assert release.next_steps[1] == next(each.sentence for each in release.reasons if each.check == "rates")


def test_a_refusal_says_what_was_exported_and_why_it_is_refused() -> None:
    shipped = shipped_arm("NEGATIVE", Cost(1, 1), verdict_params())
    verdict = verdict_record("NEGATIVE", ships_because=shipped.because)
    release = judge_release(replace(run_records(), verdict=verdict))
    assert "the gate refuses it: check_transfer.on_negative says fail" in release.refusals


def _held_against(score: float, ships: str = "transfer") -> Reason:
    arms = {"transfer": (0.8, 0.7, 0.9), "scratch": (0.6, 0.5, 0.7), "difference": (0.2, 0.1, 0.3)}
    intervals = {name: Interval(estimate=each[0], low=each[1], high=each[2]) for name, each in arms.items()}
    verdict = verdict_record(
        "POSITIVE",
        scores=(ScoreRecord(metric="accuracy", **intervals),),
        majority=Majority(label="ant", accuracy=0.1, score=score),
        ships=ships,
    )
    reasons = judge_release(replace(run_records(), verdict=verdict)).reasons
    return next(each for each in reasons if each.check == "majority")


def test_an_arm_above_the_majority_passes_with_both_numbers() -> None:
    assert _held_against(0.62) == Reason(
        check="majority",
        level="pass",
        sentence="The transfer arm, test accuracy 80.0% (95% interval 70.0% to 90.0%), is better than always saying "
        "ant, the most frequent class of train, which reaches 62.0%.",
    )


@pytest.mark.parametrize(("accuracy", "ships"), [(0.7, "transfer"), (0.85, "transfer"), (0.62, "scratch")])
def test_an_arm_whose_interval_reaches_the_majority_warns(accuracy: float, ships: str) -> None:
    reason = _held_against(accuracy, ships)
    assert reason.level == "warn"
    assert f"The {ships} arm, " in reason.sentence
    assert "is no better than always saying ant" in reason.sentence


@pytest.mark.parametrize(("policy", "level"), [("warn", "warn"), ("fail", "fail"), ("ship_cheapest", "warn")])
def test_without_a_verdict_the_gate_never_passes_silently(policy: str, level: str) -> None:
    release = judge_release(replace(run_records(), verdict=no_verdict_record(on_inconclusive=policy)))
    reason = next(each for each in release.reasons if each.check == "verdict")
    assert reason.level == level
    assert "No verdict: no labelled test images" in reason.sentence
    assert release.passed is (level != "fail")
    assert {each.check for each in release.reasons}.isdisjoint({"looks", "majority"})
