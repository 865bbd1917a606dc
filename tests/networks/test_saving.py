import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.networks.sizes import of_size

from graft.networks.networks import build_network, state_sha256
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.saving import load_network, save_network
from graft.params.network import Head

pytestmark = pytest.mark.exact


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_saved_network_comes_back_the_same(tmp_path: Path, head: Head) -> None:
    network = build_network("small_cnn", 3, SMALL_CNN, head).eval()
    save_network(network, "small_cnn", tmp_path / "net.safetensors")
    back = load_network(tmp_path / "net.safetensors")
    assert state_sha256([back]) == state_sha256([network])
    assert (back.n_classes, back.head_kind) == (3, head)
    assert not back.training


def test_network_made_for_one_size_comes_back_for_that_size(tmp_path: Path) -> None:
    save_network(build_network("vit_b_32", 3, of_size(96)), "vit_b_32", tmp_path / "net.safetensors")
    back = load_network(tmp_path / "net.safetensors")
    assert back.preprocessing.crop_px == 96
    assert back(torch.zeros(1, 3, 96, 96, dtype=torch.uint8)).shape == (1, 3)


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    network = build_network("small_cnn", 3, SMALL_CNN)
    one = save_network(network, "small_cnn", tmp_path / "a.safetensors")
    two = save_network(network, "small_cnn", tmp_path / "b.safetensors")
    assert one == two
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_absent_weights_are_refused_with_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"want weights, got no file\. Run `dvc repro`"):
        load_network(tmp_path / "none.safetensors")


def test_metadata_says_how_to_build_the_network(tmp_path: Path) -> None:
    save_network(build_network("small_cnn", 3, SMALL_CNN, "mlp"), "small_cnn", tmp_path / "net.safetensors")
    content = (tmp_path / "net.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    expected: dict[str, object] = {"network": "small_cnn", "n_classes": 3, "head": "mlp"}
    expected["preprocessing"] = json.loads(SMALL_CNN.model_dump_json())
    assert json.loads(header["__metadata__"]["graft"]) == expected


def test_a_saved_network_comes_back_with_its_input_transform(tmp_path: Path) -> None:
    grey = SMALL_CNN.model_copy(update={"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7)})
    network = build_network("small_cnn", 3, grey).eval()
    save_network(network, "small_cnn", tmp_path / "net.safetensors")
    back = load_network(tmp_path / "net.safetensors")
    images = torch.full((1, 3, 32, 32), 7, dtype=torch.uint8)
    assert torch.equal(back.input_transform(images), network.input_transform(images))
    assert back.preprocessing == grey


def test_weights_without_preprocessing_are_refused_with_one_sentence(tmp_path: Path) -> None:
    metadata = {"graft": json.dumps({"network": "small_cnn", "n_classes": 3, "size_px": 32, "head": "linear"})}
    save_file(build_network("small_cnn", 3, SMALL_CNN).state_dict(), tmp_path / "net.safetensors", metadata)
    with pytest.raises(ValueError, match=r"want weights with their preprocessing, got none in them\. Run `dvc repro`"):
        load_network(tmp_path / "net.safetensors")
