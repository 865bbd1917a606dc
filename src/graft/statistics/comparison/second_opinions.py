"""Three other ways to judge a difference over seeds and units, beside the interval. They decide nothing."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Units, or different units, that are resampled one by one.
MOST_COLUMNS = 2_000
# Steps in which totals that are not whole numbers are counted.
STEPS = 10_000
# Sums that are counted one by one.
MOST_SUMS = 2**22
# Whole numbers above it are not exact as floats.
MOST_EXACT = 2.0**53
# Share of the largest value of a unit up to which a difference is rounding.
ROUNDING = 1e-9


def sign_flip_p(totals: Floats) -> float:
    """Two-sided sign-flip test of the sum of paired differences.

    Without a difference every sign is as likely as its opposite. The p-value is the share of all 2^k sign patterns
    whose sum is at least as far from 0 as the observed one, which counts itself: at least 1/16 with five seeds.

    Args:
        totals: (k,) sum of the differences of each seed. For accuracy these are whole numbers, and the test is exact.
            Others, and very large ones, are rounded to steps of 1 / 10,000 of the largest.

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


def _in_steps(totals: Floats) -> Ints:
    """(k,) totals as whole numbers: as multiples of their greatest divisor, or of 1 / STEPS of the largest."""
    largest = float(np.abs(totals).max())
    if largest < MOST_EXACT and np.array_equal(totals, np.rint(totals)):
        whole: Ints = totals.astype(np.int64)
        whole //= max(np.gcd.reduce(whole), 1)
        if np.abs(whole).sum() <= MOST_SUMS:
            return whole
    steps: Ints = np.rint(totals / largest * STEPS).astype(np.int64)
    return steps


def mcnemar_p(values: Floats, unit: Ints | None = None) -> float:
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
    by_unit = sums if unit is None else np.bincount(unit, sums)
    # rounding must not make a difference of units that are even over the seeds
    even = ROUNDING * float(np.abs(values).max())
    more, less = int(np.sum(by_unit > even)), int(np.sum(by_unit < -even))
    return min(1.0, 2 * float(bdtr(min(more, less), more + less, 0.5)))


def crossed_bootstrap(values: Floats, confidence: float, n_draws: int, seed: int) -> tuple[float, float]:
    """Percentile interval of the mean when both seeds and units are resampled with replacement.

    Equal units are resampled by their number, which changes nothing. More than MOST_COLUMNS different ones are not
    resampled one by one: for given seeds the mean of so many draws is normal, with the mean and the variance that
    resampling would give it.

    Args:
        values: (k, u), seeds by units.
        confidence: confidence level of the interval, between 0 and 1.
        n_draws: number of resamples.
        seed: seed of the resamples.

    Source: Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1 (2007); for the normal limit, Bickel and
    Freedman, Some asymptotic theory for the bootstrap, Annals of Statistics 9 (1981).
    """
    k, u = values.shape
    rng = np.random.default_rng(seed)
    # (draws, k): how often each seed was drawn
    seeds = rng.multinomial(k, np.full(k, 1 / k), size=n_draws)
    columns, counts = (values, np.ones(u)) if u <= MOST_COLUMNS else _different(values)
    resampled = _resampled_means if len(counts) <= MOST_COLUMNS else _normal_means
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled(seeds, columns, counts, rng), (tail, 1 - tail))
    return float(low), float(high)


def _resampled_means(seeds: Ints, columns: Floats, counts: Floats, rng: np.random.Generator) -> Floats:
    """(draws,) means over units that are drawn one by one, for (draws, k) numbers of drawn seeds."""
    u = int(counts.sum())
    # (draws, m): how often each column was drawn
    units = rng.multinomial(u, counts / u, size=len(seeds))
    means: Floats = np.einsum("bm,bm->b", seeds @ columns, units) / (len(columns) * u)
    return means


def _normal_means(seeds: Ints, columns: Floats, counts: Floats, rng: np.random.Generator) -> Floats:
    """(draws,) means over units from the normal limit of `_resampled_means`."""
    weights, shares = seeds / len(columns), counts / counts.sum()
    by_seed = columns @ shares
    rest = columns - by_seed[:, None]
    # (k, k) covariance over units of the values of two seeds
    between = (rest * shares) @ rest.T
    variances = np.einsum("bk,kl,bl->b", weights, between, weights) / counts.sum()
    # rounding may leave a variance of 0 below it
    means: Floats = weights @ by_seed + np.sqrt(np.maximum(variances, 0.0)) * rng.normal(size=len(seeds))
    return means


def _different(values: Floats) -> tuple[Floats, Floats]:
    """(k, m) different columns, and (m,) how often each occurs."""
    ordered = values[:, np.lexsort(values)]
    first = np.flatnonzero(np.concatenate([[True], np.any(ordered[:, 1:] != ordered[:, :-1], axis=0)]))
    counts = np.diff(np.append(first, values.shape[1])).astype(np.float64)
    return ordered[:, first], counts
