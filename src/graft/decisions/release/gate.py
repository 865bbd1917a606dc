"""Whether the model may be released: one pure function from the records of a run to its reasons."""

from graft.decisions.claims import LEAST_SEEDS, METRIC_WORDS
from graft.decisions.release.advice import next_steps
from graft.files import visible
from graft.records.chapters import Records
from graft.records.release import ExportRecord, Reason, ReleaseRecord
from graft.records.training import TrainingRecord
from graft.records.validation import ValidationRecord
from graft.records.verdict import AnyVerdict, NoVerdictRecord, VerdictRecord


def judge_release(records: Records) -> ReleaseRecord:
    """Judge a release. This is done once: the report shows the result, and the gate acts on it.

    Args:
        records: the records of the run.

    Returns:
        All checks, passed or not, each with its number, its limit and the param to change, and what to try next.
    """
    reasons = (
        _data(records.validation),
        _rates((records.transfer, records.scratch)),
        *_judged(records.verdict),
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
        sentence=f"Most seeds chose a learning rate at the end of the grid in {named}; widen {params}.rates.",
    )


def _end_of_grid(arm: TrainingRecord) -> tuple[float, int, int] | None:
    """The end of the grid that more than half of the seeds chose, how many did, and of how many; None: neither end."""
    tried, chosen = sorted({trial.rate for trial in arm.trials}), [run.rate for run in arm.runs]
    if len(tried) < 2 or arm.in_closed_form:
        return None
    ends = ((end, chosen.count(end), len(chosen)) for end in (tried[0], tried[-1]))
    return next((each for each in ends if 2 * each[1] > each[2]), None)


def _judged(verdict: AnyVerdict) -> tuple[Reason, ...]:
    """What the test images tell, or without any what `check_transfer.on_inconclusive` says of a model not verified."""
    if not isinstance(verdict, NoVerdictRecord):
        return (_verdict(verdict), _looks(verdict), _majority(verdict))
    level = "fail" if verdict.on_inconclusive == "fail" else "warn"
    sentence = f"{verdict.sentence} {verdict.ships_because}"
    return (Reason.model_validate({"check": "verdict", "level": level, "sentence": sentence}),)


def _verdict(verdict: VerdictRecord) -> Reason:
    """Let the verdict decide as params say; what ships, and why, names the param."""
    level = "pass"
    if verdict.verdict == "NEGATIVE":
        level = {"fail": "fail", "warn": "warn", "ship_scratch": "pass"}[verdict.on_negative]
    if verdict.verdict == "INCONCLUSIVE":
        level = "fail" if verdict.on_inconclusive == "fail" else "warn"
    sentence = f"{verdict.sentence} {verdict.ships_because}"
    return Reason.model_validate({"check": "verdict", "level": level, "sentence": sentence})


def _looks(verdict: VerdictRecord) -> Reason:
    """Warn of a look that was not planned; the verdict is then INCONCLUSIVE."""
    told = f"Look {verdict.n_looks} at these test images, {verdict.planned_looks} planned"
    if verdict.unplanned:
        cure = "it claims nothing: take new test images, and plan looks before the first"
        return Reason(check="looks", level="warn", sentence=f"{told}; {cure} (check_transfer.planned_looks).")
    if verdict.n_seeds < LEAST_SEEDS:
        told = f"A look of {verdict.n_seeds} seeds claims nothing, so it spends none of {verdict.planned_looks} planned"
    elif verdict.n_looks > verdict.planned_looks:
        told += "; none is too many, because looks that end POSITIVE use up no plan"
    return Reason(check="looks", level="pass", sentence=f"{told}.")


def _majority(verdict: VerdictRecord) -> Reason:
    """Warn if the model is no better than a constant one, which is often right if one class is frequent."""
    shipped = verdict.transfer if verdict.ships == "transfer" else verdict.scratch
    majority = verdict.majority
    # the whole interval must be above the constant model
    beats = shipped.low > majority.score
    interval = f"{100 * verdict.confidence:.3g}% interval {shipped.low:.1%} to {shipped.high:.1%}"
    arm = f"The {verdict.ships} arm, {METRIC_WORDS[verdict.metric]} {shipped.estimate:.1%} ({interval})"
    always = (
        f"always saying {visible(majority.label)}, the most frequent class of train, which reaches {majority.score:.1%}"
    )
    cure = "Look at the recall of each class in the report; label more images, or set `training.balance: weights`."
    sentence = f"{arm}, is better than {always}." if beats else f"{arm}, is no better than {always}. {cure}"
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
