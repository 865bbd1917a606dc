"""The target as the choice of a strategy sees it: features of the untouched backbone and the catalogue."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.store.catalogue import CatalogRow


class Target(NamedTuple):
    """Images of the target."""

    features: NDArray[np.float32]
    """(n, d), by the catalogue's `row`"""
    catalog: Sequence[CatalogRow]
