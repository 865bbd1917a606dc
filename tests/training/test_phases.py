"""What a phase trains, what it does not change, and the hash that proves it."""

import copy

import numpy as np
import pytest
import torch

from graft.networks.networks import Network, build_network
from graft.networks.preprocessing import SMALL_CNN
from graft.training.batches import samples_on
from graft.training.phases import (
    BatchNormPolicy,
    Learns,
    Phase,
    adapt_batchnorm,
    freeze,
    frozen_sha256,
    frozen_state,
    n_frozen_blocks,
    parts_of,
    set_modes,
    trained_parameters,
)

NAMES = ("block1", "block2", "block3", "block4", "head")


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return build_network("small_cnn", 2, SMALL_CNN)


def _phase(*trained: str, learns: Learns = "whole") -> Phase:
    return Phase("p", {name: 0.1 if name in trained else 0.0 for name in NAMES}, 1, None, learns)


def test_trained_and_frozen_make_up_the_whole_network(network: Network) -> None:
    for phase in (
        _phase("head"),
        _phase("block4", "head"),
        _phase(*NAMES),
        _phase("block1", "head"),
        _phase(*NAMES, learns="norms"),
    ):
        frozen = frozen_state(network, phase, "frozen")
        trained = [each for members in trained_parameters(network, phase).values() for each in members]
        assert len(frozen) + len(trained) == len(network.state_dict())


def test_only_what_is_trained_asks_for_gradients(network: Network) -> None:
    freeze(network, _phase("block4", "head"))
    asking = [name.removeprefix("blocks.") for name, each in network.named_parameters() if each.requires_grad]
    assert {name.split(".")[0] for name in asking} == {"block4", "head"}


def test_freezing_for_a_phase_that_trains_more_thaws(network: Network) -> None:
    freeze(network, _phase("head"))
    freeze(network, _phase(*NAMES))
    assert all(each.requires_grad for each in network.parameters())


@pytest.mark.parametrize("trained", [("head",), NAMES])
def test_asking_what_a_phase_trains_changes_nothing(network: Network, trained: tuple[str, ...]) -> None:
    freeze(network, _phase("block4", "head"))
    before = [each.requires_grad for each in network.parameters()]
    trained_parameters(network, _phase(*trained))
    n_frozen_blocks(network, _phase(*trained))
    frozen_state(network, _phase(*trained), "train")
    set_modes(network, _phase(*trained), "train")
    assert [each.requires_grad for each in network.parameters()] == before


def test_norms_trains_norms_and_the_head(network: Network) -> None:
    trained = trained_parameters(network, _phase(*NAMES, learns="norms"))
    assert all(each.ndim == 1 for name in NAMES[:-1] for each in trained[name])
    assert [each.ndim for each in trained["head"]] == [2, 1]


@pytest.mark.parametrize(("policy", "moving"), [("train", 3), ("frozen", 0), ("adapt", 0)])
def test_statistics_of_a_learning_block_change_only_under_train(network: Network, policy: str, moving: int) -> None:
    frozen = frozen_state(network, _phase("block4", "head"), policy)  # type: ignore[arg-type]
    buffers = {name for name, _ in network.blocks["block4"].named_buffers(prefix="blocks.block4")}
    assert len(buffers - set(frozen)) == moving


def test_statistics_of_frozen_blocks_do_not_change_in_training_mode(network: Network) -> None:
    set_modes(network, _phase("block4", "head"), "train")
    assert [part.training for part in parts_of(network).values()] == [False, False, False, True, True]


