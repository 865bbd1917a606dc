"""What a tuned network adds to its backbone: a small file, from which the network is made again to the byte."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from graft.files import file_sha256, visible
from graft.networks.networks import Network, state_sha256
from graft.networks.saving import About, network_from, read_saved, save_network, write_saved
from graft.records.common import SHA256_DIGITS
from graft.transfer.tuning.lora import Factors, changed

State = Mapping[str, Tensor]
# ends of the names of LoRA's factors, behind the name of their weights
DOWN, UP = ".lora_down", ".lora_up"


class Delta(NamedTuple):
    """What a tuned network adds to the blocks of its backbone."""

    about: About
    """how to build the tuned network"""
    kind: str
    """tuning that made it: whole, bias, lora or adapters"""
    backbone_sha256: str
    """hash of the backbone's blocks, as on its card"""
    tuned_sha256: str
    """hash of the file of the tuned network"""
    tensors: dict[str, Tensor]
    """parameters and buffers that differ from the backbone's, and all of the head"""
    factors: dict[str, Factors]
    """of LoRA, by the name of the weights that they change"""


def beside(tuned: Path) -> Path:
    """Where finetune_target writes the delta of a tuned network."""
    return tuned.with_suffix(".delta.safetensors")


def delta_of(backbone: Network, tuned: Path, factors: Mapping[str, Factors], kind: str) -> Delta:
    """What a tuned network adds to its backbone.

    Factors stand for their weights where they give them to the last bit; else the weights are kept whole.

    Args:
        backbone: the pretrained network, on the CPU.
        tuned: file of the network that was tuned from it.
        factors: of LoRA, by the name of the weights.
        kind: tuning that made it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is cut short, graft did not write it, or it holds another network.
    """
    (about, state), before = read_saved(tuned), _blocks_of(backbone)
    if "delta" in about:
        raise ValueError(f"{tuned}: want a whole network, got a delta. `graft delta apply` makes the network of it.")
    unlike = [name for name, value in before.items() if name not in state or state[name].shape != value.shape]
    if unlike:
        raise ValueError(
            f"{tuned}: want a network that was tuned from this backbone, got one without its {visible(unlike[0])}. "
            "Name a file of the same network."
        )
    exact = {name: each for name, each in factors.items() if _same(changed(before[name], each), state[name])}
    moved = {
        name: value
        for name, value in state.items()
        if name not in exact and not (name in before and _same(before[name], value))
    }
    return Delta(about, kind, state_sha256(backbone.blocks.values()), file_sha256(tuned), moved, exact)


def applied(backbone: Network, delta: Delta, path: Path) -> str:
    """Make the tuned network again from its backbone, and write it whole or not at all.

    Args:
        backbone: the pretrained network, on the CPU; it is not changed.
        delta: what the tuned network adds to it.
        path: of the file of the tuned network.

    Returns:
        The sha256 of the file; on the machine that wrote the delta, that of the tuned network's.

    Raises:
        ValueError: the delta was made from other weights.
    """
    sha256 = state_sha256(backbone.blocks.values())
    if sha256 != delta.backbone_sha256:
        raise ValueError(
            f"backbone: want the blocks that the delta was made from, {delta.backbone_sha256[:SHA256_DIGITS]}, got "
            f"{sha256[:SHA256_DIGITS]}. Name that backbone, such as the one of the commit that wrote the delta."
        )
    before = _blocks_of(backbone)
    merged = {name: changed(before[name], each) for name, each in delta.factors.items()}
    network = network_from(delta.about)
    network.load_state_dict({**before, **delta.tensors, **merged}, strict=True)
    return save_network(network, delta.about["network"], path)


def write_delta(delta: Delta, path: Path) -> None:
    """Write a delta as safetensors, whole or not at all."""
    down = {name + DOWN: each.down for name, each in delta.factors.items()}
    up = {name + UP: each.up for name, each in delta.factors.items()}
    state = {**delta.tensors, **down, **up}
    about = {
        "delta": 1,
        "kind": delta.kind,
        "tuned": delta.about,
        "backbone_sha256": delta.backbone_sha256,
        "tuned_sha256": delta.tuned_sha256,
        "scales": {name: each.scale for name, each in delta.factors.items()},
        "sha256": _sha256(state),
    }
    write_saved(about, state, path)


def read_delta(path: Path) -> Delta:
    """Read a delta that write_delta wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is cut short or changed, or it is no delta of graft.
    """
    about, state = read_saved(path)
    if about.get("delta") != 1:
        raise ValueError(
            f"{path}: want a delta, got the weights of a whole network. `graft delta write` makes a delta."
        )
    if _sha256(state) != about["sha256"]:
        raise ValueError(f"{path}: want a delta as it was written, got other numbers in it. Copy or make it anew.")
    factors = {name: Factors(state[name + DOWN], state[name + UP], scale) for name, scale in about["scales"].items()}
    tensors = {name: value for name, value in state.items() if not name.endswith((DOWN, UP))}
    return Delta(about["tuned"], about["kind"], about["backbone_sha256"], about["tuned_sha256"], tensors, factors)


def _sha256(state: State) -> str:
    """Hash of all numbers, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(_bytes(state[name]).numpy().tobytes())
    return digest.hexdigest()


def _blocks_of(network: Network) -> dict[str, Tensor]:
    return {name: value for name, value in network.state_dict().items() if not name.startswith("head.")}


def _same(one: Tensor, two: Tensor) -> bool:
    """Whether two tensors of a shape are equal to the last bit, which zeros of both signs are not."""
    return one.dtype == two.dtype and torch.equal(_bytes(one), _bytes(two))


def _bytes(values: Tensor) -> Tensor:
    return values.detach().contiguous().reshape(-1).view(torch.uint8)
