"""How well a few columns tell the class: balanced accuracy by cross-validation, with its interval."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.statistics.features.separability import FOLDS, OVERLAP
from graft.statistics.groups import dealt_folds, drawn_rows, group_sizes, unseen_share

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

BINS = 8
"""of one column, equally full"""
PENALTY = 1.0
"""of the classifier, in units of one bin's indicator in one row"""
MOST_ROWS = 5_000
"""drawn with the seed where there are more"""
FEWEST_GROUPS = 10
"""of a class; with fewer it is left out"""


class ClassProbe(NamedTuple):
    """How well the columns tell the class of a row that the classifier has not seen."""

    accuracy: float
    """balanced: mean over classes of the share that is told right"""
    low: float
    high: float
    n_classes: int
    """that were told apart; 1 / n_classes is guessing"""

    def excess(self, accuracy: float) -> float:
        """Where a balanced accuracy lies between guessing, 0, and always right, 1; below 0 where it is worse."""
        chance = 1 / self.n_classes
        return (accuracy - chance) / (1 - chance)


def class_probe(
    columns: Floats, labels: NDArray[Any], groups: NDArray[np.str_], *, confidence: float, seed: int
) -> ClassProbe | None:
    """Balanced accuracy of a classifier that sees the columns alone, on folds that it has not seen.

    Each column is cut into at most BINS bins without a look at the labels; where it holds no more values than that,
    each is a bin. Ridge regression of the classes on the bins tells the class: it takes what is not linear, and
    pictures of one exact width, at the price of a matrix product. Every class has the same weight. Groups stand whole
    in one fold. The interval is that of a mean over groups with a t quantile, wider because the folds' classifiers have
    seen mostly the same rows, and never narrower than what may not have shown at all on so few groups.

    Args:
        columns: (n, d).
        labels: (n,) classes.
        groups: (n,) names of groups of rows that are not independent.
        confidence: of the interval, between 0 and 1.
        seed: of the folds, and of the rows where there are more than MOST_ROWS.

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
    """(n, bins of all columns) 1 where the row's value lies in the bin, else 0."""
    parts = []
    for column in columns.T:
        values = np.unique(column)
        cuts = np.quantile(column, np.arange(1, BINS) / BINS) if len(values) > BINS else (values[1:] + values[:-1]) / 2
        edges = np.unique(cuts)
        parts.append(np.eye(len(edges) + 1)[np.searchsorted(edges, column, side="right")])
    return np.hstack(parts)


def _rows(labels: NDArray[Any], groups: NDArray[np.str_], rng: np.random.Generator) -> Places:
    """Ascending places of at most MOST_ROWS rows of classes that have enough groups; none where they are under two."""
    classes, numbers = np.unique(labels, return_inverse=True)
    pairs = np.unique(np.stack([numbers, group_sizes(groups)[1]]), axis=1)
    enough = np.bincount(pairs[0], minlength=len(classes)) >= FEWEST_GROUPS
    rows = np.flatnonzero(enough[numbers])
    if enough.sum() < 2:
        return rows[:0]
    chosen: Places = rows[drawn_rows(groups[rows], MOST_ROWS, rng)]
    return chosen


def _scores(seen: Floats, numbers: Places, held: Floats, n_classes: int) -> Floats:
    """(rows held, c) how much speaks for each class, by ridge regression in which every class weighs the same."""
    weights = 1 / np.bincount(numbers, minlength=n_classes)[numbers]
    mean = weights @ seen / weights.sum()
    root = np.sqrt(weights)[:, None]
    x, y = (seen - mean) * root, (np.eye(n_classes)[numbers] - 1 / n_classes) * root
    penalty = PENALTY * n_classes / len(numbers)  # of a row of mean weight
    scores: Floats = (held - mean) @ np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    return scores


def _with_interval(right: NDArray[np.bool_], numbers: Places, unit: Places, confidence: float) -> ClassProbe:
    from scipy.special import stdtrit

    sizes = np.bincount(numbers)
    recalls = np.bincount(numbers, weights=right) / sizes
    accuracy, n_classes = float(recalls.mean()), len(sizes)
    influence = np.bincount(unit, weights=(right - recalls[numbers]) / (sizes[numbers] * n_classes))
    n_groups = len(influence)
    error = np.sqrt(OVERLAP * np.sum(influence**2) * n_groups / (n_groups - 1))
    half = float(max(error * stdtrit(n_groups - 1, (1 + confidence) / 2), unseen_share(np.array(n_groups), confidence)))
    return ClassProbe(accuracy, max(accuracy - half, 0.0), min(accuracy + half, 1.0), n_classes)
