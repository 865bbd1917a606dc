from typing import Any

import pytest

from graft.decisions.gate import release_reasons
from graft.params import GateRelease
from graft.records import ExportRecord, Finding, TrainingRecord, ValidationRecord, VerdictRecord

EXPORT = ExportRecord(
    onnx_sha256="0" * 64,
    opset=20,
    n_images=100,
    batch_sizes=(1, 8),
    max_logit_difference=1e-6,
    logit_tolerance=1e-4,
    logit_std=1.0,
    top1_agreement=1.0,
    ok=True,
)
CLEAN = ValidationRecord(ok=True, findings=())


def _verdict(outcome: str, on_negative: str = "fail") -> VerdictRecord:
    interval = {"estimate": 0.0, "low": -0.1, "high": 0.1}
    numbers = dict.fromkeys(
        ("degrees_of_freedom", "margin", "standard_error", "variance_seeds", "variance_images", "variance_residual"), 0.0
    )
    values: dict[str, Any] = {
        "verdict": outcome,
        "sentence": "The sentence.",
        "difference": interval,
        "confidence": 0.95,
        **numbers,
        "n_seeds": 1,
        "n_images": 10,
        "n_units": 10,
        "transfer_accuracy": interval,
        "scratch_accuracy": interval,
        "by_seed": (0.0,),
        "sign_flip_p": 1.0,
        "bootstrap": interval,
        "seeds_to_settle": None,
        "images_to_settle": None,
        "strategy": "full",
        "ships": "transfer",
        "ships_seed": 0,
        "ships_accuracy": 0.5,
        "on_negative": on_negative,
    }
    return VerdictRecord.model_validate(values)


def _training(n_runs: int = 1) -> TrainingRecord:
    run = {
        "seed": 0,
        "budget": "matched",
        "best_epoch": 0,
        "val_accuracy": 0.5,
        "val_loss": 1.0,
        "weights_sha256": "0",
        "curve": (),
    }
    return TrainingRecord.model_validate(
        {
            "arm": "transfer",
            "strategy": "full",
            "network": "small_cnn",
            "rate": 0.1,
            "block_rates": {},
            "frozen_sha256": None,
            "budget": "matched",
            "trials": (),
            "runs": (run,) * n_runs,
        }
    )


def _levels(
    verdict: VerdictRecord,
    validation: ValidationRecord = CLEAN,
    export: ExportRecord = EXPORT,
    on_inconclusive: str = "warn",
    n_runs: int = 1,
) -> dict[str, str]:
    params = GateRelease.model_validate({"on_inconclusive": on_inconclusive})
    reasons = release_reasons(validation, _training(n_runs), verdict, export, params)
    return {reason.check: reason.level for reason in reasons}


def _finding(severity: str) -> ValidationRecord:
    finding = Finding.model_validate(
        {"name": "x", "severity": severity, "ok": False, "n_unexpected": 1, "examples": ("a",), "advice": "Mend."}
    )
    return ValidationRecord(ok=severity != "critical", findings=(finding,))


@pytest.mark.parametrize("outcome", ["POSITIVE", "EQUIVALENT"])
def test_a_good_verdict_passes(outcome: str) -> None:
    assert set(_levels(_verdict(outcome)).values()) == {"pass"}


@pytest.mark.parametrize(("on_negative", "level"), [("fail", "fail"), ("warn", "warn"), ("ship_scratch", "pass")])
def test_a_negative_verdict_does_what_params_say(on_negative: str, level: str) -> None:
    assert _levels(_verdict("NEGATIVE", on_negative))["verdict"] == level


@pytest.mark.parametrize("policy", ["warn", "fail"])
def test_an_open_verdict_does_what_params_say(policy: str) -> None:
    assert _levels(_verdict("INCONCLUSIVE"), on_inconclusive=policy)["verdict"] == policy


@pytest.mark.parametrize(("severity", "level"), [("critical", "fail"), ("warning", "warn")])
def test_findings_on_the_data_count_by_severity(severity: str, level: str) -> None:
    assert _levels(_verdict("POSITIVE"), validation=_finding(severity))["data"] == level


def test_missing_seeds_fail() -> None:
    assert _levels(_verdict("POSITIVE"), n_runs=2)["seeds"] == "fail"


def test_a_breach_of_parity_fails() -> None:
    broken = EXPORT.model_copy(update={"ok": False})
    assert _levels(_verdict("POSITIVE"), export=broken)["export"] == "fail"


def test_a_refusal_names_the_param_to_change() -> None:
    reasons = release_reasons(
        CLEAN, _training(), _verdict("NEGATIVE"), EXPORT, GateRelease.model_validate({"on_inconclusive": "warn"})
    )
    assert "check_transfer.on_negative" in next(each.sentence for each in reasons if each.check == "verdict")
