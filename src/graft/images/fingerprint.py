"""What stays of an image in the catalogue: a perceptual hash, and mean and deviation of its channels."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GREY_PX = 32
"""side of the grey picture that is hashed"""
LOW = 8
"""frequencies kept in each direction"""
DECIMALS = 4


class ChannelStatistics(NamedTuple):
    """Mean and standard deviation by channel, in [0, 1]; the fields are those of the catalogue."""

    mean_red: float
    mean_green: float
    mean_blue: float
    std_red: float
    std_green: float
    std_blue: float


def phash(image: NDArray[np.uint8]) -> str:
    """Perceptual hash of an image: alike images differ in few of its 64 bits.

    The DCT hash of Zauner (2010), Implementation and benchmarking of perceptual image hash functions,
    section 3.2.1: the 8 x 8 lowest frequencies of a 32 x 32 grey picture, each a bit that says whether it
    lies above their median. Rounding keeps the noise of the sums out: all blank images have the same hash.

    Args:
        image: (s, s, 3) uint8 RGB.

    Returns:
        16 hex digits.
    """
    grey = Image.fromarray(image).convert("L").resize((GREY_PX, GREY_PX), Image.Resampling.BOX)
    frequencies = np.round(_COSINES @ np.asarray(grey, dtype=np.float64) @ _COSINES.T, 3)
    return np.packbits(frequencies > np.median(frequencies)).tobytes().hex()


def channel_statistics(image: NDArray[np.uint8]) -> ChannelStatistics:
    """Mean and standard deviation by channel, from its histogram, rounded to 4 decimals.

    Args:
        image: (s, s, 3) uint8 RGB.
    """
    counts = np.array(Image.fromarray(image).histogram()).reshape(3, 256)
    n = counts[0].sum()
    mean = counts @ _VALUES / n
    variance = np.maximum(counts @ _VALUES**2 / n - mean**2, 0)
    return ChannelStatistics(*(round(float(each), DECIMALS) for each in (*mean, *np.sqrt(variance))))


def _cosines() -> NDArray[np.float64]:
    """(8, 32) the lowest rows of the DCT-II."""
    places = (2 * np.arange(GREY_PX) + 1) * np.pi / (2 * GREY_PX)
    cosines: NDArray[np.float64] = np.cos(np.outer(np.arange(LOW), places))
    return cosines


_COSINES = _cosines()
_VALUES = np.arange(256) / 255
