"""The smallest shift that a two-sample test would have found."""

import numpy as np

from graft.statistics.two_sample.bandwidths import PooledRows
from graft.statistics.two_sample.rows import Floats

LEVEL = 0.05
# Quantile of the normal distribution at a power of 0.8.
POWER_QUANTILE = 0.8416
# Pooled rows that are moved, at most.
SHIFTED_ROWS = 200
# Largest shift that is tried, in standard deviations.
LARGEST = 100.0
# Steps of the search. Each halves the range of the logarithm, which is 0.0003 wide in the end.
STEPS = 16


def critical_value(null: Floats, n_labellings: int) -> float | None:
    """Value that a statistic must exceed for p <= LEVEL; None where p is never that small.

    Args:
        null: (B,) statistics of permuted labellings.
        n_labellings: number of labellings whose statistics may differ.
    """
    allowed = int(LEVEL * (len(null) + 1) + 1e-9) - 1
    # n_labellings may be too large for a float, so it is not multiplied.
    if allowed < 0 or n_labellings < 1 / LEVEL:
        return None
    rank = len(null) - 1 - allowed
    return float(np.partition(null, rank)[rank])


def detectable_shift(
    sample: PooledRows, bandwidths2: Floats, critical: Floats, deviation: Floats, sizes: tuple[int, int]
) -> float | None:
    """Shift of every feature, in its standard deviations, that is found with a power of about 0.8.

    The pooled rows stand for both samples. In the second one, every feature is moved by that many of its pooled
    standard deviations. The statistic is taken as normal around its value there, with the variance of the permuted
    labellings and the linear term of a U-statistic. The kernel that needs the smallest shift counts.

    Args:
        sample: sample of the pooled rows; the first SHIFTED_ROWS of different groups are moved.
        bandwidths2: (h,) bandwidths of the kernels.
        critical: (h,) squared MMD above which each kernel is significant.
        deviation: (h,) standard deviation of the squared MMD over labellings.
        sizes: number of units on either side.

    Returns:
        None where no shift up to LARGEST is enough.
    """
    rows = sample.rows[np.sort(np.unique_all(sample.groups).indices)[:SHIFTED_ROWS]]
    step = rows.std(axis=0)
    along, length2 = rows @ step, float(step @ step)
    squares = np.einsum("nd,nd->n", rows, rows)
    near = np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0)
    # The kernel of a row with itself is 0: it is no pair.
    np.fill_diagonal(near, np.inf)
    # (h, s, s)
    still = np.exp(-near / bandwidths2[:, None, None])

    def is_found(shift: float) -> bool:
        # |x - y - shift|^2 from |x - y|^2, without the (s, s, d) differences
        far = np.maximum(near - 2 * shift * (along[:, None] - along) + shift**2 * length2, 0)
        gain = (still - np.exp(-far / bandwidths2[:, None, None])) / (len(rows) - 1)
        # (h, s) each: how much each row adds on the side that stays and on the side that is moved
        witness = gain.sum(axis=2), gain.sum(axis=1)
        linear = sum(4 * each.var(axis=1) / size for each, size in zip(witness, sizes, strict=True))
        value = 2 * witness[0].mean(axis=1)
        return bool(np.any(value - POWER_QUANTILE * np.sqrt(deviation**2 + linear) >= critical))

    if not is_found(LARGEST):
        return None
    low, high = np.log(LARGEST) - 16, np.log(LARGEST)
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_found(float(np.exp(middle))) else (middle, high)
    return float(np.exp(high))
