"""Many tests at once: p-values that may be read one by one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Adjusted p-values, in the order given: reject those up to a level, and with at most that chance one is wrong.

    Args:
        p_values: (k,) each from 0 to 1; the tests may depend on one another in any way.

    Raises:
        ValueError: a p-value outside 0 to 1, or not a number.

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
