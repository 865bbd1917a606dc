import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torchvision
from tests.house import ROOT
from tests.networks.sizes import of_size

from graft.commands.check_params import check_ahead
from graft.export.to_onnx import MOST_BYTES_INSIDE
from graft.networks.families import networks
from graft.networks.networks import build_network, outline
from graft.networks.preprocessing import SMALL_CNN
from graft.params.pipeline import Params, read_params

pytestmark = pytest.mark.exact

PARAMS = read_params(ROOT / "params.yaml")


def _params(**sections: dict[str, Any]) -> Params:
    values = PARAMS.model_dump()
    for name, section in sections.items():
        values[name].update(section)
    return Params.model_validate(values)


def _resnet18(folder: Path, content: object) -> dict[str, Any]:
    path = folder / "net.pth"
    torch.save(content, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"name": "resnet18", "weights": "file", "weights_file": str(path), "weights_sha256": sha256}


def test_params_that_can_be_run_are_met_by_silence(tmp_path: Path) -> None:
    assert check_ahead(PARAMS, tmp_path) == []


def test_what_is_left_out_of_a_file_of_weights_is_said(tmp_path: Path) -> None:
    state = {f"module.{name}": value for name, value in torchvision.models.resnet18().state_dict().items()}
    (line,) = check_ahead(_params(network=_resnet18(tmp_path, {"model": state})), tmp_path)
    assert line == f"{tmp_path}/net.pth: `model` of the file taken; prefix `module.` taken off 120 names."


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        (
            {"network": {"name": "resnet19"}},
            "params.yaml, network.name: want small_cnn or a torchvision classification network",
        ),
        (
            {"network": {"name": "resnet18", "weights": "IMAGENET2K"}},
            "params.yaml, network.weights: want pretrain, file or weights",
        ),
        (
            {"network": {"name": "vit_b_16"}, "images": {"size_px": 100}},
            "params.yaml, images.size_px: want a size that vit_b_16",
        ),
        (
            {
                "network": {"name": "resnet18"},
                "select_strategy": {"overrule": "surgical"},
                "finetune_target": {"surgical_blocks": ("layer5",)},
            },
            "got layer5. Choose of stem, layer1, layer2, layer3, layer4.",
        ),
        (
            {"network": {"name": "alexnet"}, "images": {"size_px": None}, "select_strategy": {"overrule": "norms"}},
            "select_strategy.overrule: want a network with normalisation layers for norms, got alexnet",
        ),
        (
            {"finetune_target": {"tuning": {"kind": "lora", "rank": 300, "alpha": 1.0}}},
            "params.yaml, finetune_target.tuning.rank: want at most 128, as blocks.block4.0 allows, got 300. Lower it.",
        ),
        (
            {
                "select_strategy": {"overrule": "surgical"},
                "finetune_target": {
                    "surgical_blocks": ("block1",),
                    "tuning": {"kind": "lora", "rank": 2, "alpha": 1.0},
                    "views": 4,
                },
            },
            "params.yaml, finetune_target.views: want null where surgical trains the lowest block of small_cnn, got 4",
        ),
        (
            {"select_strategy": {"overrule": "norms"}, "finetune_target": {"views": 4}},
            "params.yaml, finetune_target.views: want null where norms trains the lowest block of small_cnn, got 4",
        ),
        (
            {"select_strategy": {"overrule": "top_blocks"}, "finetune_target": {"views": 4, "top_blocks": 4}},
            "params.yaml, finetune_target.views: want null where top_blocks trains the lowest block",
        ),
        (
            {
                "network": {"name": "vit_b_16"},
                "images": {"size_px": None},
                "finetune_target": {"batchnorm": "adapt"},
            },
            "finetune_target.batchnorm: want null with vit_b_16, which does not have BatchNorm layers, got adapt",
        ),
        (
            {"finetune_target": {"tuning": {"kind": "lora", "rank": 999, "alpha": 1.0}}},
            "finetune_target.tuning.rank: want at most 128, as blocks.block4.0 allows, got 999.",
        ),
        (
            {"finetune_target": {"adapting": {"kind": "dan", "strength": 1.0, "blocks": ("block4", "layer9")}}},
            "finetune_target.adapting.blocks: want blocks of the network, got layer9. Choose of block1",
        ),
        (
            {
                "network": {"name": "vgg11"},
                "images": {"size_px": 64},
                "select_strategy": {"overrule": "surgical"},
                "finetune_target": {"surgical_blocks": ("stem",), "views": 2, "tuning": "bias"},
            },
            "finetune_target.views: want null where surgical trains the lowest block of vgg11, got 2",
        ),
    ],
)
def test_what_a_late_stage_would_refuse_is_refused_at_once(sections: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="want") as caught:
        check_ahead(_params(**sections), tmp_path)
    assert said in str(caught.value)


def test_weights_that_do_not_fit_are_refused_at_once(tmp_path: Path) -> None:
    network = _resnet18(tmp_path, torchvision.models.squeezenet1_1().state_dict())
    with pytest.raises(ValueError, match="want weights of resnet18, got others"):
        check_ahead(_params(network=network), tmp_path)


def test_a_disk_that_is_too_full_for_all_weights_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n_bytes = sum(value.nbytes for value in build_network("small_cnn", 2, SMALL_CNN).state_dict().values())
    n_seeds = PARAMS.training.n_seeds
    want = 2 * n_seeds * n_bytes
    for free, n_lines in ((want, 0), (want - 1, 1)):
        monkeypatch.setattr("shutil.disk_usage", lambda folder, free=free: SimpleNamespace(free=free))
        lines = check_ahead(PARAMS, tmp_path)
        assert len(lines) == n_lines
    assert f"GiB for the weights of {n_seeds} seeds in both arms, got 0.0 GiB free. Make room" in lines[0]


@pytest.mark.parametrize("name", ["small_cnn", "resnet18", "regnet_y_400mf", "vit_b_32", "squeezenet1_1"])
def test_an_outline_has_the_names_and_shapes_of_the_network_and_no_numbers(name: str) -> None:
    size = of_size(32 if name == "small_cnn" else 64)
    shapes, real = outline(name, size).state_dict(), build_network(name, 2, size).state_dict()
    assert {key: value.shape for key, value in shapes.items()} == {key: value.shape for key, value in real.items()}
    assert {value.device.type for key, value in shapes.items() if "num_batches" not in key} == {"meta"}


def test_two_networks_of_torchvision_are_too_large_for_one_onnx_file() -> None:
    large = [name for name in networks() if name.startswith(("vit", "regnet_y_1", "convnext_l", "vgg19"))]
    sizes = {name: sum(value.nbytes for value in outline(name, of_size(224)).state_dict().values()) for name in large}
    assert {name for name, n in sizes.items() if n > MOST_BYTES_INSIDE} == {"vit_h_14", "regnet_y_128gf"}
    assert {name for name, n in sizes.items() if n > 2**31} == {"vit_h_14", "regnet_y_128gf"}
