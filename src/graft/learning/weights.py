"""Published weights: a torchvision weight name, or a file with its sha256."""

from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from graft.files import check_named_file
from graft.learning.families import family_of, head_of, torchvision_network
from graft.params import Network


def published_weights(network: Network) -> Any:
    """The torchvision weights of this name; for `file` and `pretrain` the first of this network.

    Raises:
        ValueError: torchvision has no such network, or no such weights of it.
    """
    family_of(network.name)
    # One of VGG's holds features alone, and no number where its other layers stand.
    known = {each.name: each for each in torchvision.models.get_model_weights(network.name) if each.meta["categories"]}
    if network.weights in ("file", "pretrain"):
        return next(iter(known.values()))
    if network.weights not in known:
        raise ValueError(
            f"params.yaml, network.weights: want pretrain, file or weights of {network.name}, got "
            f"{network.weights!r}. Choices: {', '.join(known)}."
        )
    return known[network.weights]


def load_published(network: Network, size_px: int) -> nn.Module:
    """The torchvision network with its published weights, made for images of size_px; its head is random.

    Raises:
        FileNotFoundError: the weights file is absent.
        ValueError: no such network, wrong sha256, no state dict, one of another network, or one with holes.
        RuntimeError: the weights cannot be downloaded here.
    """
    model = torchvision_network(network.name, size_px)
    state = _state_from_file(network) if network.weights == "file" else _state_from_torchvision(network)
    origin = network.weights_file or network.weights
    try:
        state = family_of(network.name).translate(model, state)
        state.update(_head_state(model))  # the head goes anyway, so a file may have any number of classes
        model.load_state_dict(state, strict=True)
    except (KeyError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{origin}: want weights of {network.name}, got others ({reason}). "
            "Set network.name to the network the weights belong to."
        ) from None
    if not all(bool(value.isfinite().all()) for value in state.values()):
        raise ValueError(f"{origin}: want numbers in all weights, got some that are none. Take another file.")
    return model


def _head_state(model: nn.Module) -> dict[str, Tensor]:
    name, head = head_of(model)
    return {f"{name}.{key}": value for key, value in head.state_dict().items()}


def _state_from_torchvision(network: Network) -> dict[str, Tensor]:
    weights = published_weights(network)
    try:
        return weights.get_state_dict(progress=True, check_hash=True)  # type: ignore[no-any-return]
    except (OSError, RuntimeError) as error:
        raise RuntimeError(
            f"params.yaml, network.weights: want {network.weights} of {network.name} downloaded, got {error}. "
            f"Fetch {weights.url} on another machine, put it under models/weights/, set `weights: file`, "
            "weights_file to its path and weights_sha256 to what `sha256sum` prints for it."
        ) from None


def _state_from_file(network: Network) -> dict[str, Tensor]:
    path = Path(network.weights_file or "")
    absent = f"want a file, got none at {path}. Put the state dict there."
    check_named_file(path, network.weights_sha256, "network.weights", absent)
    try:
        state = _read_state(path)
    except Exception as error:  # torch and safetensors raise many kinds for a file that is none of theirs
        raise ValueError(
            f"{path}: want a state dict of tensors, got {type(error).__name__}. Save it with "
            "`torch.save(network.state_dict(), path)`."
        ) from None
    if not isinstance(state, dict) or not all(isinstance(each, Tensor) for each in state.values()):
        raise ValueError(
            f"{path}: want a state dict of tensors, got a {type(state).__name__}. Save it with "
            "`torch.save(network.state_dict(), path)`."
        )
    return state


def _read_state(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)  # never unpickles code
