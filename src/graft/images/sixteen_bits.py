"""Scale 16-bit grey files to 8 bits. Most of them use fewer bits and do not say so."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, TiffImagePlugin

from graft.images.png import SIGNATURE

# First bytes of PNG, TIFF, JPEG 2000 and grey PPM files.
FIRST_BYTES = (b"\x89PNG", b"II", b"MM", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP", b"P2", b"P5")


def may_hold(head: bytes) -> bool:
    """Whether `is_deep` may be true for a file with these first 26 bytes."""
    # bytes 24 and 25 of a PNG are its bit depth and its colour type: 16 bits, grey
    depth_and_colour = head[24:26] if head.startswith(SIGNATURE) else b"\x10\0"
    return head.startswith(FIRST_BYTES) and depth_and_colour == b"\x10\0"


def is_deep(file: Image.Image) -> bool:
    """Whether a file has grey values of more than 8 bits. Pillow itself converts colour values to 8 bits."""
    return file.mode.startswith("I;16") or (file.mode == "I" and file.format == "PPM")


def says_its_range(file: ImageFile.ImageFile) -> bool:
    """Whether a file that is not loaded yet tells its value range: a TIFF by its bits, a PPM by its largest value."""
    if file.format == "TIFF":
        return _tiff_bits(file) < 16
    return file.format == "PPM" and file.tile[0].codec_name != "raw"


def _tiff_bits(file: Image.Image) -> int:
    tags: Any = file.tag_v2 if isinstance(file, TiffImagePlugin.TiffImageFile) else {}
    return int(tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0])


def eight_bits(file: Image.Image, value_bits: int | None) -> NDArray[np.uint8]:
    """Grey values scaled to 8 bits. Pillow's own conversion would clip them at 255.

    Args:
        file: a loaded file for which `is_deep` is true.
        value_bits: bits in use, if the file does not say; None if they are unknown.

    Returns:
        (h, w) uint8.

    Raises:
        ValueError: a value is above the range, or the range is unknown and the values use less than 15 bits.
    """
    values = np.asarray(file).astype(np.uint32)
    top = 2 ** min(_tiff_bits(file), _checked_bits(int(values.max()), value_bits)) - 1
    # rounded to the nearest integer
    grey = ((values * 255 + top // 2) // top).astype(np.uint8)
    if isinstance(file, TiffImagePlugin.TiffImageFile):
        white_is_zero = file.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
        grey = 255 - grey if white_is_zero else grey
    transparent = file.info.get("transparency")
    return grey if transparent is None else np.where(values == transparent, np.uint8(255), grey)


def _checked_bits(highest: int, value_bits: int | None) -> int:
    """Bits in use, after a check against the highest value of the file."""
    if value_bits is None and 0 < highest < 2**14:
        raise ValueError(f"16-bit grey values up to {highest:,}, of unknown range (value_bits)")
    if value_bits is not None and highest >= 2**value_bits:
        raise ValueError(
            f"grey values up to {highest:,}, above the {2**value_bits - 1:,} of {value_bits} bits, which "
            "value_bits or the training images set"
        )
    return 16 if value_bits is None else value_bits
