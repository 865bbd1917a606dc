import math
from typing import Any

import numpy as np
import pytest
import torch
from tests.training.runs import network, phase, plan, samples
from torch import nn

from graft.networks.networks import Network
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.runtime import autocast
from graft.params.learning import Sgd
from graft.training import memory
from graft.training.activations import back, front
from graft.training.batches import Samples
from graft.training.memory import check_room_for_images, check_room_for_steps, needed_bytes
from graft.training.phases import Phase
from graft.training.steps import Plan

CPU = torch.device("cpu")
N_FEATURES = 3 * 8 * 8
N_WEIGHTS = 2 * N_FEATURES + 2


def _flat(**changes: Any) -> tuple[Network, Samples, Plan]:
    """A head directly on the pixels, with 20 images of 8 px in batches of 8."""
    flat = Network({"flat": nn.Flatten()}, N_FEATURES, 2, SMALL_CNN)
    head_alone = Phase("phase", {"flat": 0.0, "head": 0.1}, 1, None)
    images = torch.zeros((20, 3, 8, 8), dtype=torch.uint8)
    return flat, Samples(images, torch.arange(20) % 2), plan(head_alone, **changes)


@pytest.mark.parametrize(
    ("changes", "copies"),
    [
        ({}, 1 + 2 + 1),  # gradients, two moments, the best epoch's weights
        ({"ema_decay": 0.9}, 1 + 2 + 2),
        ({"optimizer": Sgd(kind="sgd", momentum=0.9)}, 1 + 1 + 1),
        ({"optimizer": Sgd(kind="sgd", momentum=0.0)}, 1 + 0 + 1),
    ],
)
def test_weights_gradients_moments_and_what_a_linear_layer_keeps_are_counted(
    changes: dict[str, Any], copies: int
) -> None:
    float_bytes = 4
    assert needed_bytes(*_flat(**changes)) == float_bytes * (copies * N_WEIGHTS + 8 * N_FEATURES)


def test_weights_that_the_backward_pass_needs_are_not_counted_twice() -> None:
    _, train, _ = _flat()
    layered = Network({"hidden": nn.Sequential(nn.Flatten(), nn.Linear(N_FEATURES, 4))}, 4, 2, SMALL_CNN)
    both = Phase("phase", {"hidden": 0.1, "head": 0.1}, 1, None)
    n_weights = (N_FEATURES + 1) * 4 + (4 + 1) * 2
    assert needed_bytes(layered, train, plan(both)) == 4 * (4 * n_weights + 8 * (N_FEATURES + 4))


def test_a_batch_is_no_larger_than_the_images_there_are() -> None:
    given = _flat(batch_size=1000)
    assert needed_bytes(*given) - needed_bytes(*_flat(batch_size=10)) == 4 * 10 * N_FEATURES


def _kept_of_a_step(net: Network, train: Samples, given: Plan) -> int:
    """Bytes that a whole batch in training keeps for the backward pass, without the weights."""
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    net.train().requires_grad_(True).to(memory_format=torch.channels_last)
    # now, for the weights have moved, and what follows may lie where they lay
    own = {each.untyped_storage().data_ptr() for each in net.state_dict().values()}
    images = train.images[: given.learning.batch_size]
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), autocast(CPU, given.precision):
        alive = back(net, 0, front(net, 0, images)).logits
    assert len(alive) == len(images)
    return sum(n_bytes for place, n_bytes in kept.items() if place not in own)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_step_keeps_at_least_what_is_estimated(precision: torch.dtype) -> None:
    """A lower bound: copies of weights count once, and paths that only few images take do not count."""
    given = plan(phase(), precision=precision, batch_size=16)
    net, train = network(), samples(20, 0)
    weights = sum(each.nbytes for each in net.state_dict().values())
    moved = 3 * sum(each.nbytes for each in net.parameters())
    reckoned = needed_bytes(net, train, given) - weights - moved
    assert 0 < reckoned <= _kept_of_a_step(net, train, given)


def test_a_network_with_in_place_relus_is_estimated() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    all_of_it = Phase("phase", {"all": 0.1, "head": 0.1}, 1, None)
    net = Network({"all": layers}, 16, 2, SMALL_CNN)
    check_room_for_steps(net, samples(20, 0), plan(all_of_it))


def test_frozen_blocks_keep_nothing() -> None:
    def needed(*frozen: str) -> int:
        return needed_bytes(network(), samples(20, 0), plan(phase(frozen=frozen)))

    assert needed("block1") < needed()
    assert needed("block1", "block2", "block3", "block4") < needed("block1") / 2


def test_the_phase_that_trains_most_counts() -> None:
    all_blocks, head = phase(), phase(frozen=("block1", "block2", "block3", "block4"))
    given = network(), samples(20, 0)
    assert needed_bytes(*given, plan(head, all_blocks)) == needed_bytes(*given, plan(all_blocks))


def test_estimating_changes_neither_the_network_nor_later_draws() -> None:
    given, before = network(), torch.get_rng_state()
    weights = {name: each.clone() for name, each in given.state_dict().items()}
    needed_bytes(given, samples(20, 0), plan())
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(each, weights[name]) for name, each in given.state_dict().items())
    assert all(each.grad is None for each in given.parameters())


def test_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    given = network(), samples(20, 0), plan()
    monkeypatch.setattr(memory, "free_bytes", lambda device: needed_bytes(*given) - 1)
    with pytest.raises(
        ValueError, match=r"^batch_size: want \d+ MiB of memory for steps of 8 images of 32 x 32 pixels, got .*Lower it"
    ):
        check_room_for_steps(*given)


def test_what_just_fits_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    given = _flat()
    monkeypatch.setattr(memory, "free_bytes", lambda device: needed_bytes(*given))
    check_room_for_steps(*given)


def test_images_that_do_not_fit_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    store = np.broadcast_to(np.uint8(0), (2**20, 64, 64, 3))  # takes no memory here
    monkeypatch.setattr(memory, "free_bytes", lambda device: 100 * math.prod(store.shape[1:]))
    check_room_for_images(store, 100)
    with pytest.raises(ValueError, match=r"^images: want 1 MiB of memory for 101 images of 64 x 64 pixels, got 1 MiB"):
        check_room_for_images(store, 101)
