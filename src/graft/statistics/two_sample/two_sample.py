"""Two-sample test: squared MMD over a family of bandwidths, with a permutation p-value.

The statistic. Each kernel is k(x, y) = exp(-|x - y|^2 / bandwidth2), where bandwidth2 is a multiple of the median of
squared distances between pooled rows (in other notations gamma = 1 / bandwidth2, or 2 sigma^2 = bandwidth2). The
statistic of a kernel is the unbiased squared MMD, not clipped at zero, standardised by its mean and deviation over
all labellings, the observed one included. The largest over the family decides, with the same labellings for every
kernel. A bandwidth is dropped, without a look at the labels, where its kernel underflows or has fewer than 10 (n + m)
effective pairs of rows, (sum k)^2 / sum k^2; the widest always stays. With more than 1,000 rows, the median and the
pairs are judged from a sample of 1,000.

Bins. Up to 1,000 rows (or groups), each is permuted by itself: the exact test. With more, about 512 bins of them are
permuted and the kernel is computed in tiles, so that memory beyond a copy of the rows does not grow. At most 5 % of
the smaller side and less than one bin of the larger side are then left out. Where the smaller side would fill fewer
than 32 bins, the bins are smaller and more of the larger side is left out. The order of the rows does not matter, and
ties count against significance.

Groups. Rows of one group (near-duplicates, a patient) are permuted together and never paired with one another. Every
group weighs the same: each of its rows weighs 1 / size. A group keeps, at random, no more rows than the group of the
same rank by size on the other side. Otherwise the level would be lost where sizes differ, because the mean of many
rows varies less. The level is exact where one row per group is left or groups are alike on both sides, and very
nearly kept elsewhere.

Engine. numpy computes arrays, or torch where they are so large that it pays and it is installed. Tensors are computed
by torch on their device.

Source: Gretton et al., A kernel two-sample test, JMLR 13 (2012); Schrab et al., MMD aggregated two-sample test, JMLR
24 (2023); Domingo-Enrich, Dwivedi and Mackey, Cheap permutation testing (2025), for the bins; Phipson and Smyth,
Permutation p-values should never be zero (2010).
"""

import time
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from graft.statistics.groups import Groups
from graft.statistics.two_sample import kernels, permutations
from graft.statistics.two_sample.bandwidths import Bandwidth, PooledRows, draw_pooled_rows, family
from graft.statistics.two_sample.detectable import critical_value, detectable_shift
from graft.statistics.two_sample.permutations import Bins
from graft.statistics.two_sample.rows import Floats, Rows, gathered, parted, row_keys
from graft.statistics.two_sample.samples import checked_sides, group_numbers, rows_of_even_groups

# Bandwidths, as multiples of the median.
FAMILY = (2.0**-8, 2.0**-6, 2.0**-4, 2.0**-2, 1.0, 4.0)
# Smallest multiple at which the kernel may be computed in bfloat16.
ROUGH_FROM = 2.0**-2
# Largest effect of bfloat16 on the statistic, in its standard deviations, times the root of the permutations: p then
# moves less than it would with another draw of permutations.
MOST_LOST = 0.5
# Rows on which the effect of bfloat16 is measured.
ROUGH_ROWS = 500
# Standardised statistics closer than this count as equal; rounding stays below it.
TIE = 1e-6
# Quantiles of the null distribution that are kept for a record or a figure.
QUANTILES = 101


class TwoSample(NamedTuple):
    """Result of a two-sample test: how far the samples lie apart, and whether chance explains it."""

    mmd2: float
    """unbiased squared MMD at the bandwidth that decided: no unit, at most 2, negative where the samples are closer
    than expected by chance"""
    p_value: float
    """share of labellings with a statistic at least as large, the observed one included; never 0"""
    bandwidth2: float
    """the bandwidth that decided: the kernel is exp(-d^2 / bandwidth2)"""
    bandwidths: tuple[Bandwidth, ...]
    """all bandwidths that were asked for, each with its mmd2 or the reason why it was dropped"""
    null: Floats
    """(B,) statistics of the permuted labellings, on the scale of mmd2: p counts those at or above it"""
    method: Literal["exact", "binned"]
    """exact: each row (or group) is permuted by itself; binned: several are permuted together"""
    bins: tuple[int, int]
    """permuted bins of source and of target; rows or groups where the method is exact"""
    rows_used: tuple[int, int]
    """rows of source and of target that were used; fewer than given where bins leave some over, or where groups are
    larger on one side"""
    detectable_mmd2: float | None
    """mmd2 above which p is at most 0.05; None where so few permutations or rows never give such a p"""
    detectable_shift: float | None
    """shift of every feature, in standard deviations, that is found at 0.05 with a power of about 0.8; None where no
    shift is"""
    seconds: float
    """wall-clock time"""

    @property
    def n_permutations(self) -> int:
        """Number of permuted labellings."""
        return len(self.null)

    @property
    def null_mmd2(self) -> tuple[float, ...]:
        """Quantiles of the null distribution, from 0 to 1 in even steps."""
        return tuple(np.quantile(self.null, np.linspace(0, 1, QUANTILES)).tolist())


