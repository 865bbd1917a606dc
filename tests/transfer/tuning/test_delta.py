"""Deltas: the tuned network comes back to the byte, from its own backbone alone."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from graft.networks.adapters import adapters_in, add_adapters, shapes_for
from graft.networks.networks import Network, build_network, state_sha256, with_new_head
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.saving import load_network, save_network
from graft.transfer.tuning.delta import Delta, applied, beside, delta_of, read_delta, write_delta
from graft.transfer.tuning.lora import Factors, add_lora, layers_of, merge_lora

Tuned = tuple[Network, dict[str, Factors]]


@pytest.fixture
def backbone() -> Network:
    torch.manual_seed(0)
    return build_network("small_cnn", 5, SMALL_CNN).eval()


def with_lora() -> Tuned:
    network = with_new_head(start(), 3)
    layers = layers_of(network, ["block3", "block4"])
    add_lora(network, layers, 2, 4.0)
    for name, value in network.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(value)
    return network, merge_lora(network)


def with_adapters() -> Tuned:
    network = with_new_head(start(), 3)
    add_adapters(network, shapes_for(network, ["block2", "block4"], 4))
    return network, {}


def with_biases() -> Tuned:
    network = with_new_head(start(), 3, "mlp")
    nn.init.normal_(network.get_parameter("blocks.block2.1.bias"))
    # a zero of the other sign is another number
    network.get_parameter("blocks.block3.1.bias").data.neg_()
    return network, {}


def start() -> Network:
    torch.manual_seed(0)
    return build_network("small_cnn", 5, SMALL_CNN).eval()


def saved(tuned: Tuned, path: Path) -> Path:
    save_network(tuned[0], "small_cnn", path)
    return path


@pytest.mark.parametrize("tune", [with_lora, with_adapters, with_biases])
def test_the_tuned_network_comes_back_to_the_byte(tmp_path: Path, backbone: Network, tune: object) -> None:
    assert callable(tune)
    network, factors = tune()
    tuned = saved((network, factors), tmp_path / "tuned.safetensors")
    write_delta(delta_of(backbone, tuned, factors, "lora"), tmp_path / "delta.safetensors")
    delta = read_delta(tmp_path / "delta.safetensors")
    sha256 = applied(start(), delta, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == tuned.read_bytes()
    assert sha256 == delta.tuned_sha256
    assert adapters_in(load_network(tmp_path / "again.safetensors")) == adapters_in(network)


def test_a_delta_holds_only_what_was_tuned(tmp_path: Path, backbone: Network) -> None:
    head = {"head.weight", "head.bias"}
    lora, adapters, biases = (
        delta_of(backbone, saved((network, factors), tmp_path / "tuned.safetensors"), factors, "lora")
        for network, factors in (with_lora(), with_adapters(), with_biases())
    )
    assert set(lora.tensors) == head
    assert set(lora.factors) == {"blocks.block3.0.weight", "blocks.block4.0.weight"}
    own = {f"blocks.{block}.adapter.{end}" for block in ("block2", "block4") for end in layer_ends()}
    assert set(adapters.tensors) == head | own
    changed = {name for name in biases.tensors if not name.startswith("head.")}
    assert changed == {"blocks.block2.1.bias", "blocks.block3.1.bias"}


def layer_ends() -> list[str]:
    return [f"{layer}.{end}" for layer in ("down", "up") for end in ("weight", "bias")]


def test_statistics_that_moved_are_in_the_delta(tmp_path: Path, backbone: Network) -> None:
    network, _ = with_biases()
    network.blocks["block2"].train()(torch.randn(4, 24, 8, 8))
    delta = delta_of(backbone, saved((network, {}), tmp_path / "tuned.safetensors"), {}, "bias")
    ends = ("running_mean", "running_var", "num_batches_tracked")
    assert {f"blocks.block2.1.{end}" for end in ends} < set(delta.tensors)


def test_factors_that_do_not_give_the_weights_are_not_kept(tmp_path: Path, backbone: Network) -> None:
    network, factors = with_lora()
    network.get_parameter("blocks.block3.0.weight").data[0, 0, 0, 0] += 1e-3
    delta = delta_of(backbone, saved((network, factors), tmp_path / "tuned.safetensors"), factors, "lora")
    assert list(delta.factors) == ["blocks.block4.0.weight"]
    assert "blocks.block3.0.weight" in delta.tensors


def test_another_backbone_is_refused(tmp_path: Path, backbone: Network) -> None:
    network, factors = with_lora()
    delta = delta_of(backbone, saved((network, factors), tmp_path / "tuned.safetensors"), factors, "lora")
    backbone.get_parameter("blocks.block1.0.weight").data[0, 0, 0, 0] += 1e-6
    with pytest.raises(
        ValueError, match=r"^backbone: want the blocks that the delta was made from, \w+, got \w+\. Name"
    ):
        applied(backbone, delta, tmp_path / "again.safetensors")
    assert not (tmp_path / "again.safetensors").exists()


def test_the_head_of_the_backbone_may_be_another(tmp_path: Path, backbone: Network) -> None:
    network, factors = with_lora()
    tuned = saved((network, factors), tmp_path / "tuned.safetensors")
    delta = delta_of(backbone, tuned, factors, "lora")
    assert applied(with_new_head(backbone, 7), delta, tmp_path / "again.safetensors") == delta.tuned_sha256


def test_the_backbone_is_not_changed(tmp_path: Path, backbone: Network) -> None:
    before = state_sha256([backbone])
    delta = delta_of(backbone, saved(with_lora(), tmp_path / "tuned.safetensors"), {}, "whole")
    applied(backbone, delta, tmp_path / "again.safetensors")
    assert state_sha256([backbone]) == before


def test_a_network_of_another_kind_is_refused(tmp_path: Path, backbone: Network) -> None:
    save_network(build_network("tiny_cnn", 3, SMALL_CNN), "tiny_cnn", tmp_path / "tuned.safetensors")
    with pytest.raises(ValueError, match=r"tuned from this backbone, got one without its blocks\.block1\.0\.weight\."):
        delta_of(backbone, tmp_path / "tuned.safetensors", {}, "whole")


def test_a_whole_network_is_no_delta(tmp_path: Path) -> None:
    path = saved(with_lora(), tmp_path / "tuned.safetensors")
    with pytest.raises(ValueError, match=r"want a delta, got the weights of a whole network\. `graft delta write`"):
        read_delta(path)


def test_a_file_that_is_cut_short_or_foreign_is_refused(tmp_path: Path, backbone: Network) -> None:
    tuned = saved(with_lora(), tmp_path / "tuned.safetensors")
    write_delta(delta_of(backbone, tuned, {}, "whole"), tmp_path / "delta.safetensors")
    for path in (tuned, tmp_path / "delta.safetensors"):
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(ValueError, match=r"want weights that graft wrote, got a damaged file"):
            read_delta(path)
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(ValueError, match=r"want weights that graft wrote, got none of its metadata"):
        read_delta(tmp_path / "foreign.safetensors")
    with pytest.raises(FileNotFoundError, match=r"want weights, got no file"):
        read_delta(tmp_path / "none.safetensors")


def test_a_delta_of_lora_is_smaller_than_its_network(tmp_path: Path, backbone: Network) -> None:
    network, factors = with_lora()
    tuned = saved((network, factors), tmp_path / "tuned.safetensors")
    write_delta(delta_of(backbone, tuned, factors, "lora"), beside(tuned))
    assert beside(tuned) == tmp_path / "tuned.delta.safetensors"
    n_bytes = sum(each.nbytes for each in load_file(beside(tuned)).values())
    # factors of 2 x (96 + 432) and 2 x (128 + 864), a head of 3 x 129
    assert n_bytes == 4 * (2 * (96 + 432) + 2 * (128 + 864) + 3 * 129)


def test_a_delta_says_what_made_it(tmp_path: Path, backbone: Network) -> None:
    tuned = saved(with_adapters(), tmp_path / "tuned.safetensors")
    delta: Delta = delta_of(backbone, tuned, {}, "adapters")
    write_delta(delta, beside(tuned))
    read = read_delta(beside(tuned))
    assert (read.kind, read.about["network"], read.about["n_classes"]) == ("adapters", "small_cnn", 3)
    assert read.backbone_sha256 == state_sha256(backbone.blocks.values())
