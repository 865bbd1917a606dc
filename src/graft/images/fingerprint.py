"""Describe an image for the catalogue: a perceptual hash, and mean and standard deviation of its channels."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Side in pixels of the grey image that is hashed.
GREY_PX = 32
# Frequencies kept in each direction.
LOW = 8
DECIMALS = 4


class ChannelStatistics(NamedTuple):
    """Mean and standard deviation by channel, in [0, 1]; the fields are columns of the catalogue."""

    mean_red: float
    mean_green: float
    mean_blue: float
    std_red: float
    std_green: float
    std_blue: float


def phash(image: NDArray[np.uint8]) -> str:
    """Perceptual hash of an image; hashes of similar images differ in few of 64 bits.

    Each bit tells whether one of the 8 x 8 lowest frequencies of a 32 x 32 grey image is above their median.
    Frequencies are rounded, so that rounding errors do not decide: all blank images have equal hashes.

    Source: DCT hash, Zauner (2010), Implementation and benchmarking of perceptual image hash functions, 3.2.1.

    Args:
        image: (s, s, 3) uint8 RGB.

    Returns:
        16 hex digits.
    """
    grey = Image.fromarray(image).convert("L").resize((GREY_PX, GREY_PX), Image.Resampling.BOX)
    # 2-D DCT: (8, 32) @ (32, 32) @ (32, 8) -> (8, 8)
    frequencies = np.round(_COSINES @ np.asarray(grey, dtype=np.float64) @ _COSINES.T, 3)
    return np.packbits(frequencies > np.median(frequencies)).tobytes().hex()


def channel_statistics(image: NDArray[np.uint8]) -> ChannelStatistics:
    """Mean and standard deviation by channel, computed from its histogram and rounded to 4 decimals.

    Args:
        image: (s, s, 3) uint8 RGB.
    """
    # Pillow returns the histograms of the channels one after the other: (768,) -> (3, 256)
    counts = np.array(Image.fromarray(image).histogram()).reshape(3, 256)
    n = counts[0].sum()
    mean = counts @ _VALUES / n
    variance = np.maximum(counts @ _VALUES**2 / n - mean**2, 0)
    return ChannelStatistics(*(round(float(each), DECIMALS) for each in (*mean, *np.sqrt(variance))))


def _cosines() -> NDArray[np.float64]:
    """(8, 32) rows of the DCT-II matrix for the lowest frequencies, without normalisation."""
    places = (2 * np.arange(GREY_PX) + 1) * np.pi / (2 * GREY_PX)
    cosines: NDArray[np.float64] = np.cos(np.outer(np.arange(LOW), places))
    return cosines


_COSINES = _cosines()
_VALUES = np.arange(256) / 255