def two_sample_test(
    source: Rows,
    target: Rows,
    *,
    n_permutations: int = 999,
    seed: int,
    groups: tuple[Groups, Groups] | None = None,
    bandwidths: Sequence[float] = FAMILY,
) -> TwoSample:
    """Test whether two samples come from one distribution; the module says how.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> test = two_sample_test(rng.normal(size=(100, 8)), rng.normal(size=(80, 8)) + 0.5, seed=0)
        >>> test.p_value, test.method, test.mmd2 > test.detectable_mmd2
        (0.001, 'exact', True)

    Args:
        source: (n, d) features, numpy or torch, 32 or 64 bits, n >= 2.
        target: (m, d) features of the same kind, m >= 2.
        n_permutations: B; the p-value is at least 1 / (1 + B).
        seed: seed of all random draws.
        groups: (n,) and (m,) names of groups; a name on both sides means two groups. None: every row is a group.
        bandwidths: multiples of the median.

    Raises:
        ValueError: fewer than two rows or groups on a side, a value that is not finite, different d, all rows equal,
            group names of another length, no permutations, or a bandwidth that is not above 0.
    """
    start = time.perf_counter()
    _check_options(n_permutations, bandwidths)
    sides = checked_sides(source, target)
    numbers = group_numbers((len(source), len(target)), groups)
    rng = np.random.default_rng(seed)
    keys = np.concatenate([row_keys(each, _precision(len(numbers))) for each in sides])
    even = rows_of_even_groups(keys, numbers, len(source), rng)
    if len(even) < len(keys):
        sides, keys, numbers = parted(sides, even), keys[even], numbers[even]
    bins = permutations.form_bins(keys, numbers, len(sides[0]), rng)
    sample = draw_pooled_rows(sides, keys, numbers, rng)
    tried = family(sample, numbers, bandwidths)
    sums = _kernel_sums(sides, bins, sample, tried, n_permutations)
    drawn = permutations.labellings(bins.n_marked, len(bins.edges) - 1, n_permutations, rng)
    statistics = np.concatenate([permutations.mmd2_of_labellings(sums, bins, block) for block in drawn], axis=1)
    test = _judged(statistics, sums, bins, sample, tried)
    return test._replace(seconds=time.perf_counter() - start)


def _precision(n_rows: int) -> str:
    return "float64" if n_rows <= permutations.EXACT else "float32"


def _kernel_sums(
    sides: tuple[Rows, Rows], bins: Bins, sample: PooledRows, tried: Sequence[Bandwidth], n_permutations: int
) -> Floats:
    """Kernel sums, (kept, bins, bins), by the fastest library and at the lowest precision that is enough."""
    kept = [each for each in tried if each.dropped is None]
    widest = max(each.bandwidth2 for each in kept)
    factors = [widest / each.bandwidth2 for each in kept]
    scale = float(np.sqrt(2 / widest))
    precision = _precision(sum(map(len, sides)))
    engine = kernels.engine(sides[0], len(bins.order))
    smooth = precision == "float32" and min(each.multiple for each in kept) >= ROUGH_FROM
    if smooth and kernels.multiplies_bfloat16(engine, sides[0]):
        lost = kernels.bfloat16_share(engine.as_tensor(sample.rows[:ROUGH_ROWS] * scale).float(), factors)
        precision = "bfloat16" if lost <= MOST_LOST / np.sqrt(n_permutations) else precision
    rows = gathered(sides, bins.order, sample.centre, scale, engine, precision)
    return kernels.bin_sums(rows, bins.groups, bins.edges, factors, permutations.row_weights(bins))


def _judged(statistics: Floats, sums: Floats, bins: Bins, sample: PooledRows, tried: Sequence[Bandwidth]) -> TwoSample:
    """Result of the test from the squared MMD of all labellings, (kept, 1 + B), the observed one first."""
    observed = iter(statistics[:, 0].tolist())
    judged = tuple(each if each.dropped else each._replace(mmd2=next(observed)) for each in tried)
    bandwidths2 = np.array([each.bandwidth2 for each in judged if each.dropped is None])
    n_bins, n_rows = permutations.counts_by_side(bins)
    units = n_bins[0] * bins.units, n_bins[1] * bins.units
    # (kept, 1 + B), (kept,), (kept,)
    standard, mean, deviation = permutations.standardised(statistics, sums, sum(units))
    # (1 + B,): the maximum over the family for each labelling
    largest, decides = standard.max(axis=0), int(standard[:, 0].argmax())
    limit, shift = critical_value(largest[1:], permutations.n_labellings(bins)), None
    if limit is not None:
        shift = detectable_shift(sample, bandwidths2, mean + deviation * limit, deviation, units)
    return TwoSample(
        mmd2=float(statistics[decides, 0]),
        p_value=float(1 + np.count_nonzero(largest[1:] >= largest[0] - TIE)) / len(largest),
        bandwidth2=float(bandwidths2[decides]),
        bandwidths=judged,
        null=mean[decides] + deviation[decides] * largest[1:],
        method="exact" if bins.units == 1 and bins.complete else "binned",
        bins=n_bins,
        rows_used=n_rows,
        detectable_mmd2=None if limit is None else float(mean[decides] + deviation[decides] * limit),
        detectable_shift=shift,
        seconds=0.0,
    )


def _check_options(n_permutations: int, bandwidths: Sequence[float]) -> None:
    if n_permutations < 1:
        raise ValueError(f"n_permutations: want at least 1, got {n_permutations}. Give 999 for p-values down to 0.001.")
    if not bandwidths or not all(0 < each < np.inf for each in bandwidths):
        raise ValueError(
            f"bandwidths: want multiples of the median above 0, got {tuple(bandwidths)}. Leave them out for the family."
        )
