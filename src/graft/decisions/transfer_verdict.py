"""Whether transfer helped: one pure function from the predictions of both arms to the verdict."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.decisions.claims import claim
from graft.params.decisions import CheckTransfer
from graft.records.common import Arm, Outcome
from graft.records.training import RunRecord, TrainingRecord
from graft.records.verdict import Majority, VerdictRecord
from graft.statistics.comparison.comparison import (
    MOST_IMAGES,
    Comparison,
    Estimate,
    Question,
    compare_arms,
    mean_score,
)
from graft.statistics.comparison.scores import accuracy_scores
from graft.statistics.comparison.settling import MANY_SEEDS
from graft.store.catalogue import Labelled


class JudgedArm(NamedTuple):
    """Training record and predictions of one arm."""

    training: TrainingRecord
    predicted: NDArray[np.int64]
    """(k, n) predicted class numbers, one row per run of the training record, in its order"""


class OnTest(NamedTuple):
    """The test split, on which both arms are judged."""

    images: Labelled
    """labels and groups of the n test images"""
    majority: Majority
    """the constant model, a baseline for both arms"""


def majority_of(train: Labelled, test: Labelled, classes: Sequence[str]) -> Majority:
    """The constant model: the most frequent class in train, and its accuracy on test.

    Args:
        train: images of the train split.
        test: images of the test split.
        classes: class names by number.
    """
    # argmax takes the first of equally frequent classes
    number = int(np.bincount(train.labels, minlength=len(classes)).argmax())
    return Majority(label=classes[number], accuracy=float(np.mean(test.labels == number)))


def judge_transfer(
    transfer: JudgedArm, scratch: JudgedArm, on: OnTest, params: CheckTransfer, seed: int
) -> VerdictRecord:
    """Compare the arms on the test split, give the verdict and name the model that ships.

    Args:
        transfer: the arm that starts from the backbone.
        scratch: the control, with the same seeds.
        on: labels and groups of the n test images, and the constant model.
        params: confidence level, margin, and what ships if transfer hurts.
        seed: seed of the bootstrap.

    Raises:
        ValueError: the arms differ in their seeds, or predictions do not match runs and images.
    """
    test = on.images
    _check(transfer, scratch, test)
    scores = [accuracy_scores(each.predicted, test.labels) for each in (transfer, scratch)]
    comparison = compare_arms(scores[0], scores[1], test.groups, Question(1 - params.level, params.margin, seed))
    accuracies = [mean_score(each, test.groups, 1 - params.level) for each in scores]
    outcome = outcome_of(comparison.difference, params.margin)
    ships = shipped_arm(outcome, params)
    shipped, its_scores = (scratch, scores[1]) if ships == "scratch" else (transfer, scores[0])
    run = median_run(shipped.training.runs)
    values = {
        "verdict": outcome,
        "headline": claim(outcome, transfer.training.strategy),
        "sentence": sentence_of(outcome, comparison, accuracies, params, (transfer.training, scratch.training)),
        "confidence": 1 - params.level,
        "margin": params.margin,
        "transfer_accuracy": accuracies[0],
        "scratch_accuracy": accuracies[1],
        "majority": on.majority,
        "strategy": transfer.training.strategy,
        "ships": ships,
        "ships_seed": shipped.training.runs[run].seed,
        "ships_accuracy": float(its_scores[run].mean()),
        "on_negative": params.on_negative,
    }
    return VerdictRecord.model_validate(comparison._asdict() | values)


def outcome_of(difference: Estimate, margin: float) -> Outcome:
    """One of four outcomes, by the interval and never by the estimate alone.

    An interval inside the margin is EQUIVALENT even if it excludes 0: such a difference is too small to count.
    """
    if -margin <= difference.low and difference.high <= margin:
        return "EQUIVALENT"
    if difference.low > 0:
        return "POSITIVE"
    return "NEGATIVE" if difference.high < 0 else "INCONCLUSIVE"


def shipped_arm(outcome: Outcome, params: CheckTransfer) -> Arm:
    """The transfer arm, unless transfer hurts and params say that the control then ships."""
    return "scratch" if outcome == "NEGATIVE" and params.on_negative == "ship_scratch" else "transfer"


def median_run(runs: tuple[RunRecord, ...]) -> int:
    """Index of the run with the median validation accuracy: a typical run, not the luckiest.

    Of an even number of runs it is the lower of the two in the middle. Ties go to the lowest loss, then to the lowest
    seed.
    """
    median = sorted(run.val_accuracy for run in runs)[(len(runs) - 1) // 2]
    equals = [place for place, run in enumerate(runs) if run.val_accuracy == median]
    return min(equals, key=lambda place: (runs[place].val_loss, runs[place].seed))


def sentence_of(
    outcome: Outcome,
    comparison: Comparison,
    accuracies: list[Estimate],
    params: CheckTransfer,
    arms: tuple[TrainingRecord, TrainingRecord],
) -> str:
    """The verdict in one sentence with its numbers, on this strategy and these training images alone."""
    transfer, scratch = (100 * each.estimate for each in accuracies)
    difference = comparison.difference
    # other outcomes have an interval with both signs, which a bare gain or loss would hide
    settled = outcome in ("POSITIVE", "NEGATIVE")
    sign = -1 if outcome == "NEGATIVE" else 1
    # a loss is told as a positive number, which swaps the ends of its interval
    low, high = sorted((100 * sign * difference.low, 100 * sign * difference.high))
    points = f"{100 * sign * difference.estimate:{'' if settled else '+'}.1f} points"
    word = {"POSITIVE": "gain", "NEGATIVE": "loss"}.get(outcome, "difference")
    inside = f", inside the margin of {100 * params.margin:g}" if outcome == "EQUIVALENT" else ""
    interval = f"{100 * (1 - params.level):g}% interval {_plain(low)} to {_plain(high)}{inside}"
    return (
        f"{claim(outcome, arms[0].strategy)}: "
        f"test accuracy {transfer:.1f}% against {scratch:.1f}% from scratch, a {word} of {points} "
        f"({interval}; {_sample(comparison)}, these training images)."
        + (f" {_what_settles(comparison)}" if outcome == "INCONCLUSIVE" else "")
    )


def _what_settles(comparison: Comparison) -> str:
    ways = [
        f"{count:,} {name}"
        for count, name in (
            (comparison.seeds_to_settle, "seeds"),
            (comparison.images_to_settle, "test images"),
        )
        if count is not None
    ]
    if comparison.together_to_settle is not None:
        seeds, images = comparison.together_to_settle
        ways.append(f"{seeds:,} seeds with {images:,} test images")
    if not ways:
        return f"At this difference {MANY_SEEDS} seeds with {MOST_IMAGES:,} test images would not settle it either."
    return f"If the difference stays as it is, {' or '.join(ways)} would settle it."


def _sample(comparison: Comparison) -> str:
    groups = f" in {comparison.n_units:,} groups" if comparison.n_units < comparison.n_images else ""
    return f"{comparison.n_seeds} seeds, {comparison.n_images:,} images{groups}"


def _plain(points: float) -> str:
    """A number with one decimal, without a minus before 0.0."""
    return f"{round(points, 1) + 0.0:.1f}"


def _check(transfer: JudgedArm, scratch: JudgedArm, test: Labelled) -> None:
    seeds, others = ([run.seed for run in each.training.runs] for each in (transfer, scratch))
    if seeds != others:
        raise ValueError(
            f"check_transfer: want the same seeds in both arms, got {seeds} and {others}. "
            "Run `dvc repro finetune_target train_scratch`."
        )
    for arm in (transfer, scratch):
        want = (len(seeds), len(test.labels))
        if arm.predicted.shape != want:
            raise ValueError(
                f"check_transfer, {arm.training.arm}: want predictions as (seeds, images) {want}, "
                f"got {arm.predicted.shape}. Run `dvc repro check_transfer`; it predicts anew."
            )
