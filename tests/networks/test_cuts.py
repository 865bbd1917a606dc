"""Every classification network of torchvision, cut into blocks: each tensor in one block, and the same outputs."""

from copy import copy
from typing import Any

import pytest
import torch
import torchvision
from tests.networks.sizes import of_size
from torch import Tensor, nn
from torchvision.models.regnet import BlockParams

from graft.networks.cuts import GridMeans
from graft.networks.families import head_of, torchvision_network
from graft.networks.networks import Network, from_torchvision, pooled, published_network
from graft.networks.preprocessing import SMALL_CNN
from graft.params.network import NetworkParams

EVERY = torchvision.models.list_models(module=torchvision.models)

# the smallest member of each family, and of those parts of a family that are built of other layers; side of images
SMALLEST = {
    "alexnet": 64,
    "convnext_tiny": 64,
    "densenet121": 64,
    "efficientnet_b0": 64,
    "googlenet": 64,
    "inception_v3": 80,
    "maxvit_t": 224,
    "mnasnet0_5": 64,
    "mobilenet_v2": 64,
    "mobilenet_v3_small": 64,
    "regnet_x_400mf": 64,
    "resnet18": 64,
    "shufflenet_v2_x0_5": 64,
    "squeezenet1_1": 64,
    "swin_t": 72,
    "swin_v2_t": 72,
    "vgg11": 64,
    "vit_b_32": 64,
}


@pytest.fixture(autouse=True)
def regnets_widths_are_real_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """RegNet's builder computes its widths with tensors, which need values even where the weights have none."""
    original = BlockParams.from_init_params

    def on_cpu(**kwargs: Any) -> Any:
        with torch.device("cpu"):
            return original(**kwargs)

    monkeypatch.setattr(BlockParams, "from_init_params", on_cpu)


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


@pytest.mark.parametrize("name", EVERY)
def test_blocks_are_a_partition_of_the_backbone(name: str) -> None:
    with torch.device("meta"):  # shapes alone: the largest has 0.6 thousand million weights
        model = torchvision_network(name, 224)
        blocks = from_torchvision(model, name, 5, SMALL_CNN).blocks
    names = {id(each): name for name, each in (*model.named_parameters(), *model.named_buffers())}
    held = [names[id(each)] for block in blocks.values() for each in _tensors(block)]
    of_head = [names[id(each)] for each in _tensors(head_of(model)[1])]
    assert sorted([*held, *of_head]) == sorted(names.values())
    assert all(any(True for _ in block.parameters()) for block in blocks.values())


def _model(name: str) -> nn.Module:
    """The network in float64, with BatchNorm statistics and a head that let its outputs spread."""
    torch.manual_seed(0)
    model = torchvision_network(name, SMALLEST[name]).double()
    nn.init.normal_(head_of(model)[1].weight)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0
    with torch.no_grad():
        model.train()(_images(name))
    return model.eval()


def _images(name: str) -> Tensor:
    size = SMALLEST[name]
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4 if size < 200 else 2, 3, size, size, generator=generator, dtype=torch.float64)


def _logits_under_the_old_head(network: Network, model: nn.Module, images: Tensor) -> Tensor:
    _, head = head_of(model)
    if isinstance(head, nn.Linear):
        logits: Tensor = head(nn.Sequential(*network.blocks.values())(images))
        return logits
    *lower, top = network.blocks.values()  # SqueezeNet's head is a convolution and pools after it
    classified: Tensor = model.get_submodule("classifier")(nn.Sequential(*lower, *list(top.children())[:-2])(images))
    return classified.flatten(1)


@pytest.mark.parametrize("name", SMALLEST)
def test_blocks_compute_what_torchvision_computes(name: str) -> None:
    model, images = _model(name), _images(name)
    with torch.no_grad():
        expected = model(images)
        found = _logits_under_the_old_head(from_torchvision(model, name, 5, SMALL_CNN).eval(), model, images)
    spread = float(expected.std(dim=0).mean())
    assert spread > 1e-2  # images that are all alike to the network would prove nothing
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12 * spread)


@pytest.mark.parametrize("name", [name for name in SMALLEST if name != "squeezenet1_1"])
def test_a_published_network_gives_the_logits_that_torchvision_gives(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under its own input transform and the published head."""
    # weights are read in float32
    model, size = _model(name).float().double(), SMALLEST[name]
    pixels, state = torch.randint(0, 256, (4, 3, size, size), dtype=torch.uint8), model.state_dict()
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", lambda *args, **kwargs: copy(state))
    params = NetworkParams(name=name, weights="IMAGENET1K_V1", weights_file=None, weights_sha256=None)
    network, _, source_head = published_network(params, 2, of_size(size))
    assert source_head
    network = network.double().eval()
    with torch.no_grad():
        expected, found = model(network.input_transform(pixels)), network(pixels)
    spread = float(expected.std(dim=0).mean())
    assert spread > 1e-2
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12 * spread)


def test_every_class_of_torchvision_is_among_the_smallest() -> None:
    def classes(names: Any) -> set[str]:
        return {torchvision.models.get_model_builder(name).__annotations__["return"].__name__ for name in names}

    assert classes(SMALLEST) == classes(EVERY)


@pytest.mark.parametrize("name", ["resnet18", "swin_t", "swin_v2_t", "vit_b_32", "vgg11"])
def test_every_block_ends_in_channels_that_pooled_can_reduce(name: str) -> None:
    size = SMALLEST[name]
    with torch.device("meta"), torch.no_grad():
        network = from_torchvision(torchvision_network(name, size), name, 5, SMALL_CNN).eval()
        activations, widths = torch.zeros(2, 3, size, size), []
        for block in network.blocks.values():
            activations = block(activations)
            widths.append(pooled(activations).shape)
    channels = {
        "resnet18": [64, 64, 128, 256, 512],
        "swin_t": [96, 96, 192, 384, 768],
        "swin_v2_t": [96, 96, 192, 384, 768],
        "vit_b_32": [768] * 5,
        "vgg11": [64, 128, 256, 512, 512, 4096],
    }
    assert widths == [(2, width) for width in channels[name]]


@pytest.mark.parametrize("size", range(1, 16))
def test_means_over_a_grid_are_those_of_torch(size: int) -> None:
    maps = torch.randn(2, 3, size, size + 2, dtype=torch.float64, generator=torch.Generator().manual_seed(size))
    expected = torch.nn.AdaptiveAvgPool2d((7, 6))(maps)
    torch.testing.assert_close(GridMeans(7, 6)(maps), expected, rtol=1e-12, atol=1e-12)
