"""Whether transfer helped: one pure function from the logits of both arms to the verdict."""

from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from graft.decisions.claims import claim
from graft.decisions.verdict.arms import JudgedArm, check_logits
from graft.decisions.verdict.divergence import n_diverged
from graft.decisions.verdict.labels import labels_said
from graft.decisions.verdict.looks import Standing
from graft.decisions.verdict.metric import (
    Scored,
    absent_classes,
    majority_of,
    primary_metric,
    score_record,
    scored,
    value_of,
)
from graft.decisions.verdict.sentence import sentence_of
from graft.decisions.verdict.shipping import cost_of, median_run, shipped_arm
from graft.decisions.verdict.splits import Splits
from graft.decisions.verdict.unjudged import no_verdict
from graft.files import visible
from graft.params.decisions import CheckTransfer
from graft.records.common import Outcome
from graft.records.verdict import AnyVerdict, VerdictRecord
from graft.statistics.comparison.compare import Comparison, capped, compare
from graft.statistics.comparison.rare import at_most
from graft.store.catalogue import Labelled

# Largest number of absent classes that a sentence names.
MOST_NAMED = 5


class Asked(NamedTuple):
    """What the comparison is asked, and what else bears on its answer."""

    params: CheckTransfer
    seed: int
    """seed of the bootstrap"""
    standing: Standing
    """earlier looks at these test images"""
    pretraining: int
    """images that the pretraining passes through training steps; 0 if it was not made here"""


def judge(transfer: JudgedArm, scratch: JudgedArm, splits: Splits, asked: Asked) -> AnyVerdict:
    """The verdict of `judge_transfer`, or the word that no image can give one; either names the model that ships."""
    if splits.nothing_to_judge:
        return no_verdict(transfer.training, scratch.training, asked.params, asked.pretraining)
    return judge_transfer(transfer, scratch, splits, asked)


def judge_transfer(transfer: JudgedArm, scratch: JudgedArm, splits: Splits, asked: Asked) -> VerdictRecord:
    """Compare the arms on the test split, give the verdict and name the model that ships.

    Args:
        transfer: the arm that starts from the backbone.
        scratch: the control, with the same seeds.
        splits: the images that the arms were made from, and those of the target that judge them.
        asked: metric, level and margin, earlier looks, and what follows from each outcome.

    Raises:
        ValueError: there is no test image, or logits do not match runs and images.
    """
    test, standing = splits.test, asked.standing
    for arm in (transfer, scratch):
        check_logits(arm, test)
    primary = primary_metric(test.labels, len(splits.classes), asked.params.metric)
    scores = scored(primary, transfer.logits, scratch.logits, test.labels)
    groups, level = _groups(test), standing.level / standing.planned
    found = _compared(scores[0], groups, asked, level)
    for limit in _limits(splits, standing, asked.params.planned_looks):
        found = capped(found, limit)
    outcome = cast("Outcome", found.verdict)
    values = {
        # what the comparison found stands in the record under the same names
        **{name: value for name, value in found._asdict().items() if name in VerdictRecord.model_fields},
        "headline": claim(outcome, transfer.training.strategy, transfer.training.techniques),
        "sentence": "",
        "scores": [score_record(each, groups, level) for each in scores],
        "planned_looks": standing.planned,
        "n_looks": standing.n_looks,
        "unplanned": standing.unplanned,
        "looks_left": max(standing.left(outcome), 0),
        "looks_said": standing.said,
        "labels_from": splits.labels_from,
        "labels_said": labels_said(transfer.training) if splits.labels_from == "source" else "",
        "majority": majority_of(splits.train, test, splits.classes, primary),
        "strategy": transfer.training.strategy,
        "techniques": transfer.training.techniques,
        **_seeds(transfer, scratch),
        **_shipping(outcome, (transfer, scratch), scores[0], asked),
    }
    record = VerdictRecord.model_validate(values)
    return record.model_copy(update={"sentence": sentence_of(record)})


def _groups(test: Labelled) -> NDArray[np.str_] | None:
    """(n,) names of groups; None if every image is a group of its own."""
    return None if len(np.unique(test.groups)) == len(test.groups) else test.groups


def _compared(primary: Scored, groups: NDArray[np.str_] | None, asked: Asked, level: float) -> Comparison:
    return compare(
        primary.transfer,
        primary.scratch,
        groups=groups,
        classes=primary.classes,
        margin=asked.params.margin,
        level=level,
        seed=asked.seed,
    )


def _limits(splits: Splits, standing: Standing, planned_now: int) -> list[str]:
    """Why nothing may be claimed, beyond what the numbers alone tell."""
    absent = absent_classes(splits.test, splits.classes)
    limits = []
    if absent:
        named = ", ".join(visible(name) for name in absent[:MOST_NAMED])
        limits.append(
            f"The test split has no image of {len(absent)} of {len(splits.classes)} classes ({named}), so nothing can "
            "be said about them: add test images of every class."
        )
    if standing.unplanned:
        late = f"; the plan of {planned_now} came after the first look" if planned_now > standing.planned else ""
        limits.append(
            f"This look at these test images was not planned ({standing.n_looks} taken, {standing.planned} planned"
            f"{late}), so it can claim nothing: take new test images, and plan looks before the first "
            "(check_transfer.planned_looks)."
        )
    return limits


def _seeds(transfer: JudgedArm, scratch: JudgedArm) -> dict[str, Any]:
    """How many seeds of each arm did not learn, and how many may not."""
    arms = {arm.training.arm: arm for arm in (transfer, scratch)}
    diverged = {name: n_diverged(arm.training.runs, arm.logits.argmax(axis=2)) for name, arm in arms.items()}
    up_to = {name: at_most(diverged[name], len(arm.training.runs)) for name, arm in arms.items()}
    return {"n_diverged": diverged, "diverged_up_to": up_to}


def _shipping(outcome: Outcome, arms: tuple[JudgedArm, JudgedArm], primary: Scored, asked: Asked) -> dict[str, Any]:
    """The arm that ships, why, and its run with the median validation accuracy."""
    shipped = shipped_arm(outcome, cost_of(arms[0].training, arms[1].training, asked.pretraining), asked.params)
    transfers = shipped.arm == "transfer"
    runs = arms[0 if transfers else 1].training.runs
    run = median_run(runs)
    scores = (primary.transfer if transfers else primary.scratch)[run]
    return {
        "ships": shipped.arm,
        "ships_because": shipped.because,
        "ships_seed": runs[run].seed,
        "ships_score": value_of(scores, primary.classes),
        "on_negative": asked.params.on_negative,
        "on_inconclusive": asked.params.on_inconclusive,
    }
