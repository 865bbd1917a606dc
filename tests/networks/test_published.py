import argparse
import hashlib
import io
import pickle
import re
import zipfile
from collections.abc import Mapping
from copy import copy
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save, save_file
from tests.networks.sizes import of_size
from torch import Tensor, nn

from graft.networks.families import head_of
from graft.networks.networks import published_network
from graft.networks.preprocessing import SMALL_CNN, published_weights
from graft.networks.published import Published, load_published
from graft.params.network import NetworkParams

pytestmark = pytest.mark.exact


def _file(path: Path, name: str = "squeezenet1_1", sha256: str | None = None) -> NetworkParams:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    return NetworkParams(name=name, weights="file", weights_file=str(path), weights_sha256=sha256 or found)


@pytest.fixture(scope="module")
def state_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "squeezenet.pth"
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), path)
    return path


def _same_backbone(net: nn.Module, state: Mapping[str, Tensor]) -> bool:
    head, _ = head_of(net)
    own = {key: value for key, value in net.state_dict().items() if not key.startswith(head)}
    return all(torch.equal(value, state[key]) for key, value in own.items())


def _loaded(network: NetworkParams, size_px: int) -> nn.Module:
    return load_published(network, size_px).model


def test_file_with_its_sha256_is_loaded(state_file: Path) -> None:
    state = torch.load(state_file, weights_only=True)
    assert _same_backbone(_loaded(_file(state_file), 224), state)


def test_safetensors_file_is_loaded(state_file: Path, tmp_path: Path) -> None:
    state = torch.load(state_file, weights_only=True)
    save_file(state, tmp_path / "net.safetensors")
    assert _same_backbone(_loaded(_file(tmp_path / "net.safetensors"), 224), state)


def test_a_head_of_any_number_of_classes_comes_with_its_backbone(tmp_path: Path) -> None:
    state = torchvision.models.resnet18(weights=None, num_classes=7).state_dict()
    torch.save(state, tmp_path / "net.pth")
    network, _, source_head = published_network(_file(tmp_path / "net.pth", "resnet18"), 3, SMALL_CNN)
    assert source_head
    assert network.n_classes == 7
    assert torch.equal(network.head.weight, state["fc.weight"])  # type: ignore[arg-type]
    assert torch.equal(network.head.bias, state["fc.bias"])  # type: ignore[arg-type]


def test_a_head_of_squeezenet_is_no_layer_of_features(state_file: Path) -> None:
    network, read_as, source_head = published_network(_file(state_file), 3, SMALL_CNN)
    assert not source_head
    assert network.n_classes == 3
    assert read_as == "the file's head of 1,000 classes left out"


@pytest.mark.parametrize(
    "head",
    [{}, {"fc.weight": torch.ones(7, 9), "fc.bias": torch.ones(7)}, {"fc.weight": torch.ones(7, 512)}],
    ids=["none", "other features", "no bias"],
)
def test_a_head_that_does_not_fit_the_features_is_random_instead(tmp_path: Path, head: dict[str, Tensor]) -> None:
    torch.save({**BACKBONE, **head}, tmp_path / "net.pth")
    network, _, source_head = published_network(_file(tmp_path / "net.pth", "resnet18"), 3, SMALL_CNN)
    assert (source_head, network.n_classes) == (False, 3)


def test_wrong_sha256_is_refused(state_file: Path) -> None:
    with pytest.raises(ValueError, match=r"weights_sha256: want the sha256 of .*, which is [0-9a-f]{64}, got 0000"):
        load_published(_file(state_file, sha256="0" * 64), 224)


def test_weights_of_another_network_are_refused(state_file: Path) -> None:
    with pytest.raises(ValueError, match=r"want weights of resnet18, got others .* Name the network that"):
        load_published(_file(state_file, name="resnet18"), 224)


