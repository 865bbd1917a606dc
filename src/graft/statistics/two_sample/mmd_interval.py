"""Size of a shift: squared MMD with an interval that covers both near zero and far from it.

The interval comes from random halves of both samples. A half and its complement differ from the whole by L + Q and
-L + Q. The even part Q spreads as the estimate itself does where there is no shift, at rate n. The odd part L is what a
shift adds, at rate sqrt(n). Near 0 the observed L is mostly noise, and by chance small just where the estimate is too
small, so intervals from halves alone miss the truth too often there.

The size of L at a squared MMD of theta is known, though: at most 2 sqrt(theta) times the deviation of the difference of
means along the direction in which it varies most. The interval holds every theta that the estimate could come from with
that L. The observed L, which overstates it, bounds the lower end as well. In simulations, an interval of 0.95 covered
0.94 to 0.97 of the cases with no shift or a small one, and more beyond: it reaches higher than needed where a large
shift goes along directions of little variance.

Source: Politis, Romano and Wolf, Subsampling (1999), for halves without replacement; Gretton et al., A kernel
two-sample test, JMLR 13 (2012), for the two rates.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.statistics.groups import Groups, group_sizes
from graft.statistics.two_sample.kernels import bin_sums
from graft.statistics.two_sample.samples import check_bandwidth2, checked_sides, group_numbers

Array = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]
Places = NDArray[np.int64]

# Random halvings of both samples.
SPLITS = 1_000
# Units of one sample that are halved, at most; more rows or groups are put into this many random bins.
MOST_UNITS = 500
# Rows, or groups, of one sample; with fewer, an interval says nothing.
FEWEST_UNITS = 10
# Squared MMD of a kernel that is at most 1.
LARGEST = 2.0


class MmdInterval(NamedTuple):
    """Squared MMD, without a unit and not clipped at 0, with its interval."""

    estimate: float
    """unbiased: over pairs of different groups (or different bins of groups), each of which weighs the same"""
    low: float
    """below 0 where no shift at all is among the values that fit"""
    high: float


class Units(NamedTuple):
    """Kernel summed by unit: a group of rows, or a bin of groups."""

    sums: Floats
    """(u, u) sums of mean kernels between groups, each group with itself included"""
    sizes: Floats
    """(u,) number of groups in each unit"""
    n_source: int
    """number of units of the source; they come first"""


def mmd2_interval(
    source: Array,
    target: Array,
    *,
    bandwidth2: float,
    groups: tuple[Groups, Groups] | None = None,
    confidence: float,
    seed: int,
) -> MmdInterval | None:
    """Unbiased squared MMD with an interval; the module says how.

    Choose bandwidth2 without a look at which row is which, such as the pooled median. At a bandwidth chosen for its
    large statistic, the estimate tends to be too large.

    Args:
        source: (n, d) finite features.
        target: (m, d) finite features.
        bandwidth2: the kernel is exp(-d^2 / bandwidth2).
        groups: (n,) and (m,) names of groups of rows that are not independent, as in `two_sample_test`.
        confidence: confidence of the interval, between 0 and 1.
        seed: seed of the halves, and of the bins where there are more than MOST_UNITS rows or groups.

    Returns:
        None where a sample has fewer than FEWEST_UNITS rows or groups.

    Raises:
        ValueError: as `two_sample_test`, or a bandwidth that is not above 0.
    """
    check_bandwidth2(bandwidth2)
    rows = np.concatenate(checked_sides(source, target)).astype(np.float64)
    numbers = group_numbers((len(source), len(target)), groups)
    sides = numbers[: len(source)], numbers[len(source) :]
    if min(len(np.unique(each)) for each in sides) < FEWEST_UNITS:
        return None
    rng = np.random.default_rng(seed)
    of_source, of_target = (_units(each, rng) for each in sides)
    n_source = int(of_source.max()) + 1
    units = _summed(rows, numbers, np.concatenate([of_source, n_source + of_target]), bandwidth2, n_source)
    half = _halves(units, rng)
    whole = float(_mmd2(units, np.ones((len(half), 1)))[0])
    first, second = _mmd2(units, half), _mmd2(units, 1 - half)
    low, high = fitting_range(whole, (first + second) / 2 - whole, steepest_odd_part(units, 2 * half - 1), confidence)
    observed = 2 * whole - float(np.quantile(first, (1 + confidence) / 2))
    return MmdInterval(whole, max(low, observed), high)


def _units(groups: Places, rng: np.random.Generator) -> Places:
    """Number of each row's unit, (n,): its group, or one of MOST_UNITS random bins of about equally many groups."""
    group = np.unique(groups, return_inverse=True)[1]
    return rng.permutation(int(group.max()) + 1)[group] % MOST_UNITS


