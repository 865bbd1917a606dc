"""Augmentation of uint8 batches on their device, a separate draw for each image."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Augmentation(NamedTuple):
    """What may happen to a training image."""

    shift_px: int
    """largest shift in either direction, pixels"""
    flip: bool
    """mirror left to right with probability 1/2"""


def augmented(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """(n, 3, s, s) images, each shifted and mirrored by its own draw; edges are reflected.

    Args:
        images: (n, 3, s, s) uint8 or float.
        augmentation: what may happen.
        generator: on the CPU, so that every device sees the same draws.

    Raises:
        ValueError: shift_px is not below s.
    """
    n, _, s, _ = images.shape
    reach = augmentation.shift_px
    if reach >= s:
        raise ValueError(
            f"params.yaml, training.shift_px: want less than the side of the images, {s} pixels, got {reach}. "
            "Lower it; a tenth of the side is usual."
        )
    offsets = torch.randint(0, 2 * reach + 1, (2, n), generator=generator)
    mirrored = torch.rand(n, generator=generator) < 0.5
    rows = torch.arange(s).expand(n, s) + offsets[0, :, None]
    columns = torch.arange(s).expand(n, s)
    if augmentation.flip:
        columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    columns = columns + offsets[1, :, None]
    device = images.device
    padded = F.pad(images.to(torch.float32), (reach,) * 4, mode="reflect").to(images.dtype)
    picked = padded.permute(0, 2, 3, 1)[
        torch.arange(n, device=device)[:, None, None], rows.to(device)[:, :, None], columns.to(device)[:, None, :]
    ]
    return picked.permute(0, 3, 1, 2)
