"""Nested, stratified subsets of the labels, and their repetition up to the length of a full epoch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graft.params.learning import Training
from graft.transfer.arms.target_data import TargetData, seen_by

Places = NDArray[np.int64]


def labels_seen(data: TargetData, training: Training, share: float, seed: int) -> Places:
    """Places within the train split of a share of the images that a seed sees in the arms.

    Args:
        data: the target's images.
        training: says what a seed sees of the train split.
        share: of the images that the seed sees, above 0 to 1.
        seed: of the run; both arms see the same images.
    """
    seen, labels = seen_by(data, training, seed), data.train.labels.cpu().numpy()
    return seen[nested_subset(labels[seen], data.train_groups[seen], share, seed)]


def nested_subset(labels: Places, groups: NDArray[Any], share: float, seed: int) -> Places:
    """Ascending places of a share of each class, with at least one image of every class and all groups whole.

    Groups are put in a random order. The first group in it that holds a class is always taken, so that no class is
    absent. A group counts for the rarest class that it holds, and each class takes as many of its groups, in order, as
    come nearest to the share of their images. The subset of a smaller share with the same seed is a part of that of a
    larger share; where each image is a group of its own, a class of m images gives the whole number nearest to
    share * m, or 1.

    Args:
        labels: (n,) class numbers.
        groups: (n,) group names.
        share: of each class, above 0 to 1; 1 takes every image.
        seed: of the order.
    """
    _, unit = np.unique(groups, return_inverse=True)
    n_units = int(unit.max()) + 1
    # another stream than that which drew what the seed sees
    turn = np.random.default_rng([seed, 1]).permutation(n_units)
    sizes = np.bincount(labels)
    # the last assignment to a group counts, which is that of the rarest class
    owner = np.zeros(n_units, dtype=np.int64)
    taken = np.zeros(n_units, dtype=bool)
    for label in np.argsort(-sizes, kind="stable"):
        held = np.unique(unit[labels == label])
        owner[held] = label
        if len(held):
            taken[held[turn[held].argmin()]] = True
    images = np.bincount(unit)
    for label in range(len(sizes)):
        members = np.flatnonzero(owner == label)
        in_order = members[np.argsort(turn[members])]
        so_far = np.concatenate([[0], np.cumsum(images[in_order])])
        n_taken = int(np.abs(so_far - share * so_far[-1]).argmin())
        taken[in_order[:n_taken]] = True
    return np.flatnonzero(taken[unit])


def repeated(places: Places, length: int, seed: int) -> Places:
    """These places again and again, (length,), each equally often up to one.

    An epoch over few images then has as many steps, of batches as large, as one over all of them.

    Args:
        places: (k,) places, k at most the length.
        length: of the result.
        seed: draws the places that come once more than the others.
    """
    n_rounds, n_left = divmod(length, len(places))
    more = np.random.default_rng(seed).permutation(places)[:n_left]
    return np.sort(np.concatenate([np.tile(places, n_rounds), more]))
