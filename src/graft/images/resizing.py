"""Resize an image of any shape to the square that the network takes."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from graft.records.common import Preprocessing

# Longest side by shortest side; the ends of longer images are cut off before the resize, to bound memory.
MAX_ASPECT = 16
RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def fit(image: NDArray[np.uint8] | Image.Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Resize the shorter side to resize_px and crop the central square of crop_px.

    The result equals that of the preprocessing that published weights were trained with. Sizes are rounded as in
    torchvision, and Pillow's filters antialias.

    Args:
        image: RGB, as (h, w, 3) pixels or as the picture of a `Decoded`, which saves two copies.
        preprocessing: sizes in pixels and the interpolation.

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
