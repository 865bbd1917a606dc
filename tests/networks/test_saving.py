import json
from pathlib import Path

import pytest
import torch

from graft.networks.networks import build_network, state_sha256
from graft.networks.saving import load_network, save_network
from graft.params.network import Head

pytestmark = pytest.mark.exact


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_saved_network_comes_back_the_same(tmp_path: Path, head: Head) -> None:
    network = build_network("small_cnn", 3, 32, head).eval()
    save_network(network, "small_cnn", tmp_path / "net.safetensors")
    back = load_network(tmp_path / "net.safetensors")
    assert state_sha256([back]) == state_sha256([network])
    assert (back.n_classes, back.head_kind) == (3, head)
    assert not back.training


def test_network_made_for_one_size_comes_back_for_that_size(tmp_path: Path) -> None:
    save_network(build_network("vit_b_32", 3, 96), "vit_b_32", tmp_path / "net.safetensors")
    back = load_network(tmp_path / "net.safetensors")
    assert back.size_px == 96
    assert back(torch.zeros(1, 3, 96, 96)).shape == (1, 3)


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    network = build_network("small_cnn", 3)
    one = save_network(network, "small_cnn", tmp_path / "a.safetensors")
    two = save_network(network, "small_cnn", tmp_path / "b.safetensors")
    assert one == two
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_absent_weights_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"want weights, got no file\. Run `dvc repro`"):
        load_network(tmp_path / "none.safetensors")


def test_metadata_says_how_to_build_the_network(tmp_path: Path) -> None:
    save_network(build_network("small_cnn", 3, 32, "mlp"), "small_cnn", tmp_path / "net.safetensors")
    content = (tmp_path / "net.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    expected = {"network": "small_cnn", "n_classes": 3, "size_px": 32, "head": "mlp"}
    assert json.loads(header["__metadata__"]["graft"]) == expected
