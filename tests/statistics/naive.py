"""The statistic by double loops, and samples to compute it on."""

import itertools

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
    """Means over pairs of rows of different groups, as `two_sample_test` defines them."""

    def within(rows: Floats, names: Ints) -> float:
        pairs = itertools.permutations(range(len(rows)), 2)
        return float(np.mean([kernel(rows[i], rows[j], bandwidth2) for i, j in pairs if names[i] != names[j]]))

    names = groups or (np.arange(len(source)), np.arange(len(target)))
    across = float(np.mean([kernel(x, y, bandwidth2) for x in source for y in target]))
    return within(source, names[0]) + within(target, names[1]) - 2 * across


def naive_median(pooled: Floats) -> float:
    return float(np.median([np.sum((x - y) ** 2) for x, y in itertools.combinations(pooled, 2)]))
