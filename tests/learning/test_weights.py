import hashlib
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from graft.learning.networks import published_network
from graft.learning.weights import load_published, published_weights
from graft.params import Network


def _file(path: Path, name: str = "squeezenet1_1", sha256: str | None = None) -> Network:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    return Network(name=name, weights="file", weights_file=str(path), weights_sha256=sha256 or found)


@pytest.fixture(scope="module")
def state_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "squeezenet.pth"
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), path)
    return path


def test_file_with_its_sha256_is_loaded(state_file: Path) -> None:
    state = torch.load(state_file, weights_only=True)
    loaded = load_published(_file(state_file)).state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in state.items())


def test_safetensors_file_is_loaded(state_file: Path, tmp_path: Path) -> None:
    state = torch.load(state_file, weights_only=True)
    save_file(state, tmp_path / "net.safetensors")
    loaded = load_published(_file(tmp_path / "net.safetensors")).state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in state.items())


def test_file_with_another_number_of_classes_gives_its_backbone(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18(weights=None, num_classes=7).state_dict(), tmp_path / "net.pth")
    assert published_network(_file(tmp_path / "net.pth", "resnet18"), 3).head.out_features == 3


def test_wrong_sha256_is_refused(state_file: Path) -> None:
    with pytest.raises(ValueError, match=r"weights_sha256: want the sha256 of .*, which is [0-9a-f]{64}, got 0000"):
        load_published(_file(state_file, sha256="0" * 64))


def test_weights_of_another_network_are_refused(state_file: Path) -> None:
    with pytest.raises(ValueError, match=r"want weights of resnet18, got others .* Set network\.name"):
        load_published(_file(state_file, name="resnet18"))


def test_absent_file_is_refused(tmp_path: Path) -> None:
    network = Network(name="resnet18", weights="file", weights_file=str(tmp_path / "no"), weights_sha256="0" * 64)
    with pytest.raises(FileNotFoundError, match=r"weights_file: want a file, got none"):
        load_published(network)


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 broken archive"])
def test_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.pth").write_bytes(content)
    with pytest.raises(ValueError, match=r"want a state dict of tensors, got"):
        load_published(_file(tmp_path / "net.pth"))


def test_a_whole_pickled_model_is_not_unpickled(tmp_path: Path) -> None:
    torch.save(torchvision.models.squeezenet1_1(weights=None), tmp_path / "net.pth")
    with pytest.raises(ValueError, match=r"want a state dict of tensors, got UnpicklingError"):
        load_published(_file(tmp_path / "net.pth"))


def test_tensor_in_place_of_a_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save(torch.zeros(3), tmp_path / "net.pth")
    with pytest.raises(ValueError, match=r"want a state dict of tensors, got a Tensor"):
        load_published(_file(tmp_path / "net.pth"))


def test_unknown_weight_name_is_refused_with_the_choices() -> None:
    network = Network(name="resnet18", weights="IMAGENET2K", weights_file=None, weights_sha256=None)
    with pytest.raises(
        ValueError, match=r"want pretrain, file or weights of resnet18, got 'IMAGENET2K'.*IMAGENET1K_V1"
    ):
        published_weights(network)


def test_unknown_network_is_refused_before_the_file_is_read() -> None:
    network = Network(name="resnet19", weights="file", weights_file="nowhere", weights_sha256="0" * 64)
    with pytest.raises(ValueError, match=r"network\.name: want small_cnn or .*, got 'resnet19'"):
        published_network(network, 3)


def test_small_cnn_has_no_published_weights() -> None:
    network = Network(name="small_cnn", weights="IMAGENET1K_V1", weights_file=None, weights_sha256=None)
    with pytest.raises(ValueError, match=r"want pretrain with small_cnn, got 'IMAGENET1K_V1'"):
        published_network(network, 3)


def test_name_that_cannot_be_downloaded_shows_the_way_by_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", refuse)
    network = Network(name="resnet18", weights="IMAGENET1K_V1", weights_file=None, weights_sha256=None)
    with pytest.raises(
        RuntimeError, match=r"got no route to host\. Fetch .*resnet18.*weights_sha256 to what `sha256sum`"
    ):
        load_published(network)


def test_weight_name_loads_what_torchvision_delivers(monkeypatch: pytest.MonkeyPatch) -> None:
    state = torchvision.models.resnet18(weights=None).state_dict()
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", lambda *args, **kwargs: state)
    network = Network(name="resnet18", weights="IMAGENET1K_V1", weights_file=None, weights_sha256=None)
    loaded = load_published(network).state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in state.items())
