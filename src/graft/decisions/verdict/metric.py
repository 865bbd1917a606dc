"""The metric that decides, the scores of both arms by it and by the others, and the constant model."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.records.common import Interval, Metric
from graft.records.verdict import Majority, ScoreRecord
from graft.statistics.comparison.interval import difference_of, mean_of
from graft.statistics.comparison.layout import layout_of
from graft.statistics.comparison.scores import accuracy_scores, nll_scores
from graft.store.catalogue import Labelled

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Logits = NDArray[np.float32]
Shares = Literal["accuracy", "balanced_accuracy"]

# From this ratio of the largest to the smallest class on, accuracy can hide harm to the smallest.
UNBALANCED = 2


class Scored(NamedTuple):
    """Both arms by one metric, image by image."""

    metric: Metric
    transfer: Floats
    """(k, n) scores of the transfer arm, k seeds by n images"""
    scratch: Floats
    """(k, n) scores of the control"""
    classes: Labels | None
    """(n,) classes over whose means the metric is the mean; None if it is the mean over images"""


def primary_metric(labels: Labels, n_classes: int, wanted: Literal["auto"] | Shares) -> Shares:
    """The metric that decides: what the params say, or by the sizes of the classes in the test split.

    Args:
        labels: (n,) class numbers of the test images.
        n_classes: number of classes.
        wanted: `check_transfer.metric`.
    """
    if wanted != "auto":
        return wanted
    sizes = np.bincount(labels, minlength=n_classes)
    return "balanced_accuracy" if sizes.max() >= UNBALANCED * sizes.min() else "accuracy"


def scored(primary: Shares, transfer: Logits, scratch: Logits, labels: Labels) -> tuple[Scored, ...]:
    """Scores of both arms by the primary metric, by the other share, and by the negative log-likelihood.

    Args:
        primary: the metric that decides.
        transfer: (k, n, c) logits of the transfer arm.
        scratch: (k, n, c) logits of the control.
        labels: (n,) class numbers of the test images.
    """
    right = [accuracy_scores(logits.argmax(axis=2), labels) for logits in (transfer, scratch)]
    other: Shares = "accuracy" if primary == "balanced_accuracy" else "balanced_accuracy"
    shares = [
        Scored(each, right[0], right[1], labels if each == "balanced_accuracy" else None) for each in (primary, other)
    ]
    nats = [nll_scores(logits.astype(np.float64), labels) for logits in (transfer, scratch)]
    return (*shares, Scored("nll", nats[0], nats[1], None))


def score_record(scores: Scored, groups: NDArray[np.str_] | None, level: float) -> ScoreRecord:
    """Both arms and their difference by one metric, each with its interval.

    Args:
        scores: both arms by the metric.
        groups: (n,) names of groups; None if every image is independent.
        level: the intervals have confidence 1 - level.
    """
    layout = layout_of(scores.transfer.shape[1], groups, scores.classes)
    transfer, scratch = (mean_of(each, layout, level) for each in (scores.transfer, scores.scratch))
    found = difference_of(scores.transfer - scores.scratch, layout, level, shares=scores.metric != "nll")
    return ScoreRecord(
        metric=scores.metric,
        transfer=Interval.model_validate(transfer),
        scratch=Interval.model_validate(scratch),
        difference=Interval.model_validate(found.difference),
    )


def majority_of(train: Labelled, test: Labelled, classes: Sequence[str], metric: Shares) -> Majority:
    """The constant model: the most frequent class in train, and its scores on test.

    Args:
        train: images of the train split.
        test: images of the test split.
        classes: class names by number.
        metric: the primary metric.
    """
    # argmax takes the first of equally frequent classes
    number = int(np.bincount(train.labels, minlength=len(classes)).argmax())
    accuracy = float(np.mean(test.labels == number))
    # it recalls one class wholly and the others not at all
    balanced = float(np.any(test.labels == number)) / len(np.unique(test.labels))
    return Majority(label=classes[number], accuracy=accuracy, score=accuracy if metric == "accuracy" else balanced)


def value_of(scores: Floats, classes: Labels | None) -> float:
    """The metric of one run: the mean of its scores over images, or over the means of the classes.

    Args:
        scores: (n,) scores by image.
        classes: (n,) classes over whose means the metric is the mean; None if it is the mean over images.
    """
    if classes is None:
        return float(scores.mean())
    return float(np.mean([scores[classes == each].mean() for each in np.unique(classes)]))


def absent_classes(test: Labelled, classes: Sequence[str]) -> tuple[str, ...]:
    """Names of the classes without an image in the test split."""
    sizes = np.bincount(test.labels, minlength=len(classes))
    return tuple(name for name, size in zip(classes, sizes, strict=True) if size == 0)
