"""Networks as safetensors files, with what is needed to build them again in their metadata."""

import hashlib
import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save

from graft.files import write_whole
from graft.networks.networks import Network, build_network
from graft.records.common import Preprocessing


def save_network(network: Network, name: str, path: Path) -> str:
    """Write a network as safetensors, whole or not at all; return the sha256 of the file."""
    metadata = {
        "network": name,
        "n_classes": network.n_classes,
        "preprocessing": network.preprocessing.model_dump(mode="json"),
        "head": network.head_kind,
    }
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    content = save(state, metadata={"graft": json.dumps(metadata)})
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def load_network(path: Path) -> Network:
    """Read a network that save_network wrote, on the CPU and in evaluation mode.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file does not hold the network's preprocessing, as those of older versions.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: want weights, got no file. Run `dvc repro`.")
    with safe_open(path, framework="pt") as file:
        metadata = json.loads(file.metadata()["graft"])
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a dict
    if "preprocessing" not in metadata:
        raise ValueError(f"{path}: want weights with their preprocessing, got none in them. Run `dvc repro`.")
    preprocessing = Preprocessing.model_validate_json(json.dumps(metadata["preprocessing"]))
    network = build_network(metadata["network"], metadata["n_classes"], preprocessing, metadata["head"])
    network.load_state_dict(state, strict=True)
    return network.eval()
