"""Label shift: how much the mix of classes differs between two samples, with or without labels of the second."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

# Draws of the parametric bootstrap.
DRAWS = 1_000
# Smallest singular value of the confusion. Below it, two mixes of classes look nearly alike to the classifier.
LEAST_SINGULAR = 0.05


class BlackBoxShares(NamedTuple):
    """Shares of the classes among unlabelled rows, estimated from a classifier's predictions."""

    shares: Floats
    """(c,) shares from 0 to 1 that sum to 1"""
    low: Floats
    """(c,) lower end of the interval of each share"""
    high: Floats
    """(c,) upper end of the interval of each share"""
    smallest_singular_value: float
    """smallest singular value of the confusion, 0 to 1: the nearer to 0, the less the predictions tell"""


def total_variation(first: Counts, second: Counts) -> float:
    """Total variation between class shares: the share of rows that would have to change class, 0 to 1.

    Args:
        first: (c,) number of rows of each class in one sample; at least one row in all.
        second: (c,) number of rows of each class in the other sample.

    Raises:
        ValueError: other shapes, or a sample without rows.
    """
    if first.ndim != 1 or first.shape != second.shape or min(first.sum(), second.sum()) < 1:
        raise ValueError(
            f"total_variation: want rows of the same classes in both samples, got {first.tolist()} and "
            f"{second.tolist()}. Count the same classes in the same order."
        )
    return float(np.abs(first / first.sum() - second / second.sum()).sum() / 2)


def effective_number(groups: NDArray[Any]) -> int:
    """Number of independent rows that carry as much information, if rows of one group carry the same.

    It is (sum s)^2 / sum s^2 for group sizes s.

    Args:
        groups: (n,) names of the rows' groups, n >= 1.
    """
    sizes = np.unique_counts(groups).counts.astype(np.float64)
    return round(float(sizes.sum() ** 2 / np.sum(sizes**2)))


def black_box_shares(
    confusion: Counts,
    predicted: Counts,
    *,
    independent: tuple[Counts, int] | None = None,
    confidence: float,
    seed: int,
) -> BlackBoxShares | None:
    """Class shares of unlabelled rows from a classifier's predictions, corrected by its known confusion.

    With A[i, j] the share of class j that the classifier predicts as i, the shares q solve A q = predicted shares;
    values below 0 become 0. The estimate is right where classes look the same in both samples and only their mix
    differs. Where the images themselves differ, it takes the classifier's new mistakes for another mix. The interval
    draws confusion and predictions from their multinomials, as many as there are independent rows.

    Args:
        confusion: (c, c) number of rows of class j (column) predicted as i (row) by a classifier that had not seen
            them.
        predicted: (c,) number of unlabelled rows predicted as each class.
        independent: `effective_number` of the rows of each class, (c,), and of the predictions; None: all rows.
        confidence: confidence of the interval, between 0 and 1.
        seed: seed of the draws.

    Returns:
        None where the smallest singular value of A is below LEAST_SINGULAR.

    Raises:
        ValueError: other shapes, a class without rows in the confusion, or no predictions.

    Source: Lipton, Wang and Smola, Detecting and correcting for label shift with black box predictors, ICML (2018).
    """
    _check_counts(confusion, predicted)
    totals = confusion.sum(axis=0)
    table = confusion / totals
    smallest = float(np.linalg.svd(table, compute_uv=False)[-1])
    if smallest < LEAST_SINGULAR:
        return None
    rng = np.random.default_rng(seed)
    known, called = (totals, int(predicted.sum())) if independent is None else independent
    # (draws, c, c): a confusion for each draw
    tables = np.stack([rng.multinomial(n, share, size=DRAWS) / n for n, share in zip(known, table.T, strict=True)], 2)
    mixes = rng.multinomial(called, predicted / predicted.sum(), size=DRAWS) / called
    drawn = np.stack([_solved(*each) for each in zip(tables, mixes, strict=True)])
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail), axis=0)
    return BlackBoxShares(_solved(table, predicted / predicted.sum()), low, high, smallest)


def _solved(table: Floats, mix: Floats) -> Floats:
    """Shares of the classes, (c,), that a confusion, (c, c), turns into a mix of predictions, (c,)."""
    shares = np.maximum(np.linalg.lstsq(table, mix)[0], 0)
    solved: Floats = shares / shares.sum()
    return solved


def _check_counts(confusion: Counts, predicted: Counts) -> None:
    c = len(predicted)
    if confusion.shape != (c, c) or predicted.sum() < 1 or (confusion.sum(axis=0) < 1).any():
        raise ValueError(
            f"black_box_shares: want a confusion of {c} x {c} with rows of every class and at least one prediction, "
            f"got {confusion.shape} with {confusion.sum(axis=0).tolist()} rows a class and {int(predicted.sum())} "
            "predictions. Leave out classes without rows."
        )
