"""What the frozen blocks say of images: computed without a gradient, and kept where it never changes."""

from collections.abc import Iterable

import torch
from torch import Tensor

from graft.networks.networks import Network
from graft.networks.runtime import free_bytes
from graft.training.convolution import fast_convolutions

AT_ONCE = 32
"""images that the frozen blocks see at once; those of a view are also augmented together"""
AT_ONCE_GPU = 256
"""the same on a GPU, which would else wait for the next launch, where nothing is drawn"""
SHARE_OF_MEMORY = 0.25
"""of what is free that activations may take; while they are joined they are there twice"""


def front(network: Network, n_blocks: int, images: Tensor) -> Tensor:
    """What the lowest blocks say of (b, 3, s, s) uint8 images; no gradient goes through them.

    In channels-last order, which convolutions are fastest in.
    """
    values: Tensor = network.input_transform(images).contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), fast_convolutions(images.device):
        for block in list(network.blocks.values())[:n_blocks]:
            values = block(values)
    return values


def back(network: Network, n_blocks: int, values: Tensor) -> Tensor:
    """(b, c) logits from what the lowest blocks said."""
    with fast_convolutions(values.device):
        for block in list(network.blocks.values())[n_blocks:]:
            values = block(values)
    logits: Tensor = network.head(values)
    return logits


def parts(values: Tensor) -> tuple[Tensor, ...]:
    """Rows cut into what the blocks see at once where they do not learn."""
    return torch.split(values, AT_ONCE_GPU if values.is_cuda else AT_ONCE)


def activations(network: Network, n_blocks: int, batches: Iterable[Tensor]) -> Tensor:
    """(n, ...) what the lowest blocks, in evaluation mode, say of all images."""
    return torch.cat([front(network, n_blocks, images) for images in batches])


def bytes_of(network: Network, n_blocks: int, image: Tensor) -> int:
    """Memory that the activations of one (1, 3, s, s) uint8 image take."""
    one = front(network, n_blocks, image)
    return one.numel() * one.element_size()


def check_room(needed: int, device: torch.device, n_views: int) -> None:
    """Refuse where activations would not fit.

    Raises:
        ValueError: they would take more than SHARE_OF_MEMORY of what is free.
    """
    limit = int(SHARE_OF_MEMORY * free_bytes(device))
    if needed > limit:
        raise ValueError(
            f"params.yaml, finetune_target.views: want activations of {n_views} views in {limit / 2**30:.1f} GiB of "
            f"memory, got {needed / 2**30:.1f} GiB. Lower views, or set it to null."
        )
