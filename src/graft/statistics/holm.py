"""Correction for several tests at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def holm(p_values: Sequence[float]) -> Floats:
    """Adjust the p-values of several tests so that each can be compared with the level on its own.

    Where all tests with an adjusted p-value up to a level are rejected, the chance that any of them is wrong is at most
    that level.

    Args:
        p_values: (k,) each from 0 to 1; the tests may depend on one another in any way.

    Returns:
        (k,) adjusted p-values, in the order given.

    Raises:
        ValueError: a p-value is outside 0 to 1, or not a number.

    Source: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6
    (1979).
    """
    p = np.asarray(p_values, dtype=np.float64)
    outside = ~((p >= 0) & (p <= 1))
    if outside.any():
        place = int(outside.argmax())
        raise ValueError(f"p_values, number {place}: want 0 to 1, got {p[place]}. Leave out what was not tested.")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted
