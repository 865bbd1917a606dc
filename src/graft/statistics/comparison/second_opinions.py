"""Two other ways to judge a difference over seeds and units, beside the interval; they decide nothing."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CHUNK_ELEMENTS = 2**22
"""resampled units in memory at once: 32 MiB"""


def sign_flip_p(totals: NDArray[np.int64]) -> float:
    """Exact two-sided sign-flip test of the sum of paired differences.

    Under no difference every seed's sign is a toss of a coin; the p-value is the share of all 2^k sign
    patterns whose sum is as far from 0 as the observed one, itself among them: at least 1/16 with five seeds.

    Args:
        totals: (k,) whole numbers, one a seed: images that arm a gets right minus those that arm b does.

    Source: Fisher, The design of experiments (1935); the patterns are counted by their sums, not listed.
    """
    sizes = np.abs(totals[totals != 0])
    if len(sizes) == 0:
        return 1.0
    unit = np.gcd.reduce(sizes)
    ways = np.ones(1)
    for size in sizes // unit:
        longer = np.zeros(len(ways) + 2 * size)
        longer[: len(ways)] += ways
        longer[2 * size :] += ways
        ways = longer
    sums = np.arange(len(ways)) - len(ways) // 2
    extreme = np.abs(sums) >= abs(int(totals.sum())) // unit
    return float(ways[extreme].sum() / ways.sum())


def crossed_bootstrap(values: Floats, confidence: float, n_draws: int, seed: int) -> tuple[float, float]:
    """Percentile interval of the mean when seeds and units are both drawn again, with replacement.

    Args:
        values: (k, u), seeds by units.
        confidence: of the interval, between 0 and 1.
        n_draws: number of resamples.
        seed: of the resamples.

    Source: Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1 (2007).
    """
    k, u = values.shape
    rng = np.random.default_rng(seed)
    step = max(1, CHUNK_ELEMENTS // u)
    means = []
    for start in range(0, n_draws, step):
        draws = min(step, n_draws - start)
        seeds = rng.multinomial(k, np.full(k, 1 / k), size=draws)
        units = rng.multinomial(u, np.full(u, 1 / u), size=draws)
        means.append(np.einsum("bu,bu->b", seeds @ values, units) / (k * u))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(means), (tail, 1 - tail))
    return float(low), float(high)
