import json
from pathlib import Path

import pytest
import torch
import torchvision

from graft.learning.networks import (
    build_network,
    from_torchvision,
    load_network,
    save_network,
    state_sha256,
    with_new_head,
)

FAMILY_MEMBERS = (
    "resnet18",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "convnext_tiny",
    "squeezenet1_1",
    "densenet121",
    "regnet_y_400mf",
    "shufflenet_v2_x0_5",
)


@pytest.mark.parametrize("name", FAMILY_MEMBERS)
def test_features_are_what_the_torchvision_head_would_see(name: str) -> None:
    model = torchvision.models.get_model(name, weights=None).eval()
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    seen = []
    heads = [each for each in model.modules() if isinstance(each, torch.nn.Linear | torch.nn.Conv2d)]
    heads[-1].register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    with torch.no_grad():
        model(images)
        features = from_torchvision(model, name, 5).eval().features(images)
    expected = seen[0].mean(dim=(2, 3)) if seen[0].ndim == 4 else seen[0]  # squeezenet's head is a convolution
    torch.testing.assert_close(features, expected)


@pytest.mark.parametrize("name", FAMILY_MEMBERS)
def test_blocks_hold_every_parameter_of_the_backbone_once(name: str) -> None:
    model = torchvision.models.get_model(name, weights=None)
    before = {id(each) for each in model.parameters()}
    blocks = from_torchvision(model, name, 5).blocks
    held = [id(each) for block in blocks.values() for each in block.parameters()]
    assert len(held) == len(set(held))
    assert set(held) <= before
    assert len(before) - len(held) == 2  # weight and bias of the old head
    assert all(any(True for _ in block.parameters()) for block in blocks.values())


def test_small_cnn_gives_one_logit_a_class() -> None:
    assert build_network("small_cnn", 7)(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_unknown_network_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match=r"network\.name: want small_cnn or .*, got 'resnet19'.*resnet18"):
        build_network("resnet19", 5)


def test_unsupported_family_is_refused_with_the_families() -> None:
    with pytest.raises(ValueError, match=r"want small_cnn or a network of the families ResNet.*AlexNet"):
        build_network("alexnet", 5)


def test_saved_network_comes_back_the_same(tmp_path: Path) -> None:
    network = build_network("small_cnn", 3).eval()
    save_network(network, "small_cnn", tmp_path / "net.safetensors")
    back = load_network(tmp_path / "net.safetensors")
    assert state_sha256([back]) == state_sha256([network])
    assert not back.training


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    network = build_network("small_cnn", 3)
    one = save_network(network, "small_cnn", tmp_path / "a.safetensors")
    two = save_network(network, "small_cnn", tmp_path / "b.safetensors")
    assert one == two
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_absent_weights_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"want weights, got no file\. Run `dvc repro`"):
        load_network(tmp_path / "none.safetensors")


def test_new_head_keeps_the_blocks() -> None:
    network = build_network("small_cnn", 3)
    before = state_sha256(network.blocks.values())
    assert with_new_head(network, 9).head.out_features == 9
    assert state_sha256(network.blocks.values()) == before


def test_hash_of_state_sees_buffers() -> None:
    network = build_network("small_cnn", 3)
    before = state_sha256(network.blocks.values())
    network.train()
    network(torch.randn(4, 3, 32, 32))  # moves the running statistics of BatchNorm, no parameter
    assert state_sha256(network.blocks.values()) != before


def test_metadata_names_the_network(tmp_path: Path) -> None:
    save_network(build_network("small_cnn", 3), "small_cnn", tmp_path / "net.safetensors")
    content = (tmp_path / "net.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert json.loads(header["__metadata__"]["graft"]) == {"network": "small_cnn", "n_classes": "3"}
