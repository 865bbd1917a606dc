"""Named corruptions of images at five severities, as a yardstick for distances between images."""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from graft.store.features import SEVERITIES, Images

Corruption = Callable[[Images, int, np.random.Generator], Images]
# side of the images that the constants were chosen for; lengths in pixels scale with the side
MADE_FOR_PX = 224
# each by severity, 1 to 5
BLUR_PX = (1.0, 2.0, 3.0, 4.0, 6.0)  # standard deviation
NOISE = (0.08, 0.12, 0.18, 0.26, 0.38)  # standard deviation, as a share of white
CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)  # share of the contrast that is left
JPEG_QUALITY = (25, 18, 15, 10, 7)
PIXELATE = (0.6, 0.5, 0.4, 0.3, 0.25)  # share of the side's pixels that are left


def corrupted(images: Images, name: str, severity: int, seed: int) -> Images:
    """Corrupt images.

    Args:
        images: (n, s, s, 3) RGB.
        name: one of CORRUPTIONS.
        severity: 1 to 5.
        seed: of the noise.

    Returns:
        Images of the same shape.

    Raises:
        ValueError: there is no such corruption or severity.

    Source: Hendrycks and Dietterich, Benchmarking neural network robustness to common corruptions and
    perturbations, ICLR (2019).
    """
    if name not in CORRUPTIONS or severity not in SEVERITIES:
        raise ValueError(
            f"corrupted: want one of {', '.join(CORRUPTIONS)} at a severity of 1 to 5, got {name!r} at {severity}. "
            "Choose one of these."
        )
    rng = np.random.default_rng(seed)
    result = np.empty_like(images)
    for each, image in zip(result, images, strict=True):
        each[:] = CORRUPTIONS[name](image, severity - 1, rng)
    return result


def pure_noise(like: Images, seed: int) -> Images:
    """Images of the same shape with every value drawn independently from 0 to 255."""
    return np.random.default_rng(seed).integers(0, 256, like.shape, dtype=np.uint8)


def _blur(image: Images, step: int, rng: np.random.Generator) -> Images:
    radius = BLUR_PX[step] * len(image) / MADE_FOR_PX
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def _noise(image: Images, step: int, rng: np.random.Generator) -> Images:
    return _rounded(image + 255 * NOISE[step] * rng.normal(size=image.shape))


def _contrast(image: Images, step: int, rng: np.random.Generator) -> Images:
    # (3,) mean colour, about which the contrast shrinks
    mean = image.mean(axis=(0, 1))
    return _rounded(mean + (image - mean) * CONTRAST[step])


def _jpeg(image: Images, step: int, rng: np.random.Generator) -> Images:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=JPEG_QUALITY[step])
    return np.asarray(Image.open(buffer))


def _pixelate(image: Images, step: int, rng: np.random.Generator) -> Images:
    height, width = image.shape[:2]
    # Pillow takes width before height
    few = max(1, int(width * PIXELATE[step])), max(1, int(height * PIXELATE[step]))
    small = Image.fromarray(image).resize(few, Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BOX))


def _rounded(values: NDArray[np.float64]) -> Images:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


CORRUPTIONS: dict[str, Corruption] = {
    "blur": _blur,
    "noise": _noise,
    "contrast": _contrast,
    "JPEG": _jpeg,
    "pixelate": _pixelate,
}
