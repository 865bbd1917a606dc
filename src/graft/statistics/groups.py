"""Rows that come in groups: sizes, draws and folds that keep groups whole."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Groups = NDArray[Any]


def group_sizes(groups: Groups) -> tuple[Ints, Ints]:
    """Number of rows in each group, (u,), and the number of each row's group, (n,), counted from 0."""
    _, unit, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return sizes, unit


def drawn_rows(groups: Groups, most: int, rng: np.random.Generator) -> Ints:
    """Draw at most `most` rows: one row of every group before a second row of any group.

    Args:
        groups: (n,) names of the rows' groups.
        most: largest number of rows.
        rng: draws the rows.

    Returns:
        Positions of the rows, in ascending order.
    """
    place = np.argsort(rng.permutation(len(groups)))
    drawn: Ints = np.sort(np.lexsort((place, turns_in(place, groups)))[:most])
    return drawn


def turns_in(place: Ints, groups: Groups) -> Ints:
    """Number of rows of the same group that precede each row, (n,).

    Args:
        place: (n,) position of each row in the order that counts.
        groups: (n,) names of the rows' groups.
    """
    sizes, unit = group_sizes(groups)
    turn = np.empty(len(groups), dtype=np.int64)
    # Sorted by group, the turns are 0, 1, ..., size - 1 for each group: a count minus the start of the group.
    turn[np.lexsort((place, unit))] = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return turn


def dealt_folds(unit: Ints, keys: Sequence[Ints], n_folds: int, rng: np.random.Generator) -> Ints:
    """Fold of each row, (n,), where whole groups are dealt to the folds in turn, sorted by their keys.

    Args:
        unit: (n,) number of each row's group, counted from 0.
        keys: arrays of shape (n,), such as class numbers, from the least to the most significant. The key of a
            group is that of its first row.
        n_folds: number of folds.
        rng: decides the order of groups with equal keys.
    """
    names, first = np.unique(unit, return_index=True)
    order = np.lexsort((rng.permutation(len(names)), *(key[first] for key in keys)))
    fold = np.empty(len(names), dtype=np.int64)
    fold[order] = np.arange(len(names)) % n_folds
    # (groups,) to (n,)
    return fold[unit]


def grouped_folds(labels: Ints, groups: Groups, folds: int, seed: int) -> list[tuple[Ints, Ints]]:
    """Stratified folds that keep groups whole.

    Args:
        labels: (n,) class numbers.
        groups: (n,) names of the rows' groups.
        folds: number of folds; fewer are made where a class has fewer groups.
        seed: seed of the folds.

    Returns:
        Positions of the training rows and of the held-out rows, for each fold.

    Raises:
        ValueError: a class has fewer than two groups.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    n_splits = min(folds, check_groups_by_class(labels, groups))
    splitter = StratifiedGroupKFold(n_splits=n_splits, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(labels)), labels, groups))


def check_groups_by_class(labels: Ints, groups: Groups) -> int:
    """Number of groups of the class that has the fewest.

    Raises:
        ValueError: a class has fewer than two groups, so that it cannot be both learned and held out.
    """
    fewest = min(len(np.unique(groups[labels == label])) for label in np.unique(labels))
    if fewest < 2:
        raise ValueError(
            f"labels, groups: want at least 2 images (or groups) of every class for cross-validation, got {fewest}. "
            "Add images of that class or remove the class."
        )
    return fewest


def unseen_share(n_units: Ints, confidence: float) -> Floats:
    """Largest share of a population that may well not occur at all among n_units drawn units.

    It is 1 - (1 - confidence)^(1 / n), close to 3 / n at a confidence of 0.95.

    Source: Hanley and Lippman-Hand, If nothing goes wrong, is everything all right?, JAMA 249 (1983).
    """
    share: Floats = 1 - (1 - confidence) ** (1 / n_units)
    return share
