"""LoRA by peft: no effect at the start, the same network when merged, and layers on which it would have none."""

import copy
import socket
import subprocess
import sys
from typing import NoReturn

import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from tests.house import ROOT
from tests.networks.sizes import of_size
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from graft.networks.cuts import vision_transformer
from graft.networks.networks import Network, build_network, state_sha256
from graft.networks.preprocessing import SMALL_CNN
from graft.transfer.tuning import lora
from graft.transfer.tuning.lora import Layer, add_lora, changed, layers_of, merge_lora

SIZE = 32


def images(n: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator)


def small_transformer() -> Network:
    torch.manual_seed(0)
    net = VisionTransformer(
        image_size=SIZE, patch_size=16, num_layers=4, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=3
    )
    return Network(vision_transformer(net), 16, 3, of_size(SIZE)).eval()


def small_cnn() -> Network:
    torch.manual_seed(0)
    return build_network("small_cnn", 3, SMALL_CNN).eval()


NETWORKS = {"small_cnn": small_cnn, "transformer": small_transformer}


def open_layers(network: Network) -> list[Layer]:
    return [each for each in layers_of(network, list(network.blocks)) if each.obstacle is None]


def trained(network: Network) -> None:
    """Move the factors as training would."""
    generator = torch.Generator().manual_seed(1)
    for name, value in network.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(value, std=0.05, generator=generator)


@pytest.mark.parametrize("name", NETWORKS)
def test_lora_has_no_effect_at_the_start(name: str) -> None:
    network = NETWORKS[name]()
    with torch.no_grad():
        before = network(images())
        add_lora(network, open_layers(network), 2, 4.0)
        assert torch.equal(network.eval()(images()), before)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_merged_network_computes_what_the_unmerged_one_does(name: str) -> None:
    network = NETWORKS[name]()
    with torch.no_grad():
        plain = network(images())
        add_lora(network, open_layers(network), 2, 4.0)
        trained(network)
        unmerged = network(images())
        merge_lora(network)
        merged = network(images())
    assert (unmerged - plain).abs().max() > 1e-3
    torch.testing.assert_close(merged, unmerged, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_that_takes_lora_learns_by_it(name: str) -> None:
    network = NETWORKS[name]()
    add_lora(network, open_layers(network), 2, 4.0)
    network.train()(images()).square().sum().backward()
    ups = {key: value.grad for key, value in network.named_parameters() if "lora_B" in key}
    assert len(ups) == len(open_layers(NETWORKS[name]()))
    assert all(grad is not None and grad.abs().sum() > 0 for grad in ups.values())


def test_merging_gives_the_weights_that_peft_gives() -> None:
    network = small_cnn()
    add_lora(network, open_layers(network), 3, 5.0)
    trained(network)
    by_peft = copy.deepcopy(network)
    for module in by_peft.modules():
        if isinstance(module, BaseTunerLayer):
            module.merge()
    merge_lora(network)
    weights = {name.replace(".base_layer", ""): value for name, value in by_peft.state_dict().items()}
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, weights[name], atol=1e-6, rtol=1e-6)


def test_merging_leaves_a_plain_network_and_moves_the_wrapped_weights_alone() -> None:
    network, plain = small_cnn(), small_cnn()
    add_lora(network, [each for each in open_layers(network) if "block2" in each.name], 2, 4.0)
    trained(network)
    factors = merge_lora(network)
    assert (network.state_dict().keys(), vars(network).keys()) == (plain.state_dict().keys(), vars(plain).keys())
    assert list(factors) == ["blocks.block2.0.weight"]
    same = [state_sha256([network.blocks[name]]) == state_sha256([plain.blocks[name]]) for name in plain.blocks]
    assert same == [True, False, True, True]
    (weights,) = (plain.get_parameter(name) for name in factors)
    assert torch.equal(network.get_parameter("blocks.block2.0.weight"), changed(weights, *factors.values()))


def test_the_factors_are_as_thin_as_the_rank() -> None:
    network = small_cnn()
    add_lora(network, open_layers(network), 2, 8.0)
    factors = merge_lora(network)["blocks.block2.0.weight"]
    assert (factors.down.shape, factors.up.shape, factors.scale) == ((2, 24, 3, 3), (48, 2, 1, 1), 4.0)


def test_attention_takes_lora_on_its_joint_weights_and_not_on_a_layer_that_is_never_called() -> None:
    layers = {each.name: each for each in layers_of(small_transformer(), ["block1"])}
    joint, inner = (layers[f"blocks.block1.0.self_attention{end}"] for end in ("", ".out_proj"))
    assert (joint.parameter, joint.obstacle) == ("in_proj_weight", None)
    assert inner.obstacle == lora.NOT_CALLED


def test_lora_on_a_layer_that_is_never_called_would_do_nothing() -> None:
    network = small_transformer()
    inner = [each for each in layers_of(network, ["block1"]) if each.name.endswith("out_proj")]
    add_lora(network, inner, 2, 4.0)
    assert not network(images()).requires_grad


@pytest.mark.parametrize(
    ("layer", "obstacle"),
    [
        (nn.Conv2d(4, 4, 1, groups=4), lora.GROUPED),
        (nn.Conv2d(4, 4, 3, padding=2, dilation=2), lora.SPECIAL),
        (nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), lora.SPECIAL),
        (nn.ConvTranspose2d(4, 4, 1), lora.OTHER_TYPE),
        (nn.Conv2d(4, 4, 3, padding=1), None),
    ],
)
def test_convolutions_that_peft_cannot_change_rightly_are_left_alone(layer: nn.Module, obstacle: str | None) -> None:
    blocks = {"block1": nn.Sequential(nn.Conv2d(3, 4, 1), layer, nn.AdaptiveAvgPool2d(1), nn.Flatten(1))}
    network = Network(blocks, 4, 3, SMALL_CNN).eval()
    assert layers_of(network, ["block1"])[1].obstacle == obstacle


def test_the_largest_rank_is_that_of_the_narrower_side() -> None:
    # 3 x 3 x 3 inputs for each of 24 outputs
    assert [each.widest for each in layers_of(small_cnn(), ["block1", "block2"])] == [24, 48]


def test_the_pass_that_tells_which_layers_are_called_changes_nothing() -> None:
    network = small_cnn().train()
    before = state_sha256([network])
    layers_of(network, ["block1"])
    assert state_sha256([network]) == before
    assert not any(module._forward_hooks for module in network.modules())


def test_the_pass_that_tells_which_layers_are_called_leaves_out_a_head_on_another_device() -> None:
    network = build_network("small_cnn", 3, SMALL_CNN)
    expected = layers_of(network, list(network.blocks))
    network.head.to("meta")
    assert layers_of(network, list(network.blocks)) == expected


def test_factors_are_drawn_from_torchs_generator() -> None:
    drawn = []
    for seed in (1, 1, 2):
        network = small_cnn()
        torch.manual_seed(seed)
        add_lora(network, open_layers(network), 2, 4.0)
        drawn.append(state_sha256([network]))
    assert drawn[0] == drawn[1] != drawn[2]


def test_lora_asks_no_other_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> NoReturn:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    network = small_cnn()
    add_lora(network, open_layers(network), 2, 4.0)
    merge_lora(network)


def test_peft_is_imported_only_where_lora_is_used() -> None:
    code = "import sys, graft.transfer.finetuning.finetune; print('peft' in sys.modules, 'transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_without_peft_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    network = small_cnn()
    with pytest.raises(RuntimeError, match=r"^peft: want this package for LoRA, got: .*\. Run `make setup`\.$"):
        add_lora(network, open_layers(network), 2, 4.0)
