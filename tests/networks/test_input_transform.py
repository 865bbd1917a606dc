"""A network takes uint8 images and normalises them itself; no other code does."""

import ast
import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.house import ROOT

from graft.networks.input_transform import InputTransform
from graft.networks.networks import Network, build_network
from graft.networks.preprocessing import SMALL_CNN

MEAN, STD = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").glob("*.py")])
# networks.py hands them to the input transform; looks.py judges by them whether pictures look like those of the weights
MAY_NAME_A_MEAN = {"networks/networks.py", "validation/looks.py"}
# these look at pictures for people and for duplicates, and hand nothing to a network
MAY_DIVIDE = {"networks/input_transform.py", "images/fingerprint.py", "validation/splitcheck.py"}


def _network() -> Network:
    torch.manual_seed(0)
    return build_network("small_cnn", 2, SMALL_CNN.model_copy(update={"mean": MEAN, "std": STD})).eval()


def _images() -> torch.Tensor:
    return torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_input_is_value_over_255_less_mean_over_deviation() -> None:
    images = torch.tensor([[0, 128, 255]], dtype=torch.uint8).view(1, 3, 1, 1)
    expected = [(0 / 255 - 0.1) / 0.5, (128 / 255 - 0.2) / 0.6, (255 / 255 - 0.3) / 0.7]
    np.testing.assert_allclose(InputTransform(MEAN, STD)(images).flatten(), expected, rtol=1e-6)


def test_a_network_normalises_by_the_mean_and_deviation_that_it_was_built_with() -> None:
    network, images = _network(), _images()
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    values = (images / 255 - mean) / std
    for block in network.blocks.values():
        values = block(values)
    torch.testing.assert_close(network.features(images), values, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(network(images), network.head(values), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_images_that_are_not_uint8_are_refused(dtype: torch.dtype) -> None:
    with pytest.raises(TypeError, match=r"Network: want uint8 images, got torch\.\w+64|float32"):
        _network()(_images().to(dtype))


def test_the_input_transform_is_no_part_of_the_weights() -> None:
    network = _network()
    assert [name for name in network.state_dict() if "input_transform" in name] == []
    assert not any("input_transform" in name for name, _ in network.named_parameters())


def test_the_input_transform_moves_with_the_network() -> None:
    network = copy.deepcopy(_network()).to("meta")
    assert {each.device.type for each in network.input_transform.buffers()} == {"meta"}


def test_the_input_transform_works_after_an_export() -> None:
    network, images = _network(), _images()
    before = network(images)
    torch.export.export(network, (images,))
    assert torch.equal(network(images), before)


def _relative(file: Path) -> str:
    return str(file.relative_to(ROOT / "src/graft")) if (ROOT / "src") in file.parents else str(file.relative_to(ROOT))


def _divides_by_255(tree: ast.AST) -> bool:
    divisors = [each.right for each in ast.walk(tree) if isinstance(each, ast.BinOp) and isinstance(each.op, ast.Div)]
    return any(isinstance(each, ast.Constant) and each.value == 255 for right in divisors for each in ast.walk(right))


def _names_a_mean(tree: ast.AST) -> bool:
    """Whether the mean or deviation of a preprocessing is read; a call such as `values.mean()` is none."""
    called = {id(each.func) for each in ast.walk(tree) if isinstance(each, ast.Call)}
    attributes = [each for each in ast.walk(tree) if isinstance(each, ast.Attribute) and id(each) not in called]
    return any(
        each.attr in ("mean", "std") and "preproc" in ast.unparse(each.value).lower() for each in attributes
    ) or any(isinstance(each, ast.Constant) and each.value in (0.485, 0.229) for each in ast.walk(tree))


@pytest.mark.parametrize(("breaks", "allowed"), [(_divides_by_255, MAY_DIVIDE), (_names_a_mean, MAY_NAME_A_MEAN)])
def test_no_other_code_normalises(breaks: object, allowed: set[str]) -> None:
    assert callable(breaks)
    found = {_relative(file) for file in SOURCES if breaks(ast.parse(file.read_text()))}
    assert found - allowed == set()


@pytest.mark.parametrize("code", ["x / 255", "x / 255.0", "x * (1 / 255)", "x / (255 * std)", "x / torch.tensor(255)"])
def test_a_division_by_255_is_seen(code: str) -> None:
    assert _divides_by_255(ast.parse(code))


@pytest.mark.parametrize("code", ["(x - preprocessing.mean) / s", "card.preprocessing.std", "m = (0.485, 0.456)"])
def test_a_mean_is_seen(code: str) -> None:
    assert _names_a_mean(ast.parse(code))