def test_absent_file_is_refused(tmp_path: Path) -> None:
    network = NetworkParams(name="resnet18", weights="file", weights_file=str(tmp_path / "no"), weights_sha256="0" * 64)
    with pytest.raises(FileNotFoundError, match=r"weights_file: want a file, got none"):
        load_published(network, 224)


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 broken archive"])
def test_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.pth").write_bytes(content)
    with pytest.raises(ValueError, match=r"want a state dict of tensors, got"):
        load_published(_file(tmp_path / "net.pth"), 224)


def test_a_whole_pickled_model_is_not_unpickled(tmp_path: Path) -> None:
    torch.save(torchvision.models.squeezenet1_1(weights=None), tmp_path / "net.pth")
    with pytest.raises(
        ValueError, match=r"got a pickle that wants torchvision\.models\.squeezenet\.SqueezeNet, whose code"
    ):
        load_published(_file(tmp_path / "net.pth"), 224)


def test_tensor_in_place_of_a_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save(torch.zeros(3), tmp_path / "net.pth")
    with pytest.raises(ValueError, match=r"want a state dict of tensors, got a Tensor"):
        load_published(_file(tmp_path / "net.pth"), 224)


def test_unknown_weight_name_is_refused_with_the_choices() -> None:
    network = NetworkParams(name="resnet18", weights="IMAGENET2K", weights_file=None, weights_sha256=None)
    with pytest.raises(
        ValueError, match=r"want pretrain, file or weights of resnet18, got 'IMAGENET2K'.*IMAGENET1K_V1"
    ):
        published_weights(network)


def test_weights_of_features_alone_are_not_among_the_choices() -> None:
    network = NetworkParams(name="vgg16", weights="IMAGENET1K_FEATURES", weights_file=None, weights_sha256=None)
    with pytest.raises(ValueError, match=r"got 'IMAGENET1K_FEATURES'\. Choices: IMAGENET1K_V1\."):
        published_weights(network)


def test_file_with_a_weight_that_is_not_a_number_is_refused(tmp_path: Path) -> None:
    state = torchvision.models.squeezenet1_1(weights=None).state_dict()
    state["features.0.weight"][0, 0, 0, 0] = torch.nan
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(ValueError, match=r"net\.pth: want numbers in all weights, got some that are none"):
        load_published(_file(tmp_path / "net.pth"), 224)


def test_unknown_network_is_refused_before_the_file_is_read() -> None:
    network = NetworkParams(name="resnet19", weights="file", weights_file="nowhere", weights_sha256="0" * 64)
    with pytest.raises(ValueError, match=r"^name: want small_cnn or .*, got 'resnet19'"):
        published_network(network, 3, SMALL_CNN)


def test_weights_that_cannot_be_downloaded_are_refused_with_how_to_use_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", refuse)
    network = NetworkParams(name="resnet18", weights="IMAGENET1K_V1", weights_file=None, weights_sha256=None)
    with pytest.raises(
        RuntimeError, match=r"got no route to host\. Fetch .*resnet18.*weights_sha256 to what `sha256sum`"
    ):
        load_published(network, 224)


def test_weight_name_loads_what_torchvision_delivers(monkeypatch: pytest.MonkeyPatch) -> None:
    state = torchvision.models.resnet18(weights=None).state_dict()
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", lambda *args, **kwargs: state)
    network = NetworkParams(name="resnet18", weights="IMAGENET1K_V1", weights_file=None, weights_sha256=None)
    assert _same_backbone(_loaded(network, 224), state)


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
    network = NetworkParams(
        name=name,
        weights="IMAGENET1K_V1",
        weights_file=None,
        weights_sha256=None,
    )
    reference = torchvision.models.get_model(name, weights="IMAGENET1K_V1")
    assert _same_backbone(_loaded(network, 299), reference.state_dict())


def test_vision_transformer_is_loaded_for_another_size_than_its_own(tmp_path: Path) -> None:
    torch.save(torchvision.models.vit_b_32(weights=None).state_dict(), tmp_path / "net.pth")
    network = published_network(_file(tmp_path / "net.pth", "vit_b_32"), 3, of_size(96)).network
    assert network.preprocessing.crop_px == 96
    assert network.eval()(torch.zeros(1, 3, 96, 96, dtype=torch.uint8)).shape == (1, 1000)


