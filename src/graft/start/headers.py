"""What image files say of themselves, without decoding all of them."""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from graft.images.decode import FORMATS, MAX_PIXELS
from graft.images.sixteen_bits import is_deep
from graft.networks.preprocessing import SMALL_CNN
from graft.preparation.found import Found
from graft.preparation.reading import read_file

GREY_MODES = ("1", "L", "LA", "I", "F")
THUMBNAIL_PX = 64
MOST_COLOUR = 12
"""difference of red, green and blue, of 255, up to which a pixel is grey: JPEG leaves some"""
ANY_RANGE = SMALL_CNN.model_copy(update={"value_bits": 16, "max_pixels": MAX_PIXELS})


class Header(NamedTuple):
    """An image file."""

    width: int
    height: int
    mode: str
    """Pillow's name of the pixel format, such as RGB or I;16"""
    format: str
    """Pillow's name of the file format, such as JPEG"""
    deep: bool
    """grey of more than 8 bits"""
    error: str = ""
    """why it cannot be read; empty where it can"""


def header(folder: Path, found: Found) -> Header:
    """What a file says of itself; one whose header does not tell is decoded, for the reason why it cannot be read.

    Args:
        folder: of the domain.
        found: the file.
    """
    try:
        path = folder / found.path
        if not path.is_file():  # a pipe would never end
            raise OSError
        with warnings.catch_warnings(), Image.open(path, formats=FORMATS) as file:
            warnings.simplefilter("ignore")
            if file.width * file.height <= MAX_PIXELS:
                return Header(file.width, file.height, file.mode, file.format or "", is_deep(file))
    except Exception:  # Pillow's readers let through whatever broken bytes make Python raise
        pass
    row, _ = read_file(folder, found, ANY_RANGE)
    return Header(row.width, row.height, row.mode, row.format, row.mode.startswith("I;16"), row.error)


def is_grey(path: Path, mode: str) -> bool | None:
    """Whether an image shows no colour, whatever its file could hold; None where it is broken.

    Args:
        path: of the file.
        mode: Pillow's name of its pixel format.
    """
    if mode.startswith(GREY_MODES):
        return True
    try:
        with warnings.catch_warnings(), Image.open(path, formats=FORMATS) as file:
            warnings.simplefilter("ignore")
            file.draft("RGB", (THUMBNAIL_PX, THUMBNAIL_PX))
            file.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
            pixels = np.asarray(file.convert("RGB"))
    except Exception:  # whatever broken bytes make Pillow raise
        return None
    return int(np.ptp(pixels, axis=2).max()) <= MOST_COLOUR
