"""Batches of uint8 images: order, subsample, normalisation; all draws come from the seed alone."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graft.records import Preprocessing


class Samples(NamedTuple):
    """Labelled images of one split, ready on their device."""

    images: Tensor
    """(n, 3, s, s) uint8 RGB"""
    labels: Tensor
    """(n,) int64 class numbers"""


def samples_on(device: torch.device, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Samples:
    """Labelled images moved to a device.

    Args:
        device: where they shall live.
        images: (n, s, s, 3) uint8 RGB.
        labels: (n,) class numbers.
    """
    tensor = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)
    return Samples(tensor.to(device), torch.from_numpy(labels).to(device))


def normalised(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """(n, 3, s, s) float32 network input of (n, 3, s, s) uint8 images."""
    mean = torch.tensor(preprocessing.mean, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std, device=images.device).view(1, 3, 1, 1)
    return (images.to(torch.float32) / 255.0 - mean) / std


def batch_rows(n: int, batch_size: int, generator: torch.Generator) -> list[Tensor]:
    """One epoch's shuffled rows in batches of nearly equal size, none of them a lonely image.

    Equal sizes matter: a last batch of one image breaks BatchNorm, and dropping it loses data.
    """
    n_batches = max(1, min(-(-n // batch_size), n // 2))
    return list(torch.randperm(n, generator=generator).tensor_split(n_batches))


def subsample(labels: NDArray[np.int64], share: float, seed: int) -> NDArray[np.int64]:
    """Sorted rows of a random share of each class, at least one a class.

    Args:
        labels: (n,) class numbers.
        share: above 0 to 1.
        seed: the same seed gives both arms the same images.
    """
    generator = np.random.default_rng(seed)
    kept = [
        generator.permutation(np.flatnonzero(labels == label))[: max(1, round(share * np.sum(labels == label)))]
        for label in np.unique(labels)
    ]
    return np.sort(np.concatenate(kept))