RESNET = torchvision.models.resnet18(weights=None).state_dict()
BACKBONE = {name: value for name, value in RESNET.items() if not name.startswith("fc.")}


def _prefixed(prefix: str, state: Mapping[str, Tensor] = RESNET) -> dict[str, Tensor]:
    return {f"{prefix}{name}": value for name, value in state.items()}


def _resnet(content: object, folder: Path) -> Published:
    torch.save(content, folder / "net.pth")
    return load_published(_file(folder / "net.pth", "resnet18"), 224)


@pytest.mark.parametrize(
    ("content", "read_as"),
    [
        (RESNET, ""),
        (BACKBONE, ""),
        (_prefixed("module."), "prefix `module.` taken off 120 names"),
        (_prefixed("_orig_mod."), "prefix `_orig_mod.` taken off 120 names"),
        (_prefixed("module._orig_mod.model."), "prefix `module._orig_mod.model.` taken off 120 names"),
        ({"state_dict": RESNET, "epoch": 3}, "`state_dict` of the file taken"),
        ({"model": {"state_dict": RESNET}}, "`model.state_dict` of the file taken"),
        (
            {"model_state_dict": _prefixed("module."), "optimizer": {"state": {0: {"step": torch.tensor(1)}}}},
            "`model_state_dict` of the file taken; prefix `module.` taken off 120 names",
        ),
        (
            {"model_ema": {"n_averaged": torch.tensor(3), **_prefixed("module.")}},
            "`model_ema` of the file taken; prefix `module.` taken off 120 names",
        ),
        (
            {"state_dict": {**_prefixed("model."), "criterion.weight": torch.ones(3)}},
            "`state_dict` of the file taken; prefix `model.` taken off 120 names",
        ),
        ({**BACKBONE, "fc.1.weight": torch.ones(7, 512)}, "left out: fc.1.weight"),
        (
            {**BACKBONE, **{f"fc.{n}.{part}": torch.ones(2) for n in (0, 3) for part in ("weight", "bias")}},
            "left out: fc.0.weight, fc.0.bias, fc.3.weight and 1 more",
        ),
        ({**BACKBONE, "head.weight": torch.ones(7, 9), "epoch": 3}, "left out: head.weight"),
    ],
)
def test_files_of_weights_as_people_have_them_are_read_and_changes_are_named(
    content: object, read_as: str, tmp_path: Path
) -> None:
    model, said, _ = _resnet(content, tmp_path)
    assert _same_backbone(model, RESNET)
    assert said == read_as


def test_a_head_of_several_layers_is_left_out_where_the_backbone_has_layers_beside_it(tmp_path: Path) -> None:
    state = torchvision.models.mobilenet_v3_small(weights=None).state_dict()
    torch.save({**state, "classifier.4.weight": torch.ones(3, 1000)}, tmp_path / "net.pth")
    model, said, _ = load_published(_file(tmp_path / "net.pth", "mobilenet_v3_small"), 224)
    assert _same_backbone(model, state)
    assert said == "left out: classifier.4.weight"


@pytest.mark.parametrize("name", ["mnasnet0_5", "densenet121"])
def test_prefixes_are_removed_before_the_names_of_a_family_are_translated(name: str, tmp_path: Path) -> None:
    state = _as_published(name)
    torch.save({"model": _prefixed("module.", state)}, tmp_path / "net.pth")
    reference = torchvision.models.get_model(name, weights=None)
    model = load_published(_file(tmp_path / "net.pth", name), 224).model
    new = {key: value for key, value in model.state_dict().items() if "num_batches" not in key}
    old = {re.sub(r"(denselayer\d+\.\w+)\.([12]\.)", r"\1\2", key): value for key, value in state.items()}
    head, _ = head_of(reference)
    assert [key for key in new if not key.startswith(f"{head}.") and not torch.equal(new[key], old[key])] == []


