"""Rows that come in groups: sizes, draws and folds that keep groups whole."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Groups = NDArray[Any]


def group_sizes(groups: Groups) -> tuple[Ints, Ints]:
    """(units,) rows of each group, and (n,) the number of each row's group from 0."""
    _, unit, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return sizes, unit


def dealt_folds(unit: Ints, keys: Sequence[Ints], n_folds: int, rng: np.random.Generator) -> Ints:
    """(n,) fold of each row: whole groups are dealt out in turn, in the order of the keys of their first rows.

    Args:
        unit: (n,) number of each row's group from 0.
        keys: (n,) each, such as the class; the last counts most.
        n_folds: how many.
        rng: of the order within equal keys.
    """
    names, first = np.unique(unit, return_index=True)
    order = np.lexsort((rng.permutation(len(names)), *(key[first] for key in keys)))
    fold = np.empty(len(names), dtype=np.int64)
    fold[order] = np.arange(len(names)) % n_folds
    return fold[unit]


def drawn_rows(groups: Groups, most: int, rng: np.random.Generator) -> Ints:
    """Ascending places of at most so many rows, of every group one before a second of any.

    Args:
        groups: (n,) names of the rows' groups.
        most: rows that are drawn.
        rng: draws them.
    """
    place = np.argsort(rng.permutation(len(groups)))
    drawn: Ints = np.sort(np.lexsort((place, turns_in(place, groups)))[:most])
    return drawn


def turns_in(place: Ints, groups: Groups) -> Ints:
    """(n,) how many rows of its group stand before each row, whose place among all is given."""
    sizes, unit = group_sizes(groups)
    turn = np.empty(len(groups), dtype=np.int64)
    turn[np.lexsort((place, unit))] = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return turn


def grouped_folds(labels: Ints, groups: NDArray[np.str_], folds: int, seed: int) -> list[tuple[Ints, Ints]]:
    """Stratified folds that keep groups whole, as many as the smallest class has groups.

    Returns:
        Rows to learn from and rows held out, fold by fold.

    Raises:
        ValueError: a class with fewer than two groups.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    fewest = min(len(np.unique(groups[labels == label])) for label in np.unique(labels))
    if fewest < 2:
        raise ValueError(
            f"train split: want at least 2 images (or groups) of every class for cross-validation, got {fewest}. "
            "Add images of that class or remove the class."
        )
    splitter = StratifiedGroupKFold(n_splits=min(folds, fewest), shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(labels)), labels, groups))


def unseen_share(n_units: Ints, confidence: float) -> Floats:
    """Largest share that may well never show on n_units: 1 - (1 - confidence)^(1 / n), near 3 / n at 0.95.

    Source: Hanley and Lippman-Hand, If nothing goes wrong, is everything all right?, JAMA 249 (1983).
    """
    share: Floats = 1 - (1 - confidence) ** (1 / n_units)
    return share
