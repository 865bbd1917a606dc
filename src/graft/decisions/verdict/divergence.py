"""Seeds that did not learn."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graft.records.training import RunRecord

# A run this far below the median of its arm did not learn what the others did.
FAR_BELOW = 0.2


def n_diverged(runs: Sequence[RunRecord], predicted: NDArray[np.int64]) -> int:
    """Number of runs that did not learn.

    A run did not learn if it predicts one and the same class for all test images, or if its validation accuracy is at
    least 20 points below the median of its arm. Accuracy is not held against the most frequent class, which a network
    that was trained to weigh all classes alike may stay below.

    Args:
        runs: the k runs of an arm.
        predicted: (k, n) classes that they predict for the test images.
    """
    accuracies = np.array([run.val_accuracy for run in runs])
    # rounded, so that exactly 20 points count on every processor
    behind = np.round(np.median(accuracies) - accuracies, 9)
    constant = (predicted == predicted[:, :1]).all(axis=1)
    return int(np.sum(constant | (behind >= FAR_BELOW)))
