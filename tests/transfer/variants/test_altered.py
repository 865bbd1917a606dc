"""Altered pretrained weights: what is lost, what is kept, and the statistics of BatchNorm in what changed."""

import numpy as np
import pytest
import torch
from tests.transfer.conftest import strategy, tiny_params
from torch import Tensor, nn

from graft.networks.networks import build_network, state_sha256
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.runtime import make_deterministic
from graft.transfer.arms.target_data import TargetData
from graft.transfer.finetuning.task import Backbone, TransferTask
from graft.transfer.variants.altered import reset, shuffled, started_from


@pytest.fixture
def task(backbone: Backbone, data: TargetData) -> TransferTask:
    return TransferTask(backbone, data, strategy("full"), tiny_params())


def _sorted(tensor: Tensor) -> Tensor:
    return tensor.flatten().sort().values


def test_shuffled_weights_are_the_same_numbers_of_each_tensor_in_other_places(backbone: Backbone) -> None:
    before, after = (each.blocks.state_dict() for each in (backbone.network, shuffled(backbone, 0)))
    for name, tensor in before.items():
        assert torch.equal(_sorted(tensor), _sorted(after[name])), name
    moved = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert moved == {f"block{number}.0.weight" for number in (1, 2, 3, 4)}  # a fresh norm has equal entries


def test_shuffling_leaves_the_pretrained_network_alone_and_follows_its_seed(backbone: Backbone) -> None:
    before = state_sha256(backbone.network.blocks.values())
    hashes = [state_sha256(shuffled(backbone, seed).blocks.values()) for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert state_sha256(backbone.network.blocks.values()) == before


def test_reset_blocks_start_as_the_control_does_and_the_others_are_kept(backbone: Backbone) -> None:
    network = reset(backbone, ("block4", "block3"), 7)
    torch.manual_seed(7)
    control = build_network("small_cnn", 2, SMALL_CNN)
    for name, of in (
        ("block1", backbone.network),
        ("block2", backbone.network),
        ("block3", control),
        ("block4", control),
    ):
        assert state_sha256([network.blocks[name]]) == state_sha256([of.blocks[name]]), name


def test_statistics_are_measured_anew_in_what_changed_and_nowhere_else(task: TransferTask) -> None:
    network = reset(task.backbone, ("block4",), 0)
    altered = started_from(task, network, ("block4",)).backbone.network
    kept = [state_sha256([altered.blocks[name]]) for name in ("block1", "block2", "block3")]
    assert kept == [state_sha256([task.backbone.network.blocks[name]]) for name in ("block1", "block2", "block3")]
    convolution, norm, *_ = altered.blocks["block4"].children()
    assert isinstance(norm, nn.BatchNorm2d)
    with torch.no_grad():
        values = altered.input_transform(task.data.train.images)
        for name in ("block1", "block2", "block3"):
            values = altered.blocks[name](values)
        values = convolution(values)
    # one batch: 24 images are fewer than 64
    assert torch.allclose(norm.running_mean, values.mean(dim=(0, 2, 3)), atol=1e-5)  # type: ignore[arg-type]


def test_features_are_those_of_the_altered_network(task: TransferTask) -> None:
    make_deterministic(0)
    altered = started_from(task, shuffled(task.backbone, 0), list(task.backbone.network.blocks))
    with torch.no_grad():
        expected = altered.backbone.network.features(task.data.val.images)
    assert np.allclose(altered.backbone.features[task.data.val_rows], expected.numpy(), atol=1e-5)
    assert not np.allclose(altered.backbone.features[task.data.val_rows], task.backbone.features[task.data.val_rows])
