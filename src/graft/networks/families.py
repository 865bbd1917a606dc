"""Torchvision's classification networks: one entry in FAMILIES holds all that graft knows of a family.

torchvision is imported inside the functions: it costs seconds, and small_cnn does not need it.
"""

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from graft.networks import cuts
from graft.networks.preprocessing import check_name, family_name, import_torchvision

State = dict[str, Tensor]


def _no_options(size_px: int) -> dict[str, Any]:
    return {}


def _as_it_is(net: nn.Module, state: State) -> State:
    return state


class Family(NamedTuple):
    """How the networks of a family are built, loaded and cut."""

    cut: cuts.Cut
    """Returns the blocks of a network."""
    options: Callable[[int], dict[str, Any]] = _no_options
    """Returns the arguments of torchvision's builder for an image size in pixels."""
    translate: Callable[[nn.Module, State], State] = _as_it_is
    """Returns the state that a network loads from a published state whose names or shapes differ."""


def _inception_options(size_px: int) -> dict[str, Any]:
    return {"aux_logits": False, "init_weights": True}


def _without_auxiliary_heads(net: nn.Module, state: State) -> State:
    return {key: value for key, value in state.items() if not key.startswith(("aux1.", "aux2.", "AuxLogits."))}


def _densenet_state(net: nn.Module, state: State) -> State:
    """State with `norm1` for the `norm.1` of the published files."""
    return {re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2", key): value for key, value in state.items()}


def _mnasnet_state(net: nn.Module, state: State) -> State:
    """State with its version, which MNASNet alone asks for, and which safetensors cannot hold."""
    versioned = OrderedDict(state)
    known = getattr(state, "_metadata", None)
    versioned._metadata = known or net.state_dict()._metadata  # type: ignore[attr-defined]
    return versioned


def _vision_transformer_state(net: nn.Module, state: State) -> State:
    """State with position embeddings interpolated to the size of the network's images."""
    from torchvision.models.vision_transformer import interpolate_embeddings

    resized: State = interpolate_embeddings(net.image_size, net.patch_size, OrderedDict(state))
    return resized


FAMILIES: dict[str, Family] = {
    "AlexNet": Family(cuts.at_pools),
    "ConvNeXt": Family(cuts.by_place((0, 1, 2, 4, 6), cuts.pool_norm)),
    "DenseNet": Family(cuts.by_place((0, 4, 6, 8, 10), cuts.relu_pool), translate=_densenet_state),
    "EfficientNet": Family(cuts.by_place((0, 1, 2, 3, 4, 5, 6, 7, 8))),
    "GoogLeNet": Family(
        cuts.by_name(
            {
                "stem": "conv1 maxpool1",
                "conv": "conv2 conv3 maxpool2",
                "inception3": "inception3a inception3b maxpool3",
                "inception4": "inception4a inception4b inception4c inception4d inception4e maxpool4",
                "inception5": "inception5a inception5b",
            }
        ),
        _inception_options,
        _without_auxiliary_heads,
    ),
    "Inception3": Family(
        cuts.by_name(
            {
                "stem": "Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 maxpool1",
                "conv": "Conv2d_3b_1x1 Conv2d_4a_3x3 maxpool2",
                "mixed5": "Mixed_5b Mixed_5c Mixed_5d",
                "mixed6": "Mixed_6a Mixed_6b Mixed_6c Mixed_6d Mixed_6e",
                "mixed7": "Mixed_7a Mixed_7b Mixed_7c",
            }
        ),
        _inception_options,
        _without_auxiliary_heads,
    ),
    "MaxVit": Family(
        cuts.by_name(
            {"stem": "stem", **{f"block{index + 1}": f"blocks.{index}" for index in range(4)}}, cuts.rest_of_classifier
        ),
        lambda size_px: {"input_size": (size_px, size_px)},
    ),
    "MNASNet": Family(cuts.by_place((0, 8, 9, 10, 11, 12, 13, 14), within="layers"), translate=_mnasnet_state),
    "MobileNetV2": Family(cuts.by_place((0, 2, 4, 7, 14, 18))),
    "MobileNetV3": Family(cuts.mobilenet_v3),
    "RegNet": Family(
        cuts.by_name({"stem": "stem", **{f"block{index}": f"trunk_output.block{index}" for index in range(1, 5)}})
    ),
    "ResNet": Family(
        cuts.by_name({"stem": "conv1 bn1 relu maxpool", **{f"layer{index}": f"layer{index}" for index in range(1, 5)}})
    ),
    "ShuffleNetV2": Family(
        cuts.by_name(
            {"stem": "conv1 maxpool", "stage2": "stage2", "stage3": "stage3", "stage4": "stage4", "conv5": "conv5"}
        )
    ),
    "SqueezeNet": Family(cuts.by_place((0, 3, 6, 9))),
    "SwinTransformer": Family(cuts.swin),
    "VGG": Family(cuts.at_pools),
    "VisionTransformer": Family(
        cuts.vision_transformer, lambda size_px: {"image_size": size_px}, _vision_transformer_state
    ),
}


def networks() -> list[str]:
    """Names of all networks of these families."""
    torchvision = import_torchvision()

    return [name for name in torchvision.models.list_models(module=torchvision.models) if family_name(name) in FAMILIES]


def family_of(name: str) -> Family:
    """The family of a network.

    Raises:
        ValueError: torchvision has no such classification network, or its family is not in FAMILIES.
    """
    check_name(name)
    family = FAMILIES.get(family_name(name))
    if family is None:
        raise ValueError(
            f"name: want a network of a family that graft knows, got {name!r}. "
            f"Choices: small_cnn, {', '.join(networks())}."
        )
    return family


def torchvision_network(name: str, size_px: int) -> nn.Module:
    """Randomly initialised torchvision network for square images of size_px pixels a side.

    Raises:
        ValueError: no such network.
    """
    torchvision = import_torchvision()

    network: nn.Module = torchvision.models.get_model(name, weights=None, **family_of(name).options(size_px))
    return network


def head_of(net: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """Name and module of a torchvision network's last layer, which is a convolution in SqueezeNet."""
    *_, head = ((name, part) for name, part in net.named_modules() if isinstance(part, nn.Linear | nn.Conv2d))
    return head


def check_size(name: str, size_px: int) -> None:
    """Refuse an image size that a network cannot take, found by running it on the meta device.

    Raises:
        ValueError: there is no such network, or the size is too small for it or not a multiple of its patches.
    """
    torchvision = import_torchvision()

    family_of(name)
    weights = next(iter(torchvision.models.get_model_weights(name)))
    # 1: the network takes any size
    if max(weights.meta["min_size"]) == 1:
        return
    try:
        with torch.device("meta"), torch.no_grad():
            torchvision_network(name, size_px).eval()(torch.zeros(1, 3, size_px, size_px))
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"size_px: want a size that {name} takes, got {size_px} ({reason}). "
            f"Set it to null for the size of its weights, {weights.transforms().crop_size[0]}."
        ) from None
