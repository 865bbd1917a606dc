"""The statistic by double loops, and samples to compute it on."""

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def samples(n: int, m: int, d: int, shift: float, seed: int = 0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d)) + shift


def kernel(x: Floats, y: Floats, bandwidth2: float) -> float:
    return float(np.exp(-np.sum((x - y) ** 2) / bandwidth2))


def naive_mmd2(source: Floats, target: Floats, bandwidth2: float, groups: tuple[Ints, Ints] | None = None) -> float:
    """Means over pairs of different groups of their mean kernel, as `two_sample_test` defines them."""
    names = groups or (np.arange(len(source)), np.arange(len(target)))
    ours = [source[names[0] == each] for each in np.unique(names[0])]
    theirs = [target[names[1] == each] for each in np.unique(names[1])]

    def mean(pairs: Iterable[tuple[Floats, Floats]]) -> float:
        return float(np.mean([np.mean([kernel(x, y, bandwidth2) for x in one for y in other]) for one, other in pairs]))

    within = mean(itertools.permutations(ours, 2)) + mean(itertools.permutations(theirs, 2))
    return within - 2 * mean(itertools.product(ours, theirs))


def naive_median(pooled: Floats) -> float:
    return float(np.median([np.sum((x - y) ** 2) for x, y in itertools.combinations(pooled, 2)]))
