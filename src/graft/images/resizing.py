"""From a picture of any shape to the square that the network sees."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from graft.records.common import Preprocessing

MAX_ASPECT = 16
"""a strip longer than this many times its width loses its ends before the resize, to bound memory"""
RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def fit(image: NDArray[np.uint8] | Image.Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """What the network sees: the shorter side resized to resize_px, then the central square of crop_px.

    Sizes are rounded as torchvision rounds them, and Pillow's filters widen where they shrink (antialias), so
    that the result equals the preprocessing that published weights were made with.

    Args:
        image: RGB, as (h, w, 3) pixels or, which saves two copies, as the picture that `read` gives.
        preprocessing: sizes in pixels and the filter.

    Returns:
        (crop_px, crop_px, 3) RGB.
    """
    picture = _without_far_ends(image if isinstance(image, Image.Image) else Image.fromarray(image))
    short = min(picture.size)
    width, height = (preprocessing.resize_px * side // short for side in picture.size)
    picture = picture.resize((width, height), RESAMPLING[preprocessing.interpolation])
    crop = preprocessing.crop_px
    left, top = round((width - crop) / 2), round((height - crop) / 2)
    return np.array(picture.crop((left, top, left + crop, top + crop)))


def _without_far_ends(picture: Image.Image) -> Image.Image:
    longest = MAX_ASPECT * min(picture.size)
    if longest >= max(picture.size):
        return picture
    left, top = (max(0, side - longest) // 2 for side in picture.size)
    right, bottom = (start + min(side, longest) for start, side in zip((left, top), picture.size, strict=True))
    return picture.crop((left, top, right, bottom))