def _summed(rows: Floats, groups: Places, unit: Places, bandwidth2: float, n_source: int) -> Units:
    """Sum the kernel by unit; a row weighs 1 / size of its group.

    Args:
        rows: (n + m, d) pooled features.
        groups: (n + m,) number of each row's group.
        unit: (n + m,) number of each row's unit; those of the source come first.
        bandwidth2: the kernel is exp(-d^2 / bandwidth2).
        n_source: number of units of the source.
    """
    order = np.argsort(unit, kind="stable")
    scaled = (rows - rows.mean(axis=0))[order] * np.sqrt(2 / bandwidth2)
    edges = np.searchsorted(unit[order], np.arange(unit.max() + 2))
    group_size, group = group_sizes(groups)
    weights = 1 / group_size[group]
    # (n + m, n + m) to (u, u). Every row is a group here, for pairs of one group are within one unit and go later.
    sums = bin_sums(scaled, np.arange(len(rows)), edges, (1.0,), weights[order])[0]
    # bin_sums leaves out each row with itself, where the kernel is 1.
    of_itself = np.bincount(unit, weights=weights**2)
    n_groups = np.bincount(unit, weights=weights).astype(np.float64).round()
    return Units(sums + np.diag(of_itself), n_groups, n_source)


def _halves(units: Units, rng: np.random.Generator) -> Floats:
    """Random halves, (u, SPLITS): 1 where a unit is in the first half of its sample, else 0."""
    n_units = (units.n_source, len(units.sizes) - units.n_source)
    firsts = [np.tile((np.arange(n) < n / 2).astype(np.float64), (SPLITS, 1)) for n in n_units]
    return np.concatenate([rng.permuted(each, axis=1).T for each in firsts])


def _mmd2(units: Units, chosen: Floats) -> Floats:
    """Unbiased squared MMD of the chosen units, (b,), over pairs of groups of different units.

    Args:
        units: kernel by unit.
        chosen: (u, b) 1 where a unit is chosen, else 0.
    """
    sums = units.sums - np.diag(np.diag(units.sums))
    ours, theirs = slice(0, units.n_source), slice(units.n_source, None)
    groups = [units.sizes[side] @ chosen[side] for side in (ours, theirs)]
    own = [units.sizes[side] ** 2 @ chosen[side] for side in (ours, theirs)]
    # (u, b): each unit with the chosen units of the source
    to_source = sums[:, ours] @ chosen[ours]
    within = np.einsum("ub,ub->b", chosen[ours], to_source[ours]) / (groups[0] ** 2 - own[0])
    between = np.einsum("ub,ub->b", chosen[theirs], to_source[theirs]) / (groups[0] * groups[1])
    to_target = sums[theirs, theirs] @ chosen[theirs]
    within_target = np.einsum("ub,ub->b", chosen[theirs], to_target) / (groups[1] ** 2 - own[1])
    mmd2: Floats = within + within_target - 2 * between
    return mmd2


def steepest_odd_part(units: Units, signs: Floats) -> Floats:
    """Odd part of halves, at a squared MMD of 1 along the direction in which the difference of means varies most.

    Args:
        units: kernel by unit.
        signs: (u, b) 1 where a unit is in the first half of its sample, else -1.

    Returns:
        (b,) odd part of each halving.
    """
    ours = np.arange(len(units.sizes)) < units.n_source
    n_groups = np.where(ours, units.sizes[ours].sum(), units.sizes[~ours].sum())
    # (u, u): takes the mean of its side off each unit.
    centring = np.eye(len(ours)) - (ours[:, None] == ours) * (units.sizes / n_groups)[:, None]
    weight = np.where(ours, 1, -1) / n_groups
    values, vectors = np.linalg.eigh(centring @ units.sums @ centring.T * np.outer(weight, weight))
    odd: Floats = 2 * np.sqrt(max(values[-1], 0.0)) * (vectors[:, -1] @ signs)
    return odd


def fitting_range(whole: float, even: Floats, odd: Floats, confidence: float) -> tuple[float, float]:
    """Smallest and largest squared MMD that the estimate could come from.

    Args:
        whole: estimate from all rows.
        even: (b,) even parts of random halves.
        odd: (b,) their odd parts at a squared MMD of 1.
        confidence: confidence of the interval, between 0 and 1.
    """
    from scipy.optimize import brentq

    def excess(theta: float, share: float) -> float:
        """Distance of the estimate above a quantile of the estimates that a squared MMD of theta gives."""
        return float(whole - theta - np.quantile(even + np.sqrt(max(theta, 0.0)) * odd, share))

    tail, beyond = (1 - confidence) / 2, LARGEST + 1
    low = float(brentq(excess, min(whole, 0.0) - np.abs(even).max() - 1, beyond, args=(1 - tail,)))
    high = beyond if excess(beyond, tail) >= 0 else float(brentq(excess, low, beyond, args=(tail,)))
    return low, min(high, LARGEST)
