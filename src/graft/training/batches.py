"""Batches of uint8 images: their order, subsamples and class weights; all draws come from the seed alone."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graft.networks.runtime import free_bytes

# images of a batch at least: BatchNorm cannot normalise a single image of one pixel
FEWEST = 2


class Samples(NamedTuple):
    """Labelled images of one split, on their device."""

    images: Tensor
    """(n, 3, s, s) uint8 RGB"""
    labels: Tensor
    """(n,) int64 class numbers"""


def samples_on(device: torch.device, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Samples:
    """Copy labelled images to a device.

    Args:
        device: of the result.
        images: (n, s, s, 3) uint8 RGB.
        labels: (n,) class numbers.

    Raises:
        ValueError: the images do not fit into the memory of a GPU.
    """
    if device.type == "cuda" and images.nbytes > (free := free_bytes(device)):
        raise ValueError(
            f"images: want all of them in {free / 2**30:.1f} GiB of the GPU's free memory, got "
            f"{images.nbytes / 2**30:.1f} GiB. Lower their size, or set GRAFT_DEVICE=cpu."
        )
    # torch warns of arrays that cannot be written; (n, s, s, 3) to (n, 3, s, s) without moving a byte
    tensor = torch.from_numpy(np.require(images, requirements="W")).permute(0, 3, 1, 2)
    return Samples(tensor.to(device), torch.from_numpy(labels).to(device))


def batch_rows(n: int, batch_size: int, generator: torch.Generator) -> list[Tensor]:
    """Shuffled rows of one epoch, in batches of nearly equal size with two images or more.

    A last batch of one image would break BatchNorm, and dropping it would lose data.
    """
    return _in_batches(torch.randperm(n, generator=generator), batch_size)


def balanced_rows(labels: Tensor, batch_size: int, generator: torch.Generator) -> list[Tensor]:
    """Rows of one epoch, as many as there are images, with each class equally often up to one row.

    Within a class every image is drawn before any is drawn again: small classes are repeated evenly, and each epoch
    sees another part of large ones.

    Args:
        labels: (n,) class numbers on the CPU.
        batch_size: images in a batch; batches are of nearly equal size, as in `batch_rows`.
        generator: on the CPU.
    """
    # by class the rows of its images, (n_of_class,)
    members = [torch.nonzero(labels == label).flatten() for label in torch.unique(labels)]
    # rows of each class; a random choice of classes has one more where the number of rows is not a multiple
    quotas = torch.full((len(members),), len(labels) // len(members))
    quotas[torch.randperm(len(members), generator=generator)[: len(labels) % len(members)]] += 1
    rows = torch.cat([_drawn(each, int(quota), generator) for each, quota in zip(members, quotas, strict=True)])
    return _in_batches(rows[torch.randperm(len(rows), generator=generator)], batch_size)


def _drawn(rows: Tensor, quota: int, generator: torch.Generator) -> Tensor:
    """Quota rows, drawn in rounds: none comes again before all have come."""
    rounds = -(-quota // len(rows))
    return torch.cat([rows[torch.randperm(len(rows), generator=generator)] for _ in range(rounds)])[:quota]


def _in_batches(rows: Tensor, batch_size: int) -> list[Tensor]:
    # at most half as many batches as rows, so that none holds a single image
    n_batches = max(1, min(-(-len(rows) // batch_size), len(rows) // 2))
    return list(rows.tensor_split(n_batches))


def drawn(n: int, k: int, generator: torch.Generator) -> Tensor:
    """(k,) places among n, drawn at random on the CPU; none comes again before all have come."""
    return _drawn(torch.arange(n), k, generator)


def class_weights(labels: Tensor, n_classes: int) -> Tensor:
    """Class weights for a loss, (c,) float32, inversely proportional to the number of images of a class.

    Their mean over images is 1, and a class without images weighs 0.

    Args:
        labels: (n,) class numbers.
        n_classes: c.
    """
    counts = torch.bincount(labels, minlength=n_classes).to(torch.float32)
    weights = len(labels) / ((counts > 0).sum() * counts)
    return torch.where(counts > 0, weights, 0.0)


def subsample(labels: NDArray[np.int64], groups: NDArray[np.str_], share: float, seed: int) -> NDArray[np.int64]:
    """Sorted rows of a random share of each class, at least one row a class; a group is seen or left out as a whole.

    Where the groups of a class are larger than what may be left out of it, more than the share is seen.

    Args:
        labels: (n,) class numbers.
        groups: (n,) names of groups.
        share: of each class, above 0 to 1.
        seed: of the draw; the same seed gives both arms the same images.
    """
    counts = np.bincount(labels)
    spare = counts - np.minimum(counts, np.maximum(1, np.round(share * counts).astype(np.int64)))
    unit = np.unique(groups, return_inverse=True)[1]
    rows_of = np.split(np.argsort(unit, kind="stable"), np.cumsum(np.bincount(unit))[:-1])
    seen = np.ones(len(labels), dtype=bool)
    for group in np.random.default_rng(seed).permutation(len(rows_of)):
        mix = np.bincount(labels[rows_of[group]], minlength=len(counts))
        if (mix <= spare).all():
            spare -= mix
            seen[rows_of[group]] = False
    return np.flatnonzero(seen)
