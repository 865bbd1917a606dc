"""Networks as safetensors files that say how to build them again."""

import hashlib
import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save

from graft.files import write_whole
from graft.networks.networks import Network, build_network


def save_network(network: Network, name: str, path: Path) -> str:
    """Write a network's weights as safetensors, whole or not at all; its sha256."""
    metadata = {
        "network": name,
        "n_classes": network.n_classes,
        "size_px": network.size_px,
        "head": network.head_kind,
    }
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    content = save(state, metadata={"graft": json.dumps(metadata)})
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def load_network(path: Path) -> Network:
    """A network that save_network wrote, on the CPU, in evaluation mode.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: want weights, got no file. Run `dvc repro`.")
    with safe_open(path, framework="pt") as file:
        metadata = json.loads(file.metadata()["graft"])
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a dict
    network = build_network(metadata["network"], metadata["n_classes"], metadata["size_px"], metadata["head"])
    network.load_state_dict(state, strict=True)
    return network.eval()
