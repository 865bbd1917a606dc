"""Whether the model may be released: one pure function from records to reasons."""

from graft.params import GateRelease
from graft.records import ExportRecord, Reason, TrainingRecord, ValidationRecord, VerdictRecord


def release_reasons(
    validation: ValidationRecord,
    training: TrainingRecord,
    verdict: VerdictRecord,
    export: ExportRecord,
    params: GateRelease,
) -> tuple[Reason, ...]:
    """Every check of the gate, passed or not, with its number, its limit and the param to change."""
    return (_data(validation), _seeds(training, verdict), _verdict(verdict, params), _parity(export))


def _data(validation: ValidationRecord) -> Reason:
    critical = [each for each in validation.findings if each.severity == "critical" and not each.ok]
    warned = [each for each in validation.findings if each.severity == "warning" and not each.ok]
    if critical:
        advice = " ".join(each.advice for each in critical)
        return Reason(check="data", level="fail", sentence=f"Critical findings on the data: {advice}")
    if warned:
        names = ", ".join(each.name for each in warned)
        return Reason(check="data", level="warn", sentence=f"Warnings on the data: {names}.")
    return Reason(check="data", level="pass", sentence=f"All {len(validation.findings)} expectations of the data hold.")


def _seeds(training: TrainingRecord, verdict: VerdictRecord) -> Reason:
    complete = len(training.runs) == verdict.n_seeds
    return Reason(
        check="seeds",
        level="pass" if complete else "fail",
        sentence=f"{len(training.runs)} seeds were trained and {verdict.n_seeds} compared.",
    )


def _verdict(verdict: VerdictRecord, params: GateRelease) -> Reason:
    if verdict.verdict == "NEGATIVE":
        level = {"fail": "fail", "warn": "warn", "ship_scratch": "pass"}[verdict.on_negative]
        what = {
            "fail": "The release is refused; check_transfer.on_negative: ship_scratch would ship the control.",
            "warn": "It ships all the same, as check_transfer.on_negative says warn.",
            "ship_scratch": "The control ships in its place, as check_transfer.on_negative says.",
        }[verdict.on_negative]
        return Reason.model_validate({"check": "verdict", "level": level, "sentence": f"{verdict.sentence} {what}"})
    if verdict.verdict == "INCONCLUSIVE":
        what = f"gate_release.on_inconclusive says {params.on_inconclusive}."
        return Reason(check="verdict", level=params.on_inconclusive, sentence=f"{verdict.sentence} {what}")
    return Reason(check="verdict", level="pass", sentence=verdict.sentence)


def _parity(export: ExportRecord) -> Reason:
    return Reason(
        check="export",
        level="pass" if export.ok else "fail",
        sentence=(
            f"The ONNX logits differ from torch by at most {export.max_logit_difference:.1e} "
            f"(limit {export.logit_tolerance:.0e}) on {export.n_images} images."
        ),
    )
