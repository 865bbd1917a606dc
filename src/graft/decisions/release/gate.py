"""Whether the model may be released: one pure function from the records of a run to its reasons."""

from graft.decisions.release.advice import next_steps
from graft.files import visible
from graft.params.decisions import CheckTransfer
from graft.records.chapters import Records
from graft.records.release import ExportRecord, Reason, ReleaseRecord
from graft.records.training import TrainingRecord
from graft.records.validation import ValidationRecord
from graft.records.verdict import VerdictRecord


def judge_release(records: Records, params: CheckTransfer) -> ReleaseRecord:
    """Judge a release. This is done once: the report shows the result, and the gate acts on it.

    Args:
        records: the records of the run.
        params: whether an open verdict refuses a release.

    Returns:
        All checks, passed or not, each with its number, its limit and the param to change, and what to try next.
    """
    reasons = (
        _data(records.validation),
        _rates((records.transfer, records.scratch)),
        _verdict(records.verdict, params),
        _majority(records.verdict),
        _parity(records.export),
    )
    return ReleaseRecord(
        passed=all(each.level != "fail" for each in reasons),
        model_sha256=records.export.onnx_sha256,
        reasons=reasons,
        next_steps=next_steps(records, reasons),
    )


def _data(validation: ValidationRecord) -> Reason:
    critical = [each for each in validation.findings if each.severity == "critical" and not each.ok]
    warned = [each for each in validation.findings if each.severity == "warning" and not each.ok]
    if critical:
        advice = " ".join(each.advice for each in critical)
        return Reason(check="data", level="fail", sentence=f"Critical findings on the data: {advice}")
    if warned:
        names = ", ".join(each.name for each in warned)
        return Reason(check="data", level="warn", sentence=f"Warnings on the data: {names}.")
    return Reason(
        check="data", level="pass", sentence=f"None of {len(validation.findings)} faults was found in the data."
    )


def _rates(arms: tuple[TrainingRecord, TrainingRecord]) -> Reason:
    """Warn if most seeds of an arm end at one end of its grid: a better rate may lie outside, unfairly to that arm."""
    ends = {arm.arm: end for arm in arms if (end := _end_of_grid(arm)) is not None}
    if not ends:
        return Reason(check="rates", level="pass", sentence="Both arms found their learning rates inside the grid.")
    named = " and ".join(f"{arm} ({rate:g} in {n} of {of} seeds)" for arm, (rate, n, of) in ends.items())
    params = " and ".join({"transfer": "finetune_target", "scratch": "train_scratch"}[arm] for arm in ends)
    return Reason(
        check="rates",
        level="warn",
        sentence=f"The best learning rate lies at the end of the grid for {named}; widen {params}.rates.",
    )


def _end_of_grid(arm: TrainingRecord) -> tuple[float, int, int] | None:
    """The end of the grid that more than half of the seeds chose, how many did, and of how many; None: neither end."""
    tried, chosen = sorted({trial.rate for trial in arm.trials}), [run.rate for run in arm.runs]
    if len(tried) < 2 or arm.in_closed_form:
        return None
    ends = ((end, chosen.count(end), len(chosen)) for end in (tried[0], tried[-1]))
    return next((each for each in ends if 2 * each[1] > each[2]), None)


def _verdict(verdict: VerdictRecord, params: CheckTransfer) -> Reason:
    if verdict.verdict == "NEGATIVE":
        level = {"fail": "fail", "warn": "warn", "ship_scratch": "pass"}[verdict.on_negative]
        what = {
            "fail": "The release is refused; check_transfer.on_negative: ship_scratch would ship the control.",
            "warn": "It ships all the same, as check_transfer.on_negative says warn.",
            "ship_scratch": "The control ships in its place, as check_transfer.on_negative says.",
        }[verdict.on_negative]
        return Reason.model_validate({"check": "verdict", "level": level, "sentence": f"{verdict.sentence} {what}"})
    if verdict.verdict == "INCONCLUSIVE":
        what = f"check_transfer.on_inconclusive says {params.on_inconclusive}."
        return Reason(check="verdict", level=params.on_inconclusive, sentence=f"{verdict.sentence} {what}")
    return Reason(check="verdict", level="pass", sentence=verdict.sentence)


def _majority(verdict: VerdictRecord) -> Reason:
    """Warn if the model is no better than a constant one, which is often right if one class is frequent."""
    shipped = verdict.transfer_accuracy if verdict.ships == "transfer" else verdict.scratch_accuracy
    majority = verdict.majority
    # the whole interval must be above the constant model
    beats = shipped.low > majority.accuracy
    told = f"{shipped.estimate:.1%} ({100 * verdict.confidence:g}% interval {shipped.low:.1%} to {shipped.high:.1%})"
    always = f"always saying {visible(majority.label)}, the most frequent class of train, which is right on"
    if beats:
        sentence = (
            f"The {verdict.ships} arm, {told}, is better than {always} {majority.accuracy:.1%} of the test images."
        )
    else:
        sentence = (
            f"The {verdict.ships} arm, {told}, is no better than {always} {majority.accuracy:.1%} of the test images. "
            "Look at the recall of each class in the report; label more images, or set `training.balance: weights`."
        )
    return Reason(check="majority", level="pass" if beats else "warn", sentence=sentence)


def _parity(export: ExportRecord) -> Reason:
    holds = export.max_logit_difference <= export.logit_tolerance
    return Reason(
        check="export",
        level="pass" if holds else "fail",
        sentence=(
            f"The ONNX logits differ from torch by at most {export.max_logit_difference:.1e} "
            f"(limit {export.logit_tolerance:.0e}) on {export.n_images} images."
        ),
    )