def test_under_frozen_no_block_updates_its_statistics(network: Network) -> None:
    set_modes(network, _phase(*NAMES), "frozen")
    norms = [each for each in network.blocks.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(each.training for each in norms)


def test_frozen_blocks_are_counted_from_the_input(network: Network) -> None:
    assert n_frozen_blocks(network, _phase("head")) == 4
    assert n_frozen_blocks(network, _phase("block3", "block4", "head")) == 2
    assert n_frozen_blocks(network, _phase("block1", "head")) == 0
    assert n_frozen_blocks(network, _phase(*NAMES, learns="norms")) == 0


def test_the_hash_depends_on_frozen_buffers(network: Network) -> None:
    phase = _phase("block4", "head")
    before = frozen_sha256(network, phase, "train")
    network.get_buffer("blocks.block1.1.num_batches_tracked").add_(1)
    assert frozen_sha256(network, phase, "train") != before


def test_the_hash_does_not_depend_on_what_may_change(network: Network) -> None:
    phase = _phase("block4", "head")
    before = frozen_sha256(network, phase, "train")
    with torch.no_grad():
        network.get_parameter("head.weight").add_(1)
        network.get_buffer("blocks.block4.1.running_mean").add_(1)
    assert frozen_sha256(network, phase, "train") == before


def test_there_is_no_hash_where_everything_is_trained(network: Network) -> None:
    assert frozen_sha256(network, _phase(*NAMES), "train") is None


def test_adapted_statistics_are_those_of_the_images(network: Network) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3)).astype(np.uint8)
    samples = samples_on(torch.device("cpu"), images, np.zeros(40, dtype=np.int64))
    adapt_batchnorm(network, samples.images)
    mean, std = torch.tensor(SMALL_CNN.mean).view(3, 1, 1), torch.tensor(SMALL_CNN.std).view(3, 1, 1)
    seen = network.get_submodule("blocks.block1.0")((samples.images.float() / 255 - mean) / std)
    first = network.get_submodule("blocks.block1.1")
    torch.testing.assert_close(first.running_mean, seen.mean(dim=(0, 2, 3)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(first.running_var, seen.var(dim=(0, 2, 3)), atol=1e-3, rtol=1e-3)
    assert not network.blocks.training


def test_adapted_statistics_keep_nothing_of_those_before(network: Network) -> None:
    images = np.random.default_rng(0).integers(0, 256, (130, 8, 8, 3)).astype(np.uint8)
    samples = samples_on(torch.device("cpu"), images, np.zeros(130, dtype=np.int64))
    used = copy.deepcopy(network)
    for name, buffer in used.blocks.named_buffers():
        buffer.fill_(7 if name.endswith("num_batches_tracked") else 3.0)
    for each in (network, used):
        adapt_batchnorm(each, samples.images)
    assert all(torch.equal(value, network.get_buffer(name)) for name, value in used.named_buffers())


def test_adapted_statistics_do_not_depend_on_images_sorted_by_class(network: Network) -> None:
    """A batch of one class would be normalised by its own mean, and the variance between classes would be lost."""
    dark, bright = np.full((150, 32, 32, 3), 40, np.uint8), np.full((150, 32, 32, 3), 200, np.uint8)
    samples = samples_on(torch.device("cpu"), np.concatenate([dark, bright]), np.repeat([0, 1], 150))
    adapt_batchnorm(network, samples.images)
    values = network.input_transform(samples.images)
    second = network.get_submodule("blocks.block2.1")
    with torch.no_grad():
        seen = network.get_submodule("blocks.block2.0")(network.eval().blocks["block1"](values))
    expected = seen.var(dim=(0, 2, 3)).mean().item()
    assert second.get_buffer("running_var").mean().item() == pytest.approx(expected, rel=0.05)


def test_a_block_without_norms_is_frozen_where_norms_alone_learn() -> None:
    torch.manual_seed(0)
    first = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Dropout())
    last = torch.nn.Sequential(torch.nn.BatchNorm2d(4), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(1))
    network = Network({"first": first, "last": last}, 4, 2, SMALL_CNN)
    phase = Phase("norms", {"first": 0.1, "last": 0.1, "head": 0.1}, 1, None, learns="norms")
    assert list(trained_parameters(network, phase)) == ["last", "head"]
    assert n_frozen_blocks(network, phase) == 1
    set_modes(network, phase, "train")
    assert not first.training


@pytest.mark.parametrize("norm", [torch.nn.BatchNorm1d(4), torch.nn.LayerNorm(4), torch.nn.GroupNorm(2, 4)])
def test_every_kind_of_norm_learns_where_norms_alone_do(norm: torch.nn.Module) -> None:
    network = Network({"only": torch.nn.Sequential(torch.nn.Linear(4, 4), norm)}, 4, 2, SMALL_CNN)
    trained = trained_parameters(network, Phase("norms", {"only": 0.1, "head": 0.1}, 1, None, learns="norms"))
    assert [id(each) for each in trained["only"]] == [id(each) for each in norm.parameters()]


@pytest.mark.parametrize("policy", ["frozen", "adapt", "train"])
def test_norms_of_a_learning_head_change_under_every_policy(policy: BatchNormPolicy) -> None:
    network = build_network("small_cnn", 2, SMALL_CNN, "mlp")
    phase = _phase("head")
    set_modes(network, phase, policy)
    assert all(each.training for each in network.head.modules())
    buffers = {name for name, _ in network.head.named_buffers(prefix="head")}
    assert buffers
    assert not buffers & set(frozen_state(network, phase, policy))


@pytest.mark.parametrize(("n", "sizes"), [(40, [40]), (127, [127]), (300, [75] * 4)])
def test_statistics_are_adapted_in_batches_of_at_least_64_images(network: Network, n: int, sizes: list[int]) -> None:
    """Behind the first layer a small batch is normalised by its own mean, and gives the statistics of that."""
    seen: list[int] = []
    network.blocks["block1"].register_forward_hook(lambda block, given, made: seen.append(len(made)))
    images = np.random.default_rng(0).integers(0, 256, (n, 8, 8, 3)).astype(np.uint8)
    adapt_batchnorm(network, samples_on(torch.device("cpu"), images, np.zeros(n, dtype=np.int64)).images)
    assert seen == sizes


def test_adapting_restores_the_momentum_of_statistics(network: Network) -> None:
    images = np.zeros((8, 8, 8, 3), dtype=np.uint8)
    adapt_batchnorm(network, samples_on(torch.device("cpu"), images, np.zeros(8, dtype=np.int64)).images)
    norms = [each for each in network.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    assert [each.momentum for each in norms] == [0.1] * 4
