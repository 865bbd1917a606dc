"""The smallest shift that a two-sample test would have found."""

import numpy as np

from graft.statistics.two_sample.bandwidths import PooledRows
from graft.statistics.two_sample.rows import Floats

LEVEL = 0.05
POWER_QUANTILE = 0.8416
"""of the normal distribution at a power of 0.8"""
SHIFTED_ROWS = 200
LARGEST = 100.0
"""shift that is tried, in standard deviations"""
STEPS = 16
"""of the search, each halving the range of the logarithm: at last 0.0003 wide"""


def critical_value(null: Floats, n_labellings: int) -> float | None:
    """The value that a statistic must pass for p <= LEVEL; None where p never is.

    Args:
        null: (B,) statistics of permuted labellings.
        n_labellings: that there are, whose statistics may differ.
    """
    allowed = int(LEVEL * (len(null) + 1) + 1e-9) - 1
    if allowed < 0 or n_labellings < 1 / LEVEL:  # a product would overflow
        return None
    rank = len(null) - 1 - allowed
    return float(np.partition(null, rank)[rank])


def detectable_shift(
    sample: PooledRows, bandwidths2: Floats, critical: Floats, deviation: Floats, sizes: tuple[int, int]
) -> float | None:
    """The shift of every feature, in its standard deviations, that is found with a power of about 0.8.

    The pooled rows stand for both samples, the second with every feature moved by that many of its pooled
    standard deviations. The statistic is taken as normal around its value there, with the variance of the
    permuted labellings and the linear term of a U-statistic; the kernel that needs the least shift counts.

    Args:
        sample: of the pooled rows; the first SHIFTED_ROWS of different groups are moved.
        bandwidths2: (h,) of the kernels.
        critical: (h,) squared MMD that is significant.
        deviation: (h,) of the squared MMD over labellings.
        sizes: units of either side.

    Returns:
        None where no shift up to LARGEST would do.
    """
    rows = sample.rows[np.sort(np.unique_all(sample.groups).indices)[:SHIFTED_ROWS]]
    step = rows.std(axis=0)
    along, length2 = rows @ step, float(step @ step)
    squares = np.einsum("nd,nd->n", rows, rows)
    near = np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0)
    np.fill_diagonal(near, np.inf)
    still = np.exp(-near / bandwidths2[:, None, None])

    def is_found(shift: float) -> bool:
        far = np.maximum(near - 2 * shift * (along[:, None] - along) + shift**2 * length2, 0)
        gain = (still - np.exp(-far / bandwidths2[:, None, None])) / (len(rows) - 1)
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
