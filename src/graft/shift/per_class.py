"""Two-sample test class by class, corrected for the number of classes."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.statistics.holm import holm
from graft.statistics.two_sample.mmd import mmd2_unbiased
from graft.statistics.two_sample.two_sample import two_sample_test

Array = NDArray[np.floating[Any]]
Labels = NDArray[np.str_]
Groups = NDArray[Any]


class ClassShift(NamedTuple):
    """Distance of the target images of a class from the source images of the same class."""

    label: str
    n_source: int
    n_target: int
    mmd2: float
    """unbiased squared MMD; all classes have the same bandwidth, so that they can be compared"""
    p_value: float
    """p-value of this class alone"""
    p_holm: float
    """p-value corrected for all classes that were tested"""


def per_class_shift(
    source: tuple[Array, Labels, Groups],
    target: tuple[Array, Labels, Groups],
    *,
    bandwidth2: float,
    n_permutations: int,
    seed: int,
) -> tuple[ClassShift, ...]:
    """Test every class with two groups on both sides and images that differ, in order of their names.

    Args:
        source: (n, d) features, (n,) class names and (n,) names of groups of images that are not independent.
        target: features, class names and groups of the target.
        bandwidth2: bandwidth of mmd2; the tests choose their own.
        n_permutations: permutations of each test.
        seed: seed of each test.

    Raises:
        ValueError: as `two_sample_test`.
    """
    shared = np.intersect1d(source[1], target[1]).tolist()
    every = [(label, _rows_of(source, label), _rows_of(target, label)) for label in shared]
    classes = [each for each in every if _can_be_tested(each[1:])]
    tests = [
        two_sample_test(a[0], b[0], n_permutations=n_permutations, seed=seed, groups=(a[1], b[1]))
        for _, a, b in classes
    ]
    corrected = holm([test.p_value for test in tests])
    return tuple(
        ClassShift(
            label, len(a[0]), len(b[0]), mmd2_unbiased(a[0], b[0], bandwidth2, (a[1], b[1])), test.p_value, float(p)
        )
        for (label, a, b), test, p in zip(classes, tests, corrected, strict=True)
    )


def _rows_of(side: tuple[Array, Labels, Groups], label: str) -> tuple[Array, Groups]:
    features, labels, groups = side
    return features[labels == label], groups[labels == label]


def _can_be_tested(sides: tuple[tuple[Array, Groups], tuple[Array, Groups]]) -> bool:
    """Whether both sides have two groups and no row is in every group: blank images alone tell nothing."""
    if min(len(np.unique(groups)) for _, groups in sides) < 2:
        return False
    features, groups = (np.concatenate(each) for each in zip(*sides, strict=True))
    names, sizes = np.unique(groups, return_counts=True)
    # The test may keep any single row of a group, so it is enough to look at the rows of the smallest group.
    few = features[groups == names[sizes.argmin()]]
    return all(len(np.unique(groups[(features == row).all(axis=1)])) < len(names) for row in few)
