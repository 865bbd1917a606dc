"""Mix of classes of unlabelled target images, estimated by a probe that is trained on the source."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graft.statistics.features.label_shift import BlackBoxShares, black_box_shares, effective_number
from graft.statistics.features.probe import head_logits, linear_head
from graft.statistics.groups import check_groups_by_class, dealt_folds, group_sizes

Features = NDArray[np.float32]
Labels = NDArray[np.int64]
Groups = NDArray[Any]

FOLDS = 5


def target_shares(
    source: Features,
    labels: Labels,
    groups: tuple[Groups, Groups],
    target: Features,
    *,
    c: float,
    confidence: float,
    seed: int,
) -> BlackBoxShares | None:
    """Class shares of target images from a linear probe's predictions, corrected by its cross-validated confusion.

    Args:
        source: (n, d) features.
        labels: (n,) class numbers 0, 1, ... without gaps.
        groups: (n,) and (m,) names of groups of images that are not independent; a group of the source is whole in one
            fold.
        target: (m, d) features, m >= 1.
        c: inverse strength of the probe's regularisation, above 0.
        confidence: confidence of the intervals, between 0 and 1.
        seed: seed of folds and intervals.

    Returns:
        None where the probe tells too little, as `black_box_shares`.

    Raises:
        ValueError: a class with fewer than two groups, or as `black_box_shares`.
    """
    n_classes = int(labels.max()) + 1
    calls = held_out_calls(source, labels, groups[0], c=c, seed=seed)
    # (c, c): rows are predictions, columns are classes
    confusion = np.bincount(calls * n_classes + labels, minlength=n_classes**2).reshape(n_classes, n_classes)
    called = head_logits(linear_head(source, labels, c, n_classes), target).argmax(axis=1)
    predicted = np.bincount(called, minlength=n_classes)
    known = np.array([effective_number(groups[0][labels == label]) for label in range(n_classes)])
    independent = known, effective_number(groups[1])
    return black_box_shares(confusion, predicted, independent=independent, confidence=confidence, seed=seed)


def held_out_calls(features: Features, labels: Labels, groups: Groups, *, c: float, seed: int) -> Labels:
    """Class of each row, (n,), predicted by a probe that has not seen the row nor its group."""
    check_groups_by_class(labels, groups)
    fold = dealt_folds(group_sizes(groups)[1], (labels,), FOLDS, np.random.default_rng(seed))
    calls = np.empty(len(labels), dtype=np.int64)
    for held in np.unique(fold):
        seen = fold != held
        known = np.unique(labels[seen])
        # Where groups contain several classes, a fold may leave only one class to learn from.
        if len(known) == 1:
            calls[~seen] = known[0]
            continue
        head = linear_head(features[seen], labels[seen], c, int(labels.max()) + 1)
        calls[~seen] = head_logits(head, features[~seen]).argmax(axis=1)
    return calls
