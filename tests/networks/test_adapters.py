"""Bottleneck adapters: no effect at the start, shapes by the output of a block, and networks that stay networks."""

from pathlib import Path

import pytest
import torch
from tests.networks.sizes import of_size

from graft.networks.adapters import Adapter, Shape, adapter_parameters, adapters_in, add_adapters, shapes_for
from graft.networks.networks import Network, build_network, state_sha256
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.saving import load_network, save_network


def adapted(name: str = "small_cnn", size: int = 32, width: int = 4) -> tuple[Network, Network]:
    """A network, and the same with an adapter behind each block."""
    nets = []
    for _ in range(2):
        torch.manual_seed(0)
        nets.append(build_network(name, 3, of_size(size)).eval())
    add_adapters(nets[1], shapes_for(nets[1], list(nets[1].blocks), width))
    return nets[0], nets[1]


def images(n: int, size: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize(("name", "size"), [("small_cnn", 32), ("vit_b_32", 32), ("shufflenet_v2_x0_5", 32)])
def test_an_adapter_has_no_effect_at_the_start(name: str, size: int) -> None:
    plain, with_adapters = adapted(name, size)
    with torch.no_grad():
        assert torch.equal(with_adapters(images(2, size)), plain(images(2, size)))


def test_an_adapter_adds_what_its_two_layers_make() -> None:
    adapter = Adapter(Shape(5, 2, on_maps=True))
    torch.nn.init.normal_(adapter.up.weight, generator=torch.Generator().manual_seed(0))
    maps = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(1))
    (down, up), bias = (layer.weight[:, :, 0, 0] for layer in (adapter.down, adapter.up)), adapter.down.bias
    assert bias is not None
    # (n, c, h, w) to (n, h, w, c), in which a 1 x 1 convolution is a product
    last = maps.permute(0, 2, 3, 1)
    by_hand = last + torch.nn.functional.gelu(last @ down.T + bias) @ up.T
    torch.testing.assert_close(adapter(maps), by_hand.permute(0, 3, 1, 2))


def test_an_adapter_is_as_wide_as_the_output_of_its_block() -> None:
    _, network = adapted(width=6)
    channels = {"block1": 24, "block2": 48, "block3": 96}
    expected = {name: Shape(n, 6, on_maps=True) for name, n in channels.items()}
    assert adapters_in(network) == {**expected, "block4": Shape(128, 6, on_maps=False)}


def test_tokens_get_linear_layers() -> None:
    network = build_network("vit_b_32", 3, of_size(32))
    assert set(shapes_for(network, ["block1", "block4"], 8).values()) == {Shape(768, 8, on_maps=False)}


def test_blocks_and_layers_keep_their_names() -> None:
    plain, network = adapted()
    assert list(network.blocks) == list(plain.blocks)
    assert network.state_dict().keys() > plain.state_dict().keys()
    assert network.n_features == plain.n_features


def test_only_named_blocks_get_an_adapter() -> None:
    network = build_network("small_cnn", 3, SMALL_CNN)
    add_adapters(network, shapes_for(network, ["block3"], 4))
    assert [name for name, block in network.blocks.items() if adapter_parameters(block)] == ["block3"]


def test_a_network_with_adapters_comes_back_from_its_file(tmp_path: Path) -> None:
    _, network = adapted()
    for parameter in adapter_parameters(network.blocks["block2"]):
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    save_network(network, "small_cnn", tmp_path / "net.safetensors")
    back = load_network(tmp_path / "net.safetensors")
    assert adapters_in(back) == adapters_in(network)
    assert state_sha256([back]) == state_sha256([network])
    assert torch.equal(back(images(2)), network(images(2)))
