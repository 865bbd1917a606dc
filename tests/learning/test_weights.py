import hashlib
import re
from collections.abc import Mapping
from copy import copy
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from graft.learning.families import head_of
from graft.learning.networks import published_network
from graft.learning.weights import load_published, published_weights
from graft.params import Network


def _file(path: Path, name: str = "squeezenet1_1", sha256: str | None = None) -> Network:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    return Network(name=name, weights="file", weights_file=str(path), weights_sha256=sha256 or found, head="linear")


@pytest.fixture(scope="module")
def state_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "squeezenet.pth"
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), path)
    return path


def _same_backbone(net: nn.Module, state: Mapping[str, Tensor]) -> bool:
    head, _ = head_of(net)
    own = {key: value for key, value in net.state_dict().items() if not key.startswith(head)}
    return all(torch.equal(value, state[key]) for key, value in own.items())


def test_file_with_its_sha256_is_loaded(state_file: Path) -> None:
    state = torch.load(state_file, weights_only=True)
    assert _same_backbone(load_published(_file(state_file), 224), state)


def test_safetensors_file_is_loaded(state_file: Path, tmp_path: Path) -> None:
    state = torch.load(state_file, weights_only=True)
    save_file(state, tmp_path / "net.safetensors")
    assert _same_backbone(load_published(_file(tmp_path / "net.safetensors"), 224), state)


def test_file_with_another_number_of_classes_gives_its_backbone(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18(weights=None, num_classes=7).state_dict(), tmp_path / "net.pth")
    assert published_network(_file(tmp_path / "net.pth", "resnet18"), 3).n_classes == 3


def test_wrong_sha256_is_refused(state_file: Path) -> None:
    with pytest.raises(ValueError, match=r"weights_sha256: want the sha256 of .*, which is [0-9a-f]{64}, got 0000"):
        load_published(_file(state_file, sha256="0" * 64), 224)


def test_weights_of_another_network_are_refused(state_file: Path) -> None:
    with pytest.raises(ValueError, match=r"want weights of resnet18, got others .* Set network\.name"):
        load_published(_file(state_file, name="resnet18"), 224)


def test_absent_file_is_refused(tmp_path: Path) -> None:
    network = Network(
        name="resnet18", weights="file", weights_file=str(tmp_path / "no"), weights_sha256="0" * 64, head="linear"
    )
    with pytest.raises(FileNotFoundError, match=r"weights_file: want a file, got none"):
        load_published(network, 224)


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 broken archive"])
def test_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.pth").write_bytes(content)
    with pytest.raises(ValueError, match=r"want a state dict of tensors, got"):
        load_published(_file(tmp_path / "net.pth"), 224)


def test_a_whole_pickled_model_is_not_unpickled(tmp_path: Path) -> None:
    torch.save(torchvision.models.squeezenet1_1(weights=None), tmp_path / "net.pth")
    with pytest.raises(ValueError, match=r"want a state dict of tensors, got UnpicklingError"):
        load_published(_file(tmp_path / "net.pth"), 224)


def test_tensor_in_place_of_a_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save(torch.zeros(3), tmp_path / "net.pth")
    with pytest.raises(ValueError, match=r"want a state dict of tensors, got a Tensor"):
        load_published(_file(tmp_path / "net.pth"), 224)


def test_unknown_weight_name_is_refused_with_the_choices() -> None:
    network = Network(name="resnet18", weights="IMAGENET2K", weights_file=None, weights_sha256=None, head="linear")
    with pytest.raises(
        ValueError, match=r"want pretrain, file or weights of resnet18, got 'IMAGENET2K'.*IMAGENET1K_V1"
    ):
        published_weights(network)


def test_weights_of_features_alone_are_no_choice() -> None:
    network = Network(
        name="vgg16", weights="IMAGENET1K_FEATURES", weights_file=None, weights_sha256=None, head="linear"
    )
    with pytest.raises(ValueError, match=r"got 'IMAGENET1K_FEATURES'\. Choices: IMAGENET1K_V1\."):
        published_weights(network)


def test_file_with_a_weight_that_is_no_number_is_refused(tmp_path: Path) -> None:
    state = torchvision.models.squeezenet1_1(weights=None).state_dict()
    state["features.0.weight"][0, 0, 0, 0] = torch.nan
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(ValueError, match=r"net\.pth: want numbers in all weights, got some that are none"):
        load_published(_file(tmp_path / "net.pth"), 224)


def test_unknown_network_is_refused_before_the_file_is_read() -> None:
    network = Network(name="resnet19", weights="file", weights_file="nowhere", weights_sha256="0" * 64, head="linear")
    with pytest.raises(ValueError, match=r"network\.name: want small_cnn or .*, got 'resnet19'"):
        published_network(network, 3)


def test_name_that_cannot_be_downloaded_shows_the_way_by_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", refuse)
    network = Network(name="resnet18", weights="IMAGENET1K_V1", weights_file=None, weights_sha256=None, head="linear")
    with pytest.raises(
        RuntimeError, match=r"got no route to host\. Fetch .*resnet18.*weights_sha256 to what `sha256sum`"
    ):
        load_published(network, 224)


def test_weight_name_loads_what_torchvision_delivers(monkeypatch: pytest.MonkeyPatch) -> None:
    state = torchvision.models.resnet18(weights=None).state_dict()
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", lambda *args, **kwargs: state)
    network = Network(name="resnet18", weights="IMAGENET1K_V1", weights_file=None, weights_sha256=None, head="linear")
    assert _same_backbone(load_published(network, 224), state)


def _as_published(name: str) -> dict[str, Tensor]:
    """With auxiliary heads, with the version that MNASNet asks for, with DenseNet's names of old."""
    auxiliary = {"aux_logits": True, "init_weights": True} if name in ("googlenet", "inception_v3") else {}
    state: dict[str, Tensor] = torchvision.models.get_model(name, weights=None, **auxiliary).state_dict()
    if name != "densenet121":
        return state
    old = {re.sub(r"(denselayer\d+\.\w+)([12]\.)", r"\1.\2", key): value for key, value in state.items()}
    return {key: value for key, value in old.items() if "num_batches" not in key}


@pytest.mark.parametrize("name", ["googlenet", "inception_v3", "mnasnet0_5", "densenet121"])
def test_networks_that_torchvision_treats_apart_are_loaded_by_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    state = _as_published(name)
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", lambda *args, **kwargs: copy(state))
    network = Network(name=name, weights="IMAGENET1K_V1", weights_file=None, weights_sha256=None, head="linear")
    reference = torchvision.models.get_model(name, weights="IMAGENET1K_V1")
    assert _same_backbone(load_published(network, 299), reference.state_dict())


def test_vision_transformer_is_loaded_for_another_size_than_its_own(tmp_path: Path) -> None:
    torch.save(torchvision.models.vit_b_32(weights=None).state_dict(), tmp_path / "net.pth")
    network = published_network(_file(tmp_path / "net.pth", "vit_b_32"), 3, 96)
    assert network.size_px == 96
    assert network.eval()(torch.zeros(1, 3, 96, 96)).shape == (1, 3)
