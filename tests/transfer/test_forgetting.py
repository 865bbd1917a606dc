"""The head from pretraining on blocks that were tuned, and on blocks that were not."""

from pathlib import Path

import numpy as np
import torch

from graft.networks.adapters import adapter_parameters, add_adapters, shapes_for
from graft.networks.networks import Network, build_network, with_new_head
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.saving import save_network
from graft.transfer.forgetting import old_head_logits

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
CPU = torch.device("cpu")


def saved(network: Network, path: Path) -> Path:
    save_network(network, "small_cnn", path)
    return path


def test_the_old_head_judges_tuned_blocks(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_network("small_cnn", 3, SMALL_CNN)
    before = saved(network, tmp_path / "backbone.safetensors")
    old = network.head
    with torch.no_grad():
        next(network.blocks["block4"].parameters()).mul_(2)
    with_new_head(network, 7)
    found = old_head_logits(before, {3: saved(network, tmp_path / "tuned.safetensors")}, IMAGES, CPU)
    network.head, after = old, found.after[3]
    assert found.before.shape == (5, 3)
    assert after is not None
    np.testing.assert_allclose(after, outputs_of(network, IMAGES).logits, rtol=1e-6)
    assert not np.allclose(after, found.before)


def test_a_network_with_adapters_is_judged_with_them(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_network("small_cnn", 3, SMALL_CNN)
    before, old = saved(network, tmp_path / "backbone.safetensors"), network.head
    add_adapters(network, shapes_for(network, ["block4"], 4))
    for each in adapter_parameters(network.blocks["block4"]):
        torch.nn.init.normal_(each)
    with_new_head(network, 7)
    after = old_head_logits(before, {0: saved(network, tmp_path / "tuned.safetensors")}, IMAGES, CPU).after[0]
    network.head = old
    assert after is not None
    np.testing.assert_allclose(after, outputs_of(network, IMAGES).logits, rtol=1e-5, atol=1e-6)


def test_blocks_that_are_equal_are_not_asked_again(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_network("small_cnn", 3, SMALL_CNN)
    before = saved(network, tmp_path / "backbone.safetensors")
    after = saved(with_new_head(network, 7), tmp_path / "tuned.safetensors")
    assert old_head_logits(before, {0: after}, IMAGES, CPU).after == {0: None}
