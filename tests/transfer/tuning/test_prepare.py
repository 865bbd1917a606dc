"""What is refused because nothing could learn, and what is left alone with its reason."""

from collections import Counter

import pytest
import torch
from tests.networks.sizes import of_size
from torch import nn

from graft.networks.adapters import adapters_in
from graft.networks.networks import Network, build_network, outline, state_sha256
from graft.networks.preprocessing import SMALL_CNN
from graft.params.techniques import Adapters, Lora, TuningChoice
from graft.transfer.tuning import lora
from graft.transfer.tuning.lora import layers_of
from graft.transfer.tuning.prepare import left_alone, prepare

LORA = Lora(kind="lora", rank=2, alpha=4.0)
ADAPTERS = Adapters(kind="adapters", width=4)


def network_of(*layers: nn.Module) -> Network:
    return Network({"block1": nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(1))}, 3, 2, SMALL_CNN).eval()


def depthwise() -> Network:
    return network_of(nn.Conv2d(3, 3, 3, groups=3), nn.BatchNorm2d(3))


def test_a_network_without_a_layer_for_lora_is_refused_with_the_layer_and_the_reason() -> None:
    sentence = (
        r"^params\.yaml, finetune_target\.tuning: want a layer that takes LoRA, got none in block1 "
        r"\(blocks\.block1\.0: it is a grouped convolution, whose factors peft cannot merge\)\. Choose bias\.$"
    )
    with pytest.raises(ValueError, match=sentence):
        prepare(depthwise(), LORA, ["block1"])


def test_a_block_without_any_matrix_is_refused_too() -> None:
    with pytest.raises(ValueError, match=r"got none in block1 \(no layer with a matrix of weights\)"):
        prepare(network_of(nn.BatchNorm2d(3)), LORA, ["block1"])


def test_a_rank_larger_than_all_layers_allow_is_refused_with_the_largest() -> None:
    network = network_of(nn.Conv2d(3, 2, 1), nn.Conv2d(2, 3, 1), nn.Conv2d(3, 3, 1))
    with pytest.raises(ValueError, match=r"rank: want at most 3, as blocks\.block1\.2 allows, got 4\. Lower it"):
        prepare(network, Lora(kind="lora", rank=4, alpha=1.0), ["block1"])
    prepare(network, Lora(kind="lora", rank=3, alpha=1.0), ["block1"])
    assert sum("lora_A" in name for name, _ in network.named_parameters()) == 1


def test_blocks_without_a_bias_are_refused() -> None:
    network = network_of(nn.Conv2d(3, 3, 1, bias=False))
    with pytest.raises(ValueError, match=r"want a bias in the blocks that learn, got none in block1\. Choose lora"):
        prepare(network, "bias", ["block1"])
    prepare(depthwise(), "bias", ["block1"])


@pytest.mark.parametrize("tuning", ["whole", "bias", LORA, ADAPTERS])
def test_a_network_of_which_no_block_learns_stays_as_it_is(tuning: TuningChoice) -> None:
    network = depthwise()
    before = state_sha256([network])
    prepare(network, tuning, [])
    assert state_sha256([network]) == before


@pytest.mark.parametrize("tuning", [LORA, ADAPTERS])
def test_only_blocks_that_learn_are_prepared(tuning: TuningChoice) -> None:
    network = build_network("small_cnn", 2, SMALL_CNN).eval()
    others = [network.blocks[name] for name in ("block1", "block2", "block4")]
    before = state_sha256(others)
    prepare(network, tuning, ["block3"])
    assert state_sha256(others) == before
    assert list(adapters_in(network)) == (["block3"] if tuning == ADAPTERS else [])
    assert any("lora_" in name for name, _ in network.blocks["block3"].named_parameters()) == (tuning == LORA)


def test_layers_that_took_no_lora_are_told_by_reason() -> None:
    network = network_of(nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 9, 1), nn.Conv2d(9, 9, 1), nn.Conv2d(9, 3, 1))
    told = left_alone(network, Lora(kind="lora", rank=4, alpha=1.0), ["block1"])
    assert told == (
        f"1 layers, blocks.block1.0 the first: {lora.GROUPED}",
        f"2 layers, blocks.block1.1 the first: {lora.NARROW}",
    )
    assert left_alone(network, ADAPTERS, ["block1"]) == ()


def test_a_prepared_network_computes_the_same() -> None:
    images = torch.full((2, 3, 32, 32), 9, dtype=torch.uint8)
    for tuning in (LORA, ADAPTERS):
        network = build_network("small_cnn", 2, SMALL_CNN).eval()
        before = network(images)
        prepare(network, tuning, list(network.blocks))
        assert torch.equal(network.eval()(images), before)


@pytest.mark.parametrize(
    ("name", "n_taken", "reasons"),
    [
        ("mobilenet_v2", 35, {lora.GROUPED: 17}),
        ("resnet18", 20, {}),
        ("convnext_tiny", 40, {lora.GROUPED: 18}),
        ("vit_b_32", 37, {lora.NOT_CALLED: 12}),
        ("swin_t", 28, {lora.NOT_CALLED: 24}),
    ],
)
def test_networks_of_torchvision_take_lora_where_the_decision_says(
    name: str, n_taken: int, reasons: dict[str, int]
) -> None:
    network = outline(name, of_size(32))
    network.to("meta")
    layers = layers_of(network, list(network.blocks))
    assert sum(each.obstacle is None for each in layers) == n_taken
    assert Counter(each.obstacle for each in layers if each.obstacle is not None) == reasons
