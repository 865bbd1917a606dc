"""Headers of image files, read without decoding the pixels of all files."""

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
# largest difference of red, green and blue, of 255, in a grey pixel: JPEG leaves some colour
MOST_COLOUR = 12
ANY_RANGE = SMALL_CNN.model_copy(update={"value_bits": 16, "max_pixels": MAX_PIXELS})


class Header(NamedTuple):
    """What the header of an image file says."""

    width: int
    height: int
    mode: str
    """Pillow's name of the pixel format, such as RGB or I;16"""
    format: str
    """Pillow's name of the file format, such as JPEG"""
    deep: bool
    """whether the image is grey with more than 8 bits"""
    error: str = ""
    """why the file cannot be read; empty if it can"""


def header(folder: Path, found: Found) -> Header:
    """Read the header of a file; if that fails, decode the file, which tells why it cannot be read.

    Args:
        folder: folder of the domain.
        found: the file.
    """
    try:
        path = folder / found.path
        # reading a pipe would never end
        if not path.is_file():
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
    """Whether an image shows no colour, even if its file could hold colour; None if the file is broken.

    Args:
        path: the image file.
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
