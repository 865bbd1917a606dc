"""Class probe: how well a few columns predict the class, by cross-validated balanced accuracy with its interval."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.statistics.features.separability import FOLDS, OVERLAP
from graft.statistics.groups import dealt_folds, drawn_rows, group_sizes, unseen_share

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

# Bins per column, with equal numbers of rows.
BINS = 8
# Penalty of the classifier, in units of one bin's indicator in one row.
PENALTY = 1.0
# Rows, at most; more are sampled with the seed.
MOST_ROWS = 5_000
# Groups of a class; a class with fewer is left out.
FEWEST_GROUPS = 10


class ClassProbe(NamedTuple):
    """How well the columns predict the class of a row that the classifier has not seen."""

    accuracy: float
    """balanced accuracy: mean over classes of the share that is predicted correctly"""
    low: float
    high: float
    n_classes: int
    """number of classes that were compared; an accuracy of 1 / n_classes is guessing"""

    def excess(self, accuracy: float) -> float:
        """Rescale a balanced accuracy: 0 is guessing, 1 is always right, below 0 is worse than guessing."""
        chance = 1 / self.n_classes
        return (accuracy - chance) / (1 - chance)


def class_probe(
    columns: Floats, labels: NDArray[Any], groups: NDArray[np.str_], *, confidence: float, seed: int
) -> ClassProbe | None:
    """Balanced accuracy of a classifier that sees only the columns, on folds that it has not seen.

    Each column is divided into at most BINS bins without a look at the labels; where it has no more distinct values
    than that, each value is a bin. Ridge regression of the classes on the bins predicts the class. It captures what is
    not linear, such as images of one exact width, at the price of a matrix product. Every class has the same weight,
    and groups are whole in one fold. The interval is that of a mean over groups with a t quantile. It is wider because
    the classifiers of the folds have seen mostly the same rows, and never narrower than the share that may not occur at
    all among so few groups.

    Args:
        columns: (n, d) columns.
        labels: (n,) classes.
        groups: (n,) names of groups of rows that are not independent.
        confidence: confidence of the interval, between 0 and 1.
        seed: seed of the folds, and of the sample where there are more than MOST_ROWS rows.

    Returns:
        None where fewer than two classes have FEWEST_GROUPS groups.

    Source: Brodersen et al., The balanced accuracy and its posterior distribution, ICPR (2010); for the overlap
    Nadeau and Bengio, Inference for the generalization error, Machine Learning 52 (2003).
    """
    rng = np.random.default_rng(seed)
    rows = _rows(labels, groups, rng)
    if not len(rows):
        return None
    classes, numbers = np.unique(labels[rows], return_inverse=True)
    unit = group_sizes(groups[rows])[1]
    seen = binned(columns[rows])
    fold = dealt_folds(unit, (numbers,), FOLDS, rng)
    right = np.empty(len(rows), dtype=np.bool_)
    for held in range(FOLDS):
        learnt = fold != held
        scores = _scores(seen[learnt], numbers[learnt], seen[~learnt], len(classes))
        right[~learnt] = scores.argmax(axis=1) == numbers[~learnt]
    return _with_interval(right, numbers, unit, confidence)


def binned(columns: Floats) -> Floats:
    """Indicators of the bins of all columns, (n, bins): 1 where the row's value is in the bin, else 0."""
    parts = []
    for column in columns.T:
        # (n,) to (n, bins of this column)
        values = np.unique(column)
        cuts = np.quantile(column, np.arange(1, BINS) / BINS) if len(values) > BINS else (values[1:] + values[:-1]) / 2
        edges = np.unique(cuts)
        parts.append(np.eye(len(edges) + 1)[np.searchsorted(edges, column, side="right")])
    return np.hstack(parts)


def _rows(labels: NDArray[Any], groups: NDArray[np.str_], rng: np.random.Generator) -> Places:
    """Ascending positions of at most MOST_ROWS rows of classes with enough groups; none for fewer than two classes."""
    classes, numbers = np.unique(labels, return_inverse=True)
    pairs = np.unique(np.stack([numbers, group_sizes(groups)[1]]), axis=1)
    enough = np.bincount(pairs[0], minlength=len(classes)) >= FEWEST_GROUPS
    rows = np.flatnonzero(enough[numbers])
    if enough.sum() < 2:
        return rows[:0]
    chosen: Places = rows[drawn_rows(groups[rows], MOST_ROWS, rng)]
    return chosen


def _scores(seen: Floats, numbers: Places, held: Floats, n_classes: int) -> Floats:
    """Score of each class for the held-out rows, (held, c), by ridge regression in which every class weighs the same.

    Args:
        seen: (n, bins) indicators of the training rows.
        numbers: (n,) class numbers of the training rows.
        held: (held, bins) indicators of the held-out rows.
        n_classes: c, the number of classes.
    """
    weights = 1 / np.bincount(numbers, minlength=n_classes)[numbers]
    mean = weights @ seen / weights.sum()
    root = np.sqrt(weights)[:, None]
    x, y = (seen - mean) * root, (np.eye(n_classes)[numbers] - 1 / n_classes) * root
    # In units of a row of mean weight.
    penalty = PENALTY * n_classes / len(numbers)
    scores: Floats = (held - mean) @ np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    return scores


def _with_interval(right: NDArray[np.bool_], numbers: Places, unit: Places, confidence: float) -> ClassProbe:
    from scipy.special import stdtrit

    sizes = np.bincount(numbers)
    recalls = np.bincount(numbers, weights=right) / sizes
    accuracy, n_classes = float(recalls.mean()), len(sizes)
    # (groups,): how much each group moves the balanced accuracy
    influence = np.bincount(unit, weights=(right - recalls[numbers]) / (sizes[numbers] * n_classes))
    n_groups = len(influence)
    error = np.sqrt(OVERLAP * np.sum(influence**2) * n_groups / (n_groups - 1))
    half = float(max(error * stdtrit(n_groups - 1, (1 + confidence) / 2), unseen_share(np.array(n_groups), confidence)))
    return ClassProbe(accuracy, max(accuracy - half, 0.0), min(accuracy + half, 1.0), n_classes)
