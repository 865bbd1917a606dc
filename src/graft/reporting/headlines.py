"""Headline numbers: the few that a person compares from commit to commit."""

import json

from graft.files import SIGNIFICANT_DIGITS
from graft.reporting.evidence import Evidence

# Largest number of entries in metrics.json, so that `dvc metrics diff` can be read without scrolling.
MOST = 15


def headline_numbers(evidence: Evidence) -> dict[str, float | int | None]:
    """At most MOST numbers in a fixed order. None if a number does not exist for this run.

    The difference and the score of the shipped model are by the primary metric of the verdict.
    """
    verdict, shift, strategy = evidence.verdict, evidence.shift, evidence.strategy
    return {
        "transfer_accuracy": verdict.by("accuracy").transfer.estimate,
        "scratch_accuracy": verdict.by("accuracy").scratch.estimate,
        "majority_accuracy": verdict.majority.accuracy,
        "difference": verdict.difference.estimate,
        "difference_low": verdict.difference.low,
        "difference_high": verdict.difference.high,
        "nll_difference": verdict.by("nll").difference.estimate,
        "shipped_score": verdict.ships_score,
        "classes_worse": sum(each.worse for each in evidence.gain.classes.scores),
        "n_test_images": verdict.n_images,
        "n_train_images": strategy.n_train,
        "shift_mmd2": None if shift.size is None else shift.size.mmd2,
        "shift_p_value": None if shift.test is None else shift.test.p_value,
        "probe_accuracy": strategy.probe.mean,
        "gate_refusals": sum(each.level == "fail" for each in evidence.release.reasons),
    }


def metrics_json(evidence: Evidence) -> str:
    """Text of metrics.json: one number per line, floats to 6 significant digits."""
    numbers = {
        name: float(f"{value:.{SIGNIFICANT_DIGITS}g}") if isinstance(value, float) else value
        for name, value in headline_numbers(evidence).items()
    }
    return json.dumps(numbers, indent=1) + "\n"
