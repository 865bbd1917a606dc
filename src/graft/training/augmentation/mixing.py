"""Mixup and CutMix: training images and their targets are mixed in pairs, with a share drawn for each image.

Both pair each image with the one before it in the batch: batches are shuffled, so that the pairs are random without a
draw, and no image is its own partner. Draws come from a generator on the CPU; nothing is copied from the device.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graft.networks.runtime import sent
from graft.training.augmentation.geometry import boxes


class Mixed(NamedTuple):
    """A batch after mixing, on its device."""

    images: Tensor
    """(n, 3, s, s), of the type of the input."""
    targets: Tensor
    """(n, c) float32, whose rows sum to 1."""


def soft_targets(labels: Tensor, n_classes: int) -> Tensor:
    """(n, c) float32 targets of (n,) class numbers: 1 for the class of the label, else 0."""
    return F.one_hot(labels, n_classes).to(torch.float32)


def mixup(images: Tensor, targets: Tensor, alpha: float, generator: torch.Generator) -> Mixed:
    """Blend each image with its partner, and their targets by the same share (Zhang et al. 2018).

    Args:
        images: (n, 3, s, s), uint8, whose result is rounded, or float. Normalisation is affine, so that mixing before
            it or after it differs by that rounding alone.
        targets: (n, c) rows that sum to 1.
        alpha: above 0; an image's own share is drawn from Beta(alpha, alpha).
        generator: on the CPU.
    """
    share = sent(_shares(len(images), alpha, generator), images.device)
    values = images.to(torch.float32)
    # the partner is the image before: rolled by one along n, the last comes first
    blend = torch.lerp(values.roll(1, 0), values, share[:, None, None, None])
    kept = blend if images.is_floating_point() else blend.round_()
    return Mixed(kept.to(images.dtype), _blended(targets, share))


def cutmix(images: Tensor, targets: Tensor, alpha: float, generator: torch.Generator) -> Mixed:
    """Paste a box of its partner into each image, and mix their targets by area (Yun et al. 2019).

    The box has the shape of the image and its centre anywhere, so that an edge may cut it: targets follow the pixels
    that were replaced.

    Args:
        images: (n, 3, s, s) of any type; pixels are copied, not blended.
        targets: (n, c) rows that sum to 1.
        alpha: above 0; the share of the area outside the uncut box is drawn from Beta(alpha, alpha).
        generator: on the CPU.
    """
    n, _, s, _ = images.shape
    # (n,) sides of square boxes, then (2, n) top left and bottom right corners, cut at the edges
    sides = s * (1 - _shares(n, alpha, generator)).sqrt()
    centres = s * torch.rand(2, n, generator=generator)
    starts = (centres - sides / 2).round().clamp(min=0).long()
    ends = (centres + sides / 2).round().clamp(max=s).long()
    share = 1 - (ends - starts).prod(dim=0) / s**2
    inside = boxes(torch.stack([starts[0], ends[0], starts[1], ends[1]]), s, images.device)
    return Mixed(torch.where(inside, images.roll(1, 0), images), _blended(targets, sent(share, images.device)))


def _shares(n: int, alpha: float, generator: torch.Generator) -> Tensor:
    """(n,) float32 draws from Beta(alpha, alpha) on the CPU, by numpy, because torch's Beta takes no generator."""
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, n)).to(torch.float32)


def _blended(targets: Tensor, share: Tensor) -> Tensor:
    return torch.lerp(targets.roll(1, 0), targets, share[:, None])
