"""Where the pixels of an augmented batch come from: a shift and a mirror by index, or one affine resampling."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from graft.networks.runtime import sent


class Moves(NamedTuple):
    """A mirror, then a shift by whole pixels, for each image; on the CPU."""

    mirrored: Tensor
    """(n,) bool, whether the image is mirrored left to right."""
    down: Tensor
    """(n,) int64, distance in pixels below its place from which a pixel is read."""
    right: Tensor
    """(n,) int64, distance in pixels to the right of its place from which a pixel is read."""


class Views(NamedTuple):
    """The affine map through which each image is read; all fields are (n,) float32 on the CPU.

    From the place written to the place read: shear, turn, scale and mirror, move.
    """

    angle: Tensor
    """Rotation in radians."""
    shear_x: Tensor
    """Pixels to the right for each pixel down."""
    shear_y: Tensor
    """Pixels down for each pixel to the right."""
    width: Tensor
    """Width that is read, as a share of the image's; negative: mirrored."""
    height: Tensor
    """Height that is read, as a share of the image's."""
    right: Tensor
    """Centre of what is read, in pixels to the right of the image's centre."""
    down: Tensor
    """Centre of what is read, in pixels below the image's centre."""


def moved(images: Tensor, moves: Moves) -> Tensor:
    """Mirror and shift each image by whole pixels; beyond the edges it is reflected at the outermost pixel.

    Args:
        images: (n, 3, s, s) of any type.
        moves: of each image; shifts below s.
    """
    n, _, s, _ = images.shape
    # (n, s) rows and columns that are read, by image and place
    places = torch.arange(s).expand(n, s)
    rows = sent(_reflected(places + moves.down[:, None], s), images.device)
    columns = torch.where(moves.mirrored[:, None], places.flip(1), places) + moves.right[:, None]
    columns = sent(_reflected(columns, s), images.device)
    which = torch.arange(n, device=images.device)[:, None, None]
    # indexed with (n, 1, 1), (n, s, 1) and (n, 1, s) in channels-last order, where a pixel is read at once
    picked = images.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2)


def _reflected(places: Tensor, s: int) -> Tensor:
    return (s - 1) - ((s - 1) - places.abs()).abs()


def resampled(images: Tensor, views: Views) -> Tensor:
    """Resample each image bilinearly through its view; beyond the edges it is reflected at the outermost pixel.

    There is no low-pass filter: a view that shrinks an image to less than half would alias.

    Args:
        images: (n, 3, s, s) uint8 or float.
        views: of each image.

    Returns:
        (n, 3, s, s) float32, not rounded.
    """
    s = images.shape[-1]
    half = (s - 1) / 2
    away = torch.arange(s, device=images.device, dtype=torch.float32) - half
    # three of (n, 2, 1, 1): the steps to the right and down, and the centre, in units of half a side
    to_x, to_y, start = sent(_maps(views) / half, images.device)[..., None, None].unbind(2)
    # sums of products, because a matrix product would be rounded to TF32 or bfloat16 where these are allowed;
    # (n, 2, s, s) to the (n, s, s, 2) of grid_sample
    grid = (to_x * away + to_y * away[:, None] + start).permute(0, 2, 3, 1)
    return F.grid_sample(images.to(torch.float32), grid, padding_mode="reflection", align_corners=True)


def _maps(views: Views) -> Tensor:
    """(n, 2, 3) matrices from (x, y, 1) of an output pixel to (x, y) in the input, in pixels from the centre."""
    cosine, sine = views.angle.cos(), views.angle.sin()
    x = (views.width * (cosine - sine * views.shear_y), views.width * (cosine * views.shear_x - sine), views.right)
    y = (views.height * (sine + cosine * views.shear_y), views.height * (sine * views.shear_x + cosine), views.down)
    return torch.stack([*x, *y], dim=1).view(-1, 2, 3)


def boxes(edges: Tensor, s: int, device: torch.device) -> Tensor:
    """(n, 1, s, s) bool, true inside each image's box.

    Args:
        edges: (4, n) int64 on the CPU: top, bottom, left, right; bottom and right are the first pixels outside.
        s: side of the images, pixels.
        device: of the result.
    """
    places = torch.arange(s, device=device)
    top, bottom, left, right = sent(edges, device)[:, :, None]
    # (n, s) each
    rows, columns = (places >= top) & (places < bottom), (places >= left) & (places < right)
    return torch.logical_and(rows[:, None, :, None], columns[:, None, None, :])
