"""Domain classifier: how well it tells target from source, and the proxy A-distance."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.statistics.features.separability import Sample, Separability, area_under_curve, held_out_scores


class DomainClassifier(NamedTuple):
    """Scores of a linear classifier on rows of folds that it has not seen."""

    auc: Separability
    """area under the curve with its interval"""
    error: float
    """share of rows put on the wrong side; both sides weigh the same, and so do all groups of a side; 0.5 is chance"""
    a_distance: float
    """2 (1 - 2 error): 0 is chance, 2 is always right, below 0 is worse than chance"""


def domain_classifier(
    source: NDArray[np.floating[Any]],
    target: NDArray[np.floating[Any]],
    *,
    groups: tuple[NDArray[Any], NDArray[Any]] | None = None,
    confidence: float,
    seed: int,
) -> DomainClassifier | None:
    """Area under the curve with its interval, error and proxy A-distance of a linear classifier of the domain.

    Args:
        source: (n, d) finite features.
        target: (m, d) finite features.
        groups: (n,) and (m,) names of groups. Each is whole in one fold, also where a name is on both sides. None:
            every row is a group.
        confidence: confidence of the interval, between 0 and 1.
        seed: seed of the folds, and of the rows where a sample has more than `separability` takes.

    Returns:
        None where a sample has too few rows or groups for `separability`.

    Source: Ben-David et al., Analysis of representations for domain adaptation, NeurIPS (2006); and as
    for `separability`.
    """
    if groups is None:
        groups = np.arange(len(source)), np.arange(len(source), len(source) + len(target))
    samples = [
        Sample(rows, names.astype(np.str_), np.zeros(len(rows), dtype=np.int64))
        for rows, names in zip((source, target), groups, strict=True)
    ]
    held_out = held_out_scores(samples[0], samples[1], seed=seed)
    auc = None if held_out is None else area_under_curve(held_out, confidence)
    if held_out is None or auc is None:
        return None
    # A score above 0 speaks for the target, side 1.
    wrong = (held_out.scores > 0) != (held_out.side == 1)
    sides = (held_out.side == each for each in (0, 1))
    error = float(np.mean([np.average(wrong[each], weights=held_out.weights[each]) for each in sides]))
    return DomainClassifier(auc, error, 2 * (1 - 2 * error))
