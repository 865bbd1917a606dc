"""Bottleneck adapters: small layers behind the blocks of a network, which learn in their place.

An adapter is the last layer of its block, which is a Sequential in every network: the block keeps its name, and its
other layers keep theirs. So a network with adapters is a Network like any other.

Source: Houlsby et al., Parameter-efficient transfer learning for NLP, ICML (2019); of 1 x 1 convolutions on maps, as
Rebuffi et al., Efficient parametrization of multi-domain deep neural networks, CVPR (2018).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from graft.networks.networks import Network

# name of the adapter within its block
ADAPTER = "adapter"


class Shape(NamedTuple):
    """Shape of an adapter."""

    n_features: int
    """channels of the maps, or width of the tokens or features, that its block returns"""
    width: int
    """channels or features between its two layers"""
    on_maps: bool
    """whether its block returns (n, c, h, w) maps; else (n, t, d) tokens or (n, d) features"""


class Adapter(nn.Module):
    """x + up(gelu(down(x))), of the shape of x; the same as x at the start, because `up` starts at zero."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        n, width, on_maps = shape
        self.down = nn.Conv2d(n, width, 1) if on_maps else nn.Linear(n, width)
        self.act = nn.GELU()
        self.up = nn.Conv2d(width, n, 1) if on_maps else nn.Linear(width, n)
        nn.init.zeros_(self.up.weight)
        assert self.up.bias is not None, "both layers have a bias"
        nn.init.zeros_(self.up.bias)

    def forward(self, values: Tensor) -> Tensor:
        """Add what the two layers make of the values."""
        changed: Tensor = values + self.up(self.act(self.down(values)))
        return changed


def adapters_in(network: Network) -> dict[str, Shape]:
    """Shapes of the adapters of a network, by block."""
    found = ((name, _adapter_of(block)) for name, block in network.blocks.items())
    return {name: adapter.shape for name, adapter in found if adapter is not None}


def add_adapters(network: Network, shapes: Mapping[str, Shape]) -> None:
    """Put an adapter behind each of these blocks, in place; one that has an adapter gets a new one."""
    parameter = next(network.parameters())
    for name, shape in shapes.items():
        network.blocks[name].add_module(ADAPTER, Adapter(shape).to(parameter.device))


def shapes_for(network: Network, blocks: Sequence[str], width: int) -> dict[str, Shape]:
    """Shapes of adapters of this width, by block."""
    return {
        name: Shape(values.shape[1 if values.ndim == 4 else -1], width, values.ndim == 4)
        for name, values in _outputs(network)
        if name in blocks
    }


def adapter_parameters(block: nn.Module) -> list[nn.Parameter]:
    """Parameters of a block's adapter; none where it has none."""
    adapter = _adapter_of(block)
    return [] if adapter is None else list(adapter.parameters())


def _adapter_of(block: nn.Module) -> Adapter | None:
    found = dict(block.named_children()).get(ADAPTER)
    return found if isinstance(found, Adapter) else None


def _outputs(network: Network) -> Iterator[tuple[str, Tensor]]:
    """Output of each block for one black image, in evaluation mode."""
    device, size = next(network.parameters()).device, network.preprocessing.crop_px
    network.eval()
    with torch.no_grad():
        values = network.input_transform(torch.zeros(1, 3, size, size, dtype=torch.uint8, device=device))
        for name, block in network.blocks.items():
            values = block(values)
            yield name, values
