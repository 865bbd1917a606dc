"""Grey files of 16 bits: most of them hold fewer, and do not say so."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, TiffImagePlugin

from graft.images.png import SIGNATURE

FIRST_BYTES = (b"\x89PNG", b"II", b"MM", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP", b"P2", b"P5")
"""first bytes of PNG, TIFF, JPEG 2000 and grey PPM files"""


def may_hold(head: bytes) -> bool:
    """Whether a file with these first 26 bytes can be one that `is_deep`."""
    depth_and_colour = head[24:26] if head.startswith(SIGNATURE) else b"\x10\0"
    return head.startswith(FIRST_BYTES) and depth_and_colour == b"\x10\0"


def is_deep(file: Image.Image) -> bool:
    """Grey values of more than 8 bits; Pillow takes those of a colour file to 8 itself."""
    return file.mode.startswith("I;16") or (file.mode == "I" and file.format == "PPM")


def says_its_range(file: ImageFile.ImageFile) -> bool:
    """Whether a file that is not loaded yet says where its values end: a TIFF its bits, a PPM its largest value."""
    if file.format == "TIFF":
        return _tiff_bits(file) < 16
    return file.format == "PPM" and file.tile[0].codec_name != "raw"


def _tiff_bits(file: Image.Image) -> int:
    tags: Any = file.tag_v2 if isinstance(file, TiffImagePlugin.TiffImageFile) else {}
    return int(tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0])


def eight_bits(file: Image.Image, value_bits: int | None) -> NDArray[np.uint8]:
    """Grey values of a loaded file that `is_deep`, scaled; Pillow's own conversion would clip them at 255.

    Args:
        file: the file.
        value_bits: those in use, where the file does not say it; None: not known.

    Returns:
        (h, w) uint8.

    Raises:
        ValueError: a value lies above the range, or the range is not known and the values use less than 15 bits.
    """
    values = np.asarray(file).astype(np.uint32)
    top = 2 ** min(_tiff_bits(file), _checked_bits(int(values.max()), value_bits)) - 1
    grey = ((values * 255 + top // 2) // top).astype(np.uint8)
    if isinstance(file, TiffImagePlugin.TiffImageFile):
        white_is_zero = file.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
        grey = 255 - grey if white_is_zero else grey
    transparent = file.info.get("transparency")
    return grey if transparent is None else np.where(values == transparent, np.uint8(255), grey)


def _checked_bits(highest: int, value_bits: int | None) -> int:
    """Bits in use, where the highest value of a file agrees."""
    if value_bits is None and 0 < highest < 2**14:
        raise ValueError(f"16-bit grey values that end at {highest:,}, of unknown range (images.value_bits)")
    if value_bits is not None and highest >= 2**value_bits:
        raise ValueError(
            f"grey values up to {highest:,}, where {value_bits} bits, by images.value_bits or all images of "
            f"the training, end at {2**value_bits - 1:,}"
        )
    return 16 if value_bits is None else value_bits
