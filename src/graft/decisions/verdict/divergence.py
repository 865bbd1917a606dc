"""Seeds that did not learn."""

from collections.abc import Sequence

import numpy as np

from graft.records.training import RunRecord

# A run this far below the median of its arm did not learn what the others did.
FAR_BELOW = 0.2


def n_diverged(runs: Sequence[RunRecord], majority: float) -> int:
    """Number of runs that did not learn, by their validation accuracy, which nothing of the test split touches.

    A run did not learn if it is no better on validation than the most frequent class, or at least 20 points below
    the median of its arm.

    Args:
        runs: the runs of an arm.
        majority: share of the most frequent class among the validation images.
    """
    accuracies = np.array([run.val_accuracy for run in runs])
    # rounded, so that exactly 20 points count on every processor
    behind = np.round(np.median(accuracies) - accuracies, 9)
    return int(np.sum((accuracies <= majority) | (behind >= FAR_BELOW)))
