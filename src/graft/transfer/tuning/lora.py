"""LoRA on the linear and convolution layers of blocks: peft trains two thin factors, which are merged afterwards.

Source: Hu et al., LoRA: low-rank adaptation of large language models, ICLR (2022).
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from graft.networks.networks import Network

NOT_CALLED = "another layer computes with its weights without calling it"
GROUPED = "it is a grouped convolution, whose factors peft cannot merge"
SPECIAL = "it is a convolution with dilation or a padding of its own, which peft leaves out"
OTHER_TYPE = "it is neither nn.Linear nor nn.Conv2d"
NARROW = "the rank is larger than its narrower side"


class Layer(NamedTuple):
    """A layer of a block with a matrix of weights."""

    name: str
    """dotted name within the network"""
    parameter: str
    """name of its weights"""
    widest: int
    """largest rank of a change of its weights"""
    obstacle: str | None
    """why it takes no LoRA, whatever the rank; None: it does"""


class Factors(NamedTuple):
    """A low-rank change of weights: scale * up @ down."""

    down: Tensor
    """(r, ...), of the shape of the weights but for its first axis"""
    up: Tensor
    """(o, r, ...) for weights with o outputs"""
    scale: float


def layers_of(network: Network, blocks: Sequence[str]) -> tuple[Layer, ...]:
    """All layers of these blocks with a matrix of weights, in order, with what stands in the way of LoRA.

    A layer that is never called would take LoRA without any effect: attention of torch and of torchvision's Swin reads
    the weights of its inner layers. One pass of a black image tells. The joint weights of query, key and value are no
    layer, but peft knows how to change them.
    """
    called = _called(network)
    return tuple(
        _layer(f"blocks.{block}.{name}", module, module in called)
        for block in blocks
        for name, module in network.blocks[block].named_modules()
        if _weights(module) is not None
    )


def add_lora(network: Network, layers: Sequence[Layer], rank: int, alpha: float) -> None:
    """Put LoRA on these layers, in place; it has no effect at the start.

    The factors are drawn from torch's own generator, and are called `lora_A` and `lora_B` as peft does.

    Args:
        network: its layers are wrapped, so that their weights are called `base_layer.weight`.
        layers: those without an obstacle, and at least as wide as the rank.
        rank: width of the factors.
        alpha: the change is multiplied by alpha / rank.

    Raises:
        RuntimeError: peft is not installed, as in an environment of an older version.
    """
    try:
        # takes seconds, and only LoRA needs it
        from peft import LoraConfig, inject_adapter_in_model
    except ModuleNotFoundError as error:
        raise RuntimeError(f"peft: want this package for LoRA, got: {error}. Run `make setup`.") from None

    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  # a factor, which need not be whole
        target_modules=[each.name for each in layers if each.parameter == "weight"],
        target_parameters=[f"{each.name}.{each.parameter}" for each in layers if each.parameter != "weight"],
    )
    inject_adapter_in_model(config, network)
    # a note of peft for itself; the network is as before but for its layers
    del network.peft_config


def merge_lora(network: Network) -> dict[str, Factors]:
    """Add all factors to their weights and take LoRA away, in place.

    Returns:
        The factors on the CPU, by the name of the weights, such as `blocks.block1.0.weight`.
    """
    merged: dict[str, Factors] = {}
    for name, module in list(network.named_modules()):
        if not isinstance(getattr(module, "lora_A", None), nn.ModuleDict):
            continue
        layer, parameter = module.get_submodule("base_layer"), getattr(module, "parameter_name", "weight")
        factors, weights = _factors_of(module), layer.get_parameter(parameter)
        with torch.no_grad():
            weights.copy_(changed(weights, factors))
        network.set_submodule(name, layer)
        merged[f"{name}.{parameter}"] = factors
    return merged


def changed(weights: Tensor, factors: Factors) -> Tensor:
    """Weights plus their change, computed on the CPU, so that the result does not depend on a device."""
    down, up = (each.cpu().contiguous().flatten(1) for each in (factors.down, factors.up))
    return weights.cpu() + factors.scale * (up @ down).view(weights.shape)


def _factors_of(module: nn.Module) -> Factors:
    down, up = (module.get_parameter(f"{part}.default.weight") for part in ("lora_A", "lora_B"))
    scales: dict[str, float] = vars(module)["scaling"]
    return Factors(down.detach().cpu().contiguous(), up.detach().cpu().contiguous(), scales["default"])


def _called(network: Network) -> set[nn.Module]:
    """Modules whose forward is called when the network runs."""
    called: set[nn.Module] = set()
    hooks = [each.register_forward_hook(lambda module, *_: called.add(module)) for each in network.modules()]
    size, device = network.preprocessing.crop_px, next(network.parameters()).device
    network.eval()
    with torch.no_grad():
        # without the head, which may still be on another device
        network.features(torch.zeros(1, 3, size, size, dtype=torch.uint8, device=device))
    for hook in hooks:
        hook.remove()
    return called


def _weights(module: nn.Module) -> str | None:
    """Name of the module's own matrix of weights; None where it has none, as norms."""
    own = dict(module.named_parameters(recurse=False))
    names = ("in_proj_weight",) if isinstance(module, nn.MultiheadAttention) else ("weight",)
    return next((name for name in names if name in own and own[name].ndim > 1), None)


def _layer(name: str, module: nn.Module, is_called: bool) -> Layer:
    parameter = _weights(module)
    assert parameter is not None, "only layers with weights are asked for"
    weights = module.get_parameter(parameter)
    widest = min(len(weights), math.prod(weights.shape[1:]))
    return Layer(name.removesuffix("."), parameter, widest, next(_obstacles(module, is_called), None))


def _obstacles(module: nn.Module, is_called: bool) -> Iterator[str]:
    if not is_called:
        yield NOT_CALLED
    if type(module) not in (nn.Linear, nn.Conv2d, nn.MultiheadAttention):
        yield OTHER_TYPE
    if isinstance(module, nn.Conv2d):
        if module.groups > 1:
            yield GROUPED
        if module.dilation != (1, 1) or module.padding_mode != "zeros":
            yield SPECIAL
