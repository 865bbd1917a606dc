"""Two arms with known accuracies, as the tests of the verdict judge them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.examples import training_record

from graft.decisions.verdict.arms import JudgedArm
from graft.decisions.verdict.judge import Asked, judge_transfer
from graft.decisions.verdict.looks import Standing
from graft.decisions.verdict.splits import Splits
from graft.params.decisions import CheckTransfer
from graft.records.common import Arm
from graft.records.training import RunRecord, TrainingRecord
from graft.records.verdict import VerdictRecord
from graft.store.catalogue import Labelled

Labels = NDArray[np.int64]

CLASSES = ("ant", "bee", "cow", "dog")
FIRST = Standing(n_looks=1, planned=1, n_open=0, counts=True, said="", level=0.05)
VAL_ACCURACIES = (0.5, 0.9, 0.7, 0.8, 0.6)


def params(**changes: Any) -> CheckTransfer:
    values: dict[str, Any] = {
        "metric": "auto",
        "level": 0.05,
        "margin": 0.01,
        "planned_looks": 1,
        "on_negative": "fail",
        "on_inconclusive": "warn",
    }
    return CheckTransfer.model_validate({**values, **changes})


def run_of(seed: int, val_accuracy: float, val_loss: float = 1.0, n_images_seen: int = 100) -> RunRecord:
    changes = {"seed": seed, "val_accuracy": val_accuracy, "val_loss": val_loss, "n_images_seen": n_images_seen}
    return training_record().runs[0].model_copy(update=changes)


def trained(arm: Arm, n_seeds: int = 5, n_images_seen: int = 100, **changes: Any) -> TrainingRecord:
    runs = tuple(run_of(seed, VAL_ACCURACIES[seed % 5], 1.0, n_images_seen) for seed in range(n_seeds))
    strategy = "full" if arm == "transfer" else "scratch"
    return training_record().model_copy(update={"arm": arm, "strategy": strategy, "runs": runs, **changes})


def split_of(labels: Labels, groups: NDArray[np.str_] | None = None) -> Labelled:
    names = np.array([f"{each:04}" for each in range(len(labels))])
    return Labelled(np.arange(len(labels)), labels, names if groups is None else groups, names)


def balanced(n: int) -> Labels:
    return np.arange(n) % len(CLASSES)


def splits_with(test: Labelled) -> Splits:
    """The test split beside small others, whose most frequent class is dog."""
    other = split_of(np.array([0, 1, 2, 3, 3]))
    return Splits(train=other, val=other, test=test, classes=CLASSES)


def logits_of(predicted: Labels) -> NDArray[np.float32]:
    """(k, n, c) logits of (k, n) predicted classes."""
    return np.eye(len(CLASSES), dtype=np.float32)[predicted]


def predicted(labels: Labels, accuracy: float, k: int, rng: np.random.Generator) -> Labels:
    """(k, n) classes that are right with this probability, independently by seed and image."""
    wrong = rng.random((k, len(labels))) >= accuracy
    return np.where(wrong, (labels + rng.integers(1, len(CLASSES), wrong.shape)) % len(CLASSES), labels)


def verdict_on(
    test: Labelled,
    transfer: Labels,
    scratch: Labels,
    settings: CheckTransfer | None = None,
    standing: Standing = FIRST,
) -> VerdictRecord:
    """The verdict on predicted classes of both arms."""
    arms = (
        JudgedArm(trained("transfer", len(transfer)), logits_of(transfer)),
        JudgedArm(trained("scratch", len(scratch)), logits_of(scratch)),
    )
    return judge_transfer(*arms, splits_with(test), Asked(settings or params(), 0, standing, 0))


def judged(transfer: float, scratch: float, n: int = 400, k: int = 5, seed: int = 0, **changes: Any) -> VerdictRecord:
    """The verdict on arms of these accuracies."""
    rng = np.random.default_rng(seed)
    test = split_of(balanced(n))
    rows = [predicted(test.labels, accuracy, k, rng) for accuracy in (transfer, scratch)]
    return verdict_on(test, rows[0], rows[1], params(**changes))
