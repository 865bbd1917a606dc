"""Mean activations of a network's blocks, and moments of the inputs of its BatchNorm layers."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle

from graft.networks.networks import Network, pooled
from graft.networks.outputs import BATCH
from graft.store.features import BlockMeans, BlockMoments

Watched = dict[str, list[_BatchNorm]]


def block_means(network: Network, images: NDArray[np.uint8]) -> tuple[BlockMeans, ...]:
    """Mean activation of every channel at the end of every block, image by image, in evaluation mode.

    Args:
        network: on its device.
        images: (n, s, s, 3) uint8 RGB.

    Returns:
        (n, channels) means by block, from input to output; empty where there are no images.
    """
    seen: dict[str, list[NDArray[np.float32]]] = {name: [] for name in network.blocks}
    handles = [block.register_forward_hook(_keep_mean(seen[name])) for name, block in network.blocks.items()]
    _run(network, images, handles)
    return tuple(BlockMeans(name, np.concatenate(parts)) for name, parts in seen.items() if parts)


def batchnorm_moments(network: Network, images: NDArray[np.uint8]) -> tuple[BlockMoments, ...]:
    """Moments of the input of every BatchNorm layer, block by block, from one pass in evaluation mode.

    The result holds two numbers for each image and channel: 45,000 channels and 1,000 images take 360 MB.

    Args:
        network: has running moments of the images that it was trained on.
        images: (n, s, s, 3) uint8 RGB.

    Returns:
        Moments by block, from input to output, of the blocks that have BatchNorm.

    Raises:
        ValueError: there are no images, or the network does not have running moments of BatchNorm.
    """
    watched = _watched(network)
    if len(images) == 0:
        raise ValueError("batchnorm_moments: want at least one image, got none. Add target images.")
    seen: dict[_BatchNorm, list[tuple[Tensor, Tensor]]] = {layer: [] for each in watched.values() for layer in each}
    handles = [layer.register_forward_pre_hook(_keep(seen)) for layer in seen]
    _run(network, images, handles)
    return tuple(_of_block(name, layers, seen) for name, layers in watched.items())


def _run(network: Network, images: NDArray[np.uint8], handles: Sequence[RemovableHandle]) -> None:
    """Run the network on all images, then remove the hooks."""
    device = next(network.parameters()).device
    network.eval()
    try:
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                # (b, s, s, 3) to (b, 3, s, s); a copy, because torch warns of read-only arrays, as a memory map is
                block = torch.from_numpy(np.array(images[start : start + BATCH])).permute(0, 3, 1, 2)
                network.features(block.to(device))
    finally:
        for handle in handles:
            handle.remove()


def _keep_mean(seen: list[NDArray[np.float32]]) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    def hook(block: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append(pooled(output).cpu().numpy())

    return hook


def _watched(network: Network) -> Watched:
    """BatchNorm layers with running moments, by block; blocks without any are left out."""
    layers = {
        name: [each for each in block.modules() if isinstance(each, _BatchNorm) and each.running_mean is not None]
        for name, block in network.blocks.items()
    }
    if not any(layers.values()):
        kinds = {type(each).__name__ for each in network.blocks.modules() if "Norm" in type(each).__name__}
        raise ValueError(
            "bn_stats: want a network with BatchNorm layers, whose running moments stand for the source images, got "
            f"one with {', '.join(sorted(kinds)) or 'no normalisation layers'}. Name source images or a proxy bank."
        )
    return {name: each for name, each in layers.items() if each}


def _keep(seen: dict[_BatchNorm, list[tuple[Tensor, Tensor]]]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def hook(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, _BatchNorm)
        # (n, k, h, w) or (n, k) to (n, k, places)
        values = inputs[0].flatten(2) if inputs[0].ndim > 2 else inputs[0][:, :, None]
        mean, scale = _source_moments(layer)
        values = (values - mean[:, None]) / scale[:, None]
        # first and second moments, (b, k) each
        seen[layer].append((values.mean(dim=2).cpu(), (values**2).mean(dim=2).cpu()))

    return hook


def _source_moments(layer: _BatchNorm) -> tuple[Tensor, Tensor]:
    """(k,) running mean, and (k,) deviation that BatchNorm divides by."""
    assert layer.running_mean is not None
    assert layer.running_var is not None
    return layer.running_mean, torch.sqrt(layer.running_var + layer.eps)


def _of_block(name: str, layers: list[_BatchNorm], seen: dict[_BatchNorm, list[tuple[Tensor, Tensor]]]) -> BlockMoments:
    # by layer batches of (b, k) to (n, all channels of the block)
    means, squares = (
        torch.cat([torch.cat([pair[k] for pair in seen[each]]) for each in layers], dim=1) for k in (0, 1)
    )
    floor = torch.cat([each.eps / _source_moments(each)[1].cpu() ** 2 for each in layers])
    return BlockMoments(name, means.numpy(), squares.numpy(), floor.numpy())
