"""Published weights: a torchvision weight name, or a file with its sha256."""

import hashlib
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from graft.params import Network


def published_weights(network: Network) -> Any:
    """The torchvision weights of this name; for `file` and `pretrain` the first of this network.

    Raises:
        ValueError: torchvision has no such network, or no such weights of it.
    """
    try:
        known = torchvision.models.get_model_weights(network.name)
    except ValueError:
        raise ValueError(
            f"params.yaml, network.name: want small_cnn or a torchvision classification network, got "
            f"{network.name!r}. Choices: small_cnn, {', '.join(classification_networks())}."
        ) from None
    if network.weights in ("file", "pretrain"):
        return next(iter(known))
    if network.weights not in known.__members__:
        raise ValueError(
            f"params.yaml, network.weights: want pretrain, file or weights of {network.name}, got "
            f"{network.weights!r}. Choices: {', '.join(known.__members__)}."
        )
    return known[network.weights]


def classification_networks() -> list[str]:
    """Names of the classification networks that torchvision has."""
    return torchvision.models.list_models(module=torchvision.models)  # type: ignore[no-any-return]


def load_published(network: Network) -> nn.Module:
    """The torchvision network with its published weights, its own head still on.

    Raises:
        FileNotFoundError: the weights file is absent.
        ValueError: wrong sha256, no state dict, or one of another network.
        RuntimeError: the weights cannot be downloaded here.
    """
    state = _state_from_file(network) if network.weights == "file" else _state_from_torchvision(network)
    with torch.device("meta"):  # shapes alone
        *_, head_bias = torchvision.models.get_model(network.name, weights=None).state_dict()
    # The head goes anyway, so a file may have any number of classes.
    n_classes = len(state[head_bias]) if head_bias in state else 1000
    try:
        model: nn.Module = torchvision.models.get_model(network.name, weights=None, num_classes=n_classes)
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{network.weights_file or network.weights}: want weights of {network.name}, got others ({reason}). "
            "Set network.name to the network the weights belong to."
        ) from None
    return model


def _state_from_torchvision(network: Network) -> dict[str, Tensor]:
    weights = published_weights(network)
    try:
        return dict(weights.get_state_dict(progress=True, check_hash=True))
    except (OSError, RuntimeError) as error:
        raise RuntimeError(
            f"params.yaml, network.weights: want {network.weights} of {network.name} downloaded, got {error}. "
            f"Fetch {weights.url} on another machine, put it under models/weights/, set `weights: file`, "
            "weights_file to its path and weights_sha256 to what `sha256sum` prints for it."
        ) from None


def _state_from_file(network: Network) -> dict[str, Tensor]:
    path = Path(network.weights_file or "")
    if not path.is_file():
        raise FileNotFoundError(
            f"params.yaml, network.weights_file: want a file, got none at {path}. Put the state dict there."
        )
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != network.weights_sha256:
        raise ValueError(
            f"params.yaml, network.weights_sha256: want the sha256 of {path}, which is {found}, got "
            f"{network.weights_sha256}. Fetch the file again if it should be the other one."
        )
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
