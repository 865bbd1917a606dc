"""Headline numbers: the few that a person compares from commit to commit."""

import json

from graft.files import SIGNIFICANT_DIGITS
from graft.records.verdict import AnyVerdict, NoVerdictRecord, VerdictRecord
from graft.reporting.evidence import Evidence

# Largest number of entries in metrics.json, so that `dvc metrics diff` can be read without scrolling.
MOST = 15
OF_TEST = (
    "transfer_accuracy",
    "scratch_accuracy",
    "majority_accuracy",
    "difference",
    "difference_low",
    "difference_high",
    "nll_difference",
    "shipped_score",
)


def headline_numbers(evidence: Evidence) -> dict[str, float | int | None]:
    """At most MOST numbers in a fixed order. None if a number does not exist for this run.

    The difference and the score of the shipped model are by the primary metric of the verdict.
    """
    shift, strategy, judged = evidence.shift, evidence.strategy, isinstance(evidence.verdict, VerdictRecord)
    return {
        **_of_test(evidence.verdict),
        "classes_worse": sum(each.worse for each in evidence.gain.classes.scores) if judged else None,
        "n_test_images": evidence.verdict.n_images if isinstance(evidence.verdict, VerdictRecord) else 0,
        "n_train_images": strategy.n_train,
        "shift_mmd2": None if shift.size is None else shift.size.mmd2,
        "shift_p_value": None if shift.test is None else shift.test.p_value,
        "probe_accuracy": None if strategy.probe is None else strategy.probe.mean,
        "gate_refusals": sum(each.level == "fail" for each in evidence.release.reasons),
    }


def _of_test(verdict: AnyVerdict) -> dict[str, float | None]:
    """What the test images tell; None throughout where none has a label."""
    if isinstance(verdict, NoVerdictRecord):
        return dict.fromkeys(OF_TEST)
    numbers = (
        verdict.by("accuracy").transfer.estimate,
        verdict.by("accuracy").scratch.estimate,
        verdict.majority.accuracy,
        verdict.difference.estimate,
        verdict.difference.low,
        verdict.difference.high,
        verdict.by("nll").difference.estimate,
        verdict.ships_score,
    )
    return dict(zip(OF_TEST, numbers, strict=True))


def metrics_json(evidence: Evidence) -> str:
    """Text of metrics.json: one number per line, floats to 6 significant digits."""
    numbers = {
        name: float(f"{value:.{SIGNIFICANT_DIGITS}g}") if isinstance(value, float) else value
        for name, value in headline_numbers(evidence).items()
    }
    return json.dumps(numbers, indent=1) + "\n"