@pytest.mark.parametrize(
    ("content", "places"),
    [
        ({"model": RESNET, "model_ema": _prefixed("module.")}, r"model and model_ema\.module"),
        ({**_prefixed("student."), **_prefixed("teacher.")}, "student and teacher"),
    ],
)
def test_two_sets_of_weights_are_refused_with_their_names(content: object, places: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"want one set of weights of resnet18, got 2: {places}\. Save the one"):
        _resnet(content, tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            torchvision.models.resnet34(weights=None).state_dict(),
            r"\(also layer1\.2\.conv1.*Name the network that .*: resnet34\.",
        ),
        (
            _prefixed("module.", torchvision.models.resnet50(weights=None).state_dict()),
            r"of shape \(64, 64, 1, 1\), not",
        ),
        ({name: value for name, value in RESNET.items() if name != "bn1.weight"}, r"\(no bn1\.weight\)"),
        ({"patch_embed.proj.weight": torch.ones(1)}, "Their names are those of timm: take weights of torchvision's"),
        ({"vit.embeddings.patch_embeddings.projection.bias": torch.ones(1)}, "names are those of Hugging Face's"),
        ({"optimizer": {"state": {}}}, "want a state dict of tensors, got a dict"),
        ([RESNET], "want a state dict of tensors, got a list"),
        (
            {"args": argparse.Namespace(a=1), "model": RESNET},
            "a pickle that wants argparse.Namespace, whose code graft",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused_with_the_cause(content: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        _resnet(content, tmp_path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def _archive(**files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"net/{name}.pkl", text)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "got an empty file. Fetch it again"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid",
            "got a Git LFS pointer. Fetch the file itself with `git lfs",
        ),
        (b"\n<!DOCTYPE html><html>", "got a web page. Download the file itself"),
        (b'{"metadata": {}, "weight_map": {}}', "got a JSON file. Name the file"),
        (b"\x89HDF\r\n\x1a\n", "got an HDF5 file"),
        (b"\x1f\x8b\x08", "got a gzip archive. Unpack it"),
        (_archive(data="x")[:40], "got an archive that is cut short. Fetch it again"),
        (_archive(constants="x", data="x"), "got a TorchScript program"),
        (_archive(other="x"), "got an archive of other files. Unpack it"),
        (save(RESNET)[:5000], "got a safetensors file that cannot be read"),
        (pickle.dumps(RESNET["fc.bias"].tolist())[:50], "got a file that torch cannot read"),
    ],
    ids=lambda given: given if isinstance(given, str) else "file",  # an archive's bytes hold the time of day
)
def test_a_file_without_weights_is_refused_with_what_it_is(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(content)
    with pytest.raises(ValueError, match=rf"net\.pth: want a state dict of tensors, {said}"):
        load_published(_file(tmp_path / "net.pth", "resnet18"), 224)


@pytest.mark.parametrize("name", ["net.pth", "net.bin", "net"])
def test_safetensors_are_recognised_by_their_content(name: str, tmp_path: Path) -> None:
    save_file(RESNET, tmp_path / name)
    assert _same_backbone(_loaded(_file(tmp_path / name, "resnet18"), 224), RESNET)


def test_a_tilde_stands_for_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(RESNET, tmp_path / "net.pth")
    network = _file(tmp_path / "net.pth", "resnet18").model_copy(update={"weights_file": "~/net.pth"})
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _same_backbone(_loaded(network, 224), RESNET)


def test_a_file_from_before_batchnorm_counted_its_batches_is_loaded(tmp_path: Path) -> None:
    state = torchvision.models.resnet18(weights=None).state_dict()
    for name in [name for name in state if name.endswith("num_batches_tracked")]:
        del state[name]
    torch.save(state, tmp_path / "net.pth")
    model = _loaded(_file(tmp_path / "net.pth", "resnet18"), 224)
    assert torch.equal(model.get_parameter("conv1.weight"), state["conv1.weight"])
    assert int(model.get_buffer("bn1.num_batches_tracked")) == 0
