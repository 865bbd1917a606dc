import pytest
from tests.examples import CLEAN, EXPORT, training_record, verdict_record

from graft.decisions.gate import release_reasons
from graft.params import GateRelease
from graft.records import ExportRecord, Finding, ValidationRecord, VerdictRecord


def _levels(
    verdict: VerdictRecord,
    validation: ValidationRecord = CLEAN,
    export: ExportRecord = EXPORT,
    on_inconclusive: str = "warn",
    n_runs: int = 1,
) -> dict[str, str]:
    params = GateRelease.model_validate({"on_inconclusive": on_inconclusive})
    reasons = release_reasons(validation, training_record(n_runs), verdict, export, params)
    return {reason.check: reason.level for reason in reasons}


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
    assert _levels(verdict_record("NEGATIVE", on_negative))["verdict"] == level


@pytest.mark.parametrize("policy", ["warn", "fail"])
def test_an_open_verdict_does_what_params_say(policy: str) -> None:
    assert _levels(verdict_record("INCONCLUSIVE"), on_inconclusive=policy)["verdict"] == policy


@pytest.mark.parametrize(("severity", "level"), [("critical", "fail"), ("warning", "warn")])
def test_findings_on_the_data_count_by_severity(severity: str, level: str) -> None:
    assert _levels(verdict_record("POSITIVE"), validation=_finding(severity))["data"] == level


def test_missing_seeds_fail() -> None:
    assert _levels(verdict_record("POSITIVE"), n_runs=2)["seeds"] == "fail"


def test_a_breach_of_parity_fails() -> None:
    broken = EXPORT.model_copy(update={"ok": False})
    assert _levels(verdict_record("POSITIVE"), export=broken)["export"] == "fail"


def test_a_refusal_names_the_param_to_change() -> None:
    reasons = release_reasons(
        CLEAN,
        training_record(),
        verdict_record("NEGATIVE"),
        EXPORT,
        GateRelease.model_validate({"on_inconclusive": "warn"}),
    )
    assert "check_transfer.on_negative" in next(each.sentence for each in reasons if each.check == "verdict")
