"""Three other ways to judge a difference over seeds and units, beside the interval. They decide nothing."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Resampled units in memory at once: 32 MiB.
CHUNK_ELEMENTS = 2**22
# Steps in which totals that are not whole numbers are counted.
STEPS = 10_000


def sign_flip_p(totals: Floats) -> float:
    """Two-sided sign-flip test of the sum of paired differences.

    Without a difference every sign is as likely as its opposite. The p-value is the share of all 2^k sign patterns
    whose sum is at least as far from 0 as the observed one, which counts itself: at least 1/16 with five seeds.

    Args:
        totals: (k,) sum of the differences of each seed. For accuracy these are whole numbers, and the test is exact.
            Others are rounded to steps of 1 / 10,000 of the largest.

    Source: Fisher, The design of experiments (1935). Patterns are counted by their sums instead of listed.
    """
    steps = _in_steps(totals)
    sizes = np.abs(steps[steps != 0])
    if len(sizes) == 0:
        return 1.0
    unit = np.gcd.reduce(sizes)
    # ways[i]: sign patterns of the seeds so far whose sum is i - len(ways) // 2 units
    ways = np.ones(1)
    for size in sizes // unit:
        longer = np.zeros(len(ways) + 2 * size)
        longer[: len(ways)] += ways
        longer[2 * size :] += ways
        ways = longer
    sums = np.arange(len(ways)) - len(ways) // 2
    extreme = np.abs(sums) >= abs(int(steps.sum())) // unit
    return float(ways[extreme].sum() / ways.sum())


def _in_steps(totals: Floats) -> NDArray[np.int64]:
    """(k,) totals as whole numbers: as they are, or in steps of 1 / STEPS of the largest."""
    whole = np.array_equal(totals, np.rint(totals))
    steps: NDArray[np.int64] = np.rint(totals if whole else totals / np.abs(totals).max() * STEPS).astype(np.int64)
    return steps


def mcnemar_p(values: Floats, unit: NDArray[np.int64] | None = None) -> float:
    """Two-sided exact McNemar test over units, pooled over the seeds.

    A unit counts for the arm that scores higher on it over all seeds together; units without a difference do not count.
    The test speaks of these seeds alone.

    Args:
        values: (k, n) differences, seeds by images.
        unit: (n,) number of the group of each image, None if every image is its own.

    Source: McNemar, Note on the sampling error of the difference between correlated proportions, Psychometrika 12
    (1947).
    """
    from scipy.special import bdtr

    sums = values.sum(axis=0)
    # rounding must not make a difference of units that are even over the seeds
    by_unit = np.round(sums if unit is None else np.bincount(unit, sums), 9)
    more, less = int(np.sum(by_unit > 0)), int(np.sum(by_unit < 0))
    return min(1.0, 2 * float(bdtr(min(more, less), more + less, 0.5)))


def crossed_bootstrap(values: Floats, confidence: float, n_draws: int, seed: int) -> tuple[float, float]:
    """Percentile interval of the mean when both seeds and units are resampled with replacement.

    Args:
        values: (k, u), seeds by units.
        confidence: confidence level of the interval, between 0 and 1.
        n_draws: number of resamples.
        seed: seed of the resamples.

    Source: Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1 (2007).
    """
    k, u = values.shape
    rng = np.random.default_rng(seed)
    step = max(1, CHUNK_ELEMENTS // u)
    means = []
    for start in range(0, n_draws, step):
        draws = min(step, n_draws - start)
        # (draws, k) and (draws, u): how often each seed and each unit was drawn
        seeds = rng.multinomial(k, np.full(k, 1 / k), size=draws)
        units = rng.multinomial(u, np.full(u, 1 / u), size=draws)
        means.append(np.einsum("bu,bu->b", seeds @ values, units) / (k * u))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(means), (tail, 1 - tail))
    return float(low), float(high)
