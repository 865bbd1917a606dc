"""Counts of predictions on the test split, by class."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.records.common import Arm
from graft.store.predictions import Predictions


class Confusion(NamedTuple):
    """Images of one class that are taken for another."""

    true: str
    predicted: str
    n_images: int


class Mistake(NamedTuple):
    """A test image that the shipped model misclassifies."""

    image: str
    true: str
    predicted: str
    n_seeds_wrong: int
    """number of seeds of the shipped arm that misclassify it"""


def confusion_matrix(labels: NDArray[np.int64], predicted: NDArray[np.int64], n_classes: int) -> NDArray[np.int64]:
    """(c, c) counts, true class by predicted class.

    Args:
        labels: (n,) true class numbers.
        predicted: (n,) predicted class numbers.
        n_classes: number of classes c.
    """
    # cell i * c + j of the flat matrix counts images of class i that are predicted as j
    cells = np.bincount(labels * n_classes + predicted, minlength=n_classes**2)
    return cells.reshape(n_classes, n_classes)


def score_by_seed(predictions: Predictions, arm: Arm, balanced: bool) -> tuple[float, ...]:
    """Test accuracy of each run of an arm; balanced: the mean of its recalls over the classes of the test split."""
    right = predictions.by_arm[arm] == predictions.labels
    if not balanced:
        return tuple(float(each) for each in right.mean(axis=1))
    present = np.unique(predictions.labels)
    recalls = [right[:, predictions.labels == number].mean(axis=1) for number in present]
    return tuple(float(each) for each in np.mean(recalls, axis=0))


def frequent_confusions(matrix: NDArray[np.int64], classes: Sequence[str], limit: int) -> tuple[Confusion, ...]:
    """The most frequent confusions, at most `limit`. Ties are in the order of the classes."""
    # the diagonal holds right predictions
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    # flat index i * c + j to class i and prediction j
    places = [divmod(int(each), len(classes)) for each in order]
    return tuple(Confusion(classes[i], classes[j], int(wrong[i, j])) for i, j in places if wrong[i, j] > 0)


def mistakes(predictions: Predictions, arm: Arm, seed: int, classes: Sequence[str], limit: int) -> tuple[Mistake, ...]:
    """At most `limit` images that one run misclassifies: classes in turn, images wrong in most seeds first."""
    predicted = predictions.of(arm, seed)
    # (s, n) -> (n,): number of seeds that misclassify each image
    n_wrong = (predictions.by_arm[arm] != predictions.labels).sum(axis=0)
    places = [int(i) for i in np.flatnonzero(predicted != predictions.labels)]
    hardest = sorted(places, key=lambda i: (-n_wrong[i], predictions.images[i]))
    rank: dict[int, int] = {}
    seen = [0] * len(classes)
    for i in hardest:
        rank[i] = seen[predictions.labels[i]]
        seen[predictions.labels[i]] += 1
    chosen = sorted(hardest, key=lambda i: (rank[i], predictions.labels[i]))[:limit]
    return tuple(
        Mistake(predictions.images[i], classes[predictions.labels[i]], classes[predicted[i]], int(n_wrong[i]))
        for i in chosen
    )
