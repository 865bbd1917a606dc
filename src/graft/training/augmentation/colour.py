"""Colours of an augmented batch: one matrix for each image, then posterize, solarize and erase."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from graft.networks.runtime import sent
from graft.training.augmentation.geometry import boxes

LUMA = (0.299, 0.587, 0.114)
"""shares of red, green and blue in grey (ITU-R BT.601, as in Pillow)"""
_YIQ = np.array([LUMA, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)])
_QUARTER_TURN = (np.linalg.inv(_YIQ) @ [[0, 0, 0], [0, 0, -1], [0, 1, 0]] @ _YIQ).astype(np.float32)


class Tint(NamedTuple):
    """Colour changes of each image; all fields are (n,) float32 on the CPU."""

    brightness: Tensor
    """Factor of all values; 1 changes nothing."""
    contrast: Tensor
    """Factor of the distance from the image's mean grey; 1 changes nothing."""
    saturation: Tensor
    """Factor of the distance from each pixel's own grey; 1 changes nothing, 0 gives a grey image."""
    hue: Tensor
    """Rotation of the colour circle in radians; 0 changes nothing."""


def tinted(images: Tensor, tint: Tint) -> Tensor:
    """Brightness, contrast, saturation and hue in this order, as one matrix and one offset for each image.

    Values are not clipped between the four, so that an image first brightened and then dimmed loses nothing. Hue is a
    rotation in the plane of I and Q (YIQ), which keeps each pixel's grey and is linear, as the hue of HSV is not.

    Args:
        images: (n, 3, s, s) uint8 or float RGB, 0 to 255.
        tint: the changes of each image.

    Returns:
        (n, 3, s, s) float32, neither rounded nor clipped to 0 to 255.
    """
    device = images.device
    values = images.to(torch.float32)
    # (n, 3, 3, 1, 1)
    matrix = sent(_matrices(tint), device)[..., None, None]
    # (n,) by channel, then (n,) mean grey
    means = values.mean(dim=(2, 3)).unbind(1)
    grey = sum(share * mean for share, mean in zip(LUMA, means, strict=True))
    # of contrast alone, because grey stays grey under saturation and hue
    offset = sent((1 - tint.contrast) * tint.brightness, device) * grey
    # sums of products, because a matrix product would be rounded to TF32 or bfloat16 where these are allowed
    made = torch.addcmul(offset[:, None, None, None], matrix[:, :, 0], values[:, :1])
    return made.addcmul_(matrix[:, :, 1], values[:, 1:2]).addcmul_(matrix[:, :, 2], values[:, 2:])


def _matrices(tint: Tint) -> Tensor:
    """(n, 3, 3) weights of red, green and blue in each channel.

    A colour is its grey and a rest; saturation scales the rest and hue rotates it, so that both are one sum.
    """
    grey = torch.tensor(LUMA).expand(3, 3)
    straight, turned = tint.saturation * tint.hue.cos(), tint.saturation * tint.hue.sin()
    colour = straight[:, None, None] * (torch.eye(3) - grey) + turned[:, None, None] * torch.from_numpy(_QUARTER_TURN)
    return (tint.brightness * tint.contrast)[:, None, None] * (grey + colour)


def rounded(values: Tensor) -> Tensor:
    """Round float images to uint8 and clip them to 0 to 255; the float values are overwritten."""
    return values.round_().clamp_(0, 255).to(torch.uint8)


def posterized(images: Tensor, bits: Tensor) -> Tensor:
    """Keep only the highest bits of each uint8 image; (n,) numbers of bits, 1 to 8, on the CPU."""
    masks = (256 - 2 ** (8 - bits)).to(torch.uint8)
    return images & sent(masks, images.device)[:, None, None, None]


def solarized(images: Tensor, limits: Tensor) -> Tensor:
    """Invert the levels of each uint8 image above its limit; (n,) uint8 limits on the CPU, 255 inverts none."""
    return torch.where(images > sent(limits, images.device)[:, None, None, None], 255 - images, images)


def erased(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Cover a random box of some images with one random colour each (Zhong et al. 2020).

    A box has 2 to 33 % of the area and sides in a ratio of 0.3 to 3.3; it is cut to the image's side.

    Args:
        images: (n, 3, s, s) uint8.
        probability: that an image is covered.
        generator: on the CPU.
    """
    n, _, s, _ = images.shape
    happens, area, shape, down, right = torch.rand(5, n, generator=generator)
    colours = torch.randint(0, 256, (n, 3, 1, 1), dtype=torch.uint8, generator=generator)
    ratio = ((2 * shape - 1) * math.log(3.3)).exp()
    # (2, n) heights and widths, then tops and lefts; an image that is not covered gets a box of no size
    sides = s * (0.02 + 0.31 * area).sqrt() * torch.stack([ratio, 1 / ratio]).sqrt() * (happens < probability)
    sides = sides.round().clamp(max=s).long()
    starts = ((s + 1 - sides) * torch.stack([down, right])).long()
    edges = torch.stack([starts[0], starts[0] + sides[0], starts[1], starts[1] + sides[1]])
    return torch.where(boxes(edges, s, images.device), sent(colours, images.device), images)
