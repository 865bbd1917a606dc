"""The primary metric as a value: one score for each image and each seed.

A comparison never asks which metric it compares. It takes influence values: floats whose mean over the test images is
the metric. Another metric is another function here.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def accuracy_scores(predicted: Labels, labels: Labels) -> Floats:
    """Score every prediction for accuracy: 1.0 if it is right, 0.0 if it is wrong.

    Args:
        predicted: (k, n) class numbers that k seeds predict for n images.
        labels: (n,) true class numbers.

    Returns:
        (k, n) scores.
    """
    # (k, n) == (n,) broadcasts the labels over the seeds
    scores: Floats = (predicted == labels).astype(np.float64)
    return scores


def nll_scores(logits: Floats, labels: Labels) -> Floats:
    """Score every prediction by its negative log-likelihood in nats: lower is better.

    Args:
        logits: (k, n, c) logits of k seeds for n images and c classes.
        labels: (n,) true class numbers.

    Returns:
        (k, n) scores, at least 0.
    """
    highest = logits.max(axis=2, keepdims=True)
    # the largest logit is taken off first, so that no exponential overflows
    log_sum = np.log(np.exp(logits - highest).sum(axis=2)) + highest[:, :, 0]
    scores: Floats = (log_sum - np.take_along_axis(logits, labels[None, :, None], axis=2)[:, :, 0]).astype(np.float64)
    return scores
