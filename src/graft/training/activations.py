"""Activations of frozen blocks: computed without a gradient, and kept where they do not change."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from graft.networks.networks import Network, pooled
from graft.networks.runtime import free_bytes
from graft.training.convolution import fast_convolutions

# images in a batch of the frozen blocks; those of a fixed view are also augmented in these batches, so that another
# number would be another draw
AT_ONCE = 32
# the same on a GPU, where nothing is drawn: with fewer it would wait for the next launch
AT_ONCE_GPU = 256
# largest share of the free memory that activations may take; while batches are joined, memory holds them twice
SHARE_OF_MEMORY = 0.25


class Pass(NamedTuple):
    """Outputs of the blocks that learn, and of the head, for a batch."""

    logits: Tensor
    """(b, c) float32"""
    features: Mapping[str, Tensor]
    """(b, d) float32 output of each block that was asked for, its mean over places"""


def front(network: Network, n_blocks: int, images: Tensor) -> Tensor:
    """Output of the lowest n_blocks blocks for (b, 3, s, s) uint8 images, without a gradient.

    It is in channels-last order, in which convolutions are fastest.
    """
    values: Tensor = network.input_transform(images).contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), fast_convolutions(images.device):
        for block in list(network.blocks.values())[:n_blocks]:
            values = block(values)
    return values


def back(network: Network, n_blocks: int, values: Tensor, wanted: Collection[str] = ()) -> Pass:
    """Logits from the output of the lowest n_blocks blocks, and features of the blocks above that are wanted."""
    features = {}
    with fast_convolutions(values.device):
        for name, block in list(network.blocks.items())[n_blocks:]:
            values = block(values)
            if name in wanted:
                features[name] = pooled(values).float()
    # (b, d) to (b, c); float32 for the loss, whatever the precision of the network
    return Pass(network.head(values).float(), features)


def parts(values: Tensor) -> tuple[Tensor, ...]:
    """Rows cut into batches for blocks that do not learn."""
    return torch.split(values, AT_ONCE_GPU if values.is_cuda else AT_ONCE)


def activations(network: Network, n_blocks: int, batches: Iterable[Tensor]) -> Tensor:
    """(n, ...) output of the lowest n_blocks blocks, in evaluation mode, for all images."""
    return torch.cat([front(network, n_blocks, images) for images in batches])


def bytes_of(network: Network, n_blocks: int, image: Tensor) -> int:
    """Bytes of the output of the lowest n_blocks blocks for one (1, 3, s, s) uint8 image."""
    one = front(network, n_blocks, image)
    return one.numel() * one.element_size()


def check_room(needed: int, device: torch.device, n_views: int) -> None:
    """Refuse activations that do not fit into memory.

    Raises:
        ValueError: they would take more than SHARE_OF_MEMORY of what is free.
    """
    limit = int(SHARE_OF_MEMORY * free_bytes(device))
    if needed > limit:
        raise ValueError(
            f"views: want activations of {n_views} views in {limit / 2**30:.1f} GiB of "
            f"memory, got {needed / 2**30:.1f} GiB. Lower views, or set it to null."
        )
