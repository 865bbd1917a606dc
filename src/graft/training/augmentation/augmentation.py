"""Augmentation of uint8 batches on their device, with separate draws for each image.

All draws come from a generator on the CPU, so that every device gets the same. On a GPU, values that were resampled or
tinted may differ from those of the CPU by one level, where a sum is rounded the other way.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graft.params.recipes import Recipe
from graft.training.augmentation.colour import Tint, erased, posterized, rounded, solarized, tinted
from graft.training.augmentation.geometry import Moves, Views, moved, resampled

_SIGNED = ("rotation", "shear_x", "shear_y", "shift_x", "shift_y", "brightness", "contrast", "saturation")
_PUSHES = (*_SIGNED, "posterize", "solarize", "identity")
# at magnitude 1, as in torchvision: 30 degrees, a shear of 0.3, 45 % of the side, a factor 0.9 above or below 1,
# 4 bits taken away, all levels inverted
_DEGREES, _SHEAR, _SHIFT, _FACTOR, _BITS, _LEVELS = 30.0, 0.3, 0.45, 0.9, 4, 255


def augmented(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Augment each image by its own draws: first geometry, then colours, then the erased box.

    A recipe of shift and flip alone moves whole pixels and changes no value. All other geometry is one affine map for
    each image, resampled once, and all colour is one matrix for each image. Colour, operations and erasing are neither
    drawn nor computed where the recipe does not have them.

    Args:
        images: (n, 3, s, s) uint8 RGB.
        recipe: which changes are drawn, and how large.
        generator: on the CPU.

    Returns:
        (n, 3, s, s) uint8 on the same device, in channels-last order only where whole pixels were moved at most.
    """
    n, _, s, _ = images.shape
    moves = _moves(n, s, recipe, generator)
    pushes = _pushes(n, recipe, generator)
    if recipe.ops or recipe.rotation or recipe.crop < 1 or recipe.stretch > 1:
        images = resampled(images, _views(moves, pushes, recipe, s, generator))
    elif recipe.shift or recipe.flip:
        images = moved(images, moves)
    if recipe.ops or recipe.brightness or recipe.contrast or recipe.saturation or recipe.hue or recipe.grey:
        images = tinted(images, _tint(pushes, recipe, generator))
    if images.is_floating_point():
        images = rounded(images)
    if recipe.ops:
        images = posterized(images, (8 - (_BITS * pushes["posterize"]).round().long()).clamp(min=1))
        images = solarized(images, (_LEVELS * (1 - pushes["solarize"])).round().clamp(min=0).to(torch.uint8))
    return erased(images, recipe.erase, generator) if recipe.erase else images


def contact_sheet(images: NDArray[np.uint8], recipe: Recipe, n_views: int, seed: int) -> NDArray[np.uint8]:
    """Images as they are, each with augmented views of it as training may see them.

    Args:
        images: (n, s, s, 3) uint8 RGB.
        recipe: which changes are drawn, and how large.
        n_views: number of augmented views of each image.
        seed: of the draws.

    Returns:
        (n, 1 + n_views, s, s, 3) uint8.
    """
    generator = torch.Generator().manual_seed(seed)
    batch = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)
    # (n, 1 + n_views, 3, s, s), then channels last
    views = torch.stack([batch, *(augmented(batch, recipe, generator) for _ in range(n_views))], dim=1)
    sheet: NDArray[np.uint8] = views.permute(0, 1, 3, 4, 2).contiguous().numpy()
    return sheet


def _moves(n: int, s: int, recipe: Recipe, generator: torch.Generator) -> Moves:
    """Mirror and whole-pixel shift of each image."""
    reach = round(recipe.shift * s)
    down, right = torch.randint(0, 2 * reach + 1, (2, n), generator=generator) - reach
    return Moves(torch.rand(n, generator=generator) < recipe.flip, down, right)


def _pushes(n: int, recipe: Recipe, generator: torch.Generator) -> dict[str, Tensor]:
    """Strength of each operation for each image, (n,) float32: the sum of `ops` draws of `magnitude`.

    In the manner of RandAugment (Cubuk et al. 2020), but without sharpness, equalize and autocontrast, and with
    geometry before colour whatever the order of the draws, so that each image is resampled once.
    """
    # (operations, n)
    pushed = torch.zeros(len(_PUSHES), n)
    for _ in range(recipe.ops):
        which = torch.randint(0, len(_PUSHES), (1, n), generator=generator)
        sign = torch.where(which < len(_SIGNED), 2 * torch.randint(0, 2, (1, n), generator=generator) - 1, 1)
        pushed.scatter_add_(0, which, recipe.magnitude * sign)
    return dict(zip(_PUSHES, pushed, strict=True))


def _views(moves: Moves, pushes: dict[str, Tensor], recipe: Recipe, s: int, generator: torch.Generator) -> Views:
    """Moves, crop, rotation and operations of each image in one map; a crop never leaves the image."""
    area, shape, right, down, turn = torch.rand(5, len(moves.mirrored), generator=generator)
    ratio = recipe.stretch ** (2 * shape - 1)
    # share of the area, with the sides in that ratio; clamped, where a side would be longer than the image
    kept = 1 - (1 - recipe.crop) * area
    width, height = (kept * ratio).sqrt().clamp(max=1), (kept / ratio).sqrt().clamp(max=1)
    return Views(
        angle=torch.deg2rad(recipe.rotation * (2 * turn - 1) + _DEGREES * pushes["rotation"]),
        shear_x=_SHEAR * pushes["shear_x"],
        shear_y=_SHEAR * pushes["shear_y"],
        width=torch.where(moves.mirrored, -width, width),
        height=height,
        right=moves.right + s * ((1 - width) * (right - 0.5) + _SHIFT * pushes["shift_x"]),
        down=moves.down + s * ((1 - height) * (down - 0.5) + _SHIFT * pushes["shift_y"]),
    )


def _tint(pushes: dict[str, Tensor], recipe: Recipe, generator: torch.Generator) -> Tint:
    """Colour changes of each image, those of the recipe and of its operations."""
    draws = torch.rand(5, len(pushes["identity"]), generator=generator)
    reaches = {"brightness": recipe.brightness, "contrast": recipe.contrast, "saturation": recipe.saturation}
    brightness, contrast, saturation = (
        (1 + reach * (2 * draw - 1)) * (1 + _FACTOR * pushes[name]).clamp(min=0)
        for draw, (name, reach) in zip(draws[:3], reaches.items(), strict=True)
    )
    hue = 2 * math.pi * recipe.hue * (2 * draws[3] - 1)
    return Tint(brightness, contrast, torch.where(draws[4] < recipe.grey, 0.0, saturation), hue)
