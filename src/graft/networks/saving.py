"""Networks as safetensors files, with what is needed to build them again in their metadata."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from graft.files import write_whole
from graft.networks.adapters import Shape, adapters_in, add_adapters
from graft.networks.networks import Network, build_network
from graft.records.common import Preprocessing

# JSON object that says how to build a network
About = dict[str, Any]


class Saved(NamedTuple):
    """A file of graft, as it was read."""

    about: About
    """its metadata"""
    state: dict[str, Tensor]
    """its tensors by name, on the CPU"""


def about_network(network: Network, name: str) -> About:
    """What is needed to build the network again, without its weights."""
    about: About = {
        "network": name,
        "n_classes": network.n_classes,
        "preprocessing": network.preprocessing.model_dump(mode="json"),
        "head": network.head_kind,
    }
    adapters = adapters_in(network)
    return {**about, "adapters": {block: shape._asdict() for block, shape in adapters.items()}} if adapters else about


def save_network(network: Network, name: str, path: Path) -> str:
    """Write a network as safetensors, whole or not at all; return the sha256 of the file."""
    return write_saved(about_network(network, name), network.state_dict(), path)


def write_saved(about: About, state: Mapping[str, Tensor], path: Path) -> str:
    """Write tensors and metadata as safetensors, whole or not at all; return the sha256 of the file."""
    tensors = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    content = save(tensors, metadata={"graft": json.dumps(about)})
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def read_saved(path: Path) -> Saved:
    """Read a file that write_saved wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is cut short, or graft did not write it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: want weights, got no file. Run `dvc repro`.")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("graft", "null"))
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a dict
    except SafetensorError as error:
        raise ValueError(
            f"{path}: want weights that graft wrote, got a damaged file ({error}). Make it anew."
        ) from None
    if not isinstance(about, dict):
        raise ValueError(f"{path}: want weights that graft wrote, got none of its metadata. Name such a file.")
    return Saved(about, state)


def network_from(about: About) -> Network:
    """Randomly initialised network of this description."""
    preprocessing = Preprocessing.model_validate_json(json.dumps(about["preprocessing"]))
    network = build_network(about["network"], about["n_classes"], preprocessing, about["head"])
    add_adapters(network, {block: Shape(**shape) for block, shape in about.get("adapters", {}).items()})
    return network


def load_network(path: Path) -> Network:
    """Read a network that save_network wrote, on the CPU and in evaluation mode.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file does not hold the network's preprocessing, as those of older versions, is cut short, or
            graft did not write it.
    """
    about, state = read_saved(path)
    if "preprocessing" not in about:
        raise ValueError(f"{path}: want weights with their preprocessing, got none in them. Run `dvc repro`.")
    network = network_from(about)
    network.load_state_dict(state, strict=True)
    return network.eval()
