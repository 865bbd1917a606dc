"""Estimate of the memory that training takes: a lower bound, so that nothing that fits is refused."""

import math

import torch
from numpy import uint8
from numpy.typing import NDArray
from torch import Tensor, nn

from graft.networks.networks import Network
from graft.networks.runtime import autocast, free_bytes
from graft.training.activations import front
from graft.training.batches import Samples
from graft.training.phases import Phase, freeze, n_frozen_blocks, trained_parameters
from graft.training.steps import Plan

CPU = torch.device("cpu")


def check_room_for_images(store: NDArray[uint8], n: int) -> None:
    """Refuse n images of a store that do not fit into memory.

    Raises:
        ValueError: they take more memory than is free.
    """
    needed, free = n * math.prod(store.shape[1:]), free_bytes(CPU)
    if needed > free:
        raise ValueError(
            f"images: want {_mib(needed)} of memory for {n:,} images of {store.shape[1]} x {store.shape[2]} pixels, "
            f"got {_mib(free)} free. Lower their size, or close other programs."
        )


def check_room_for_steps(network: Network, train: Samples, plan: Plan) -> None:
    """Refuse training whose weights, gradients, optimizer state and activations do not fit into memory.

    The phase that trains most counts. Call it once, before the first run: a process that has trained keeps memory for
    its next steps, and that memory would count as taken.

    Raises:
        ValueError: they take more memory than is free on the device.
    """
    needed, free = needed_bytes(network, train, plan), free_bytes(train.images.device)
    if needed > free:
        n, size = min(plan.learning.batch_size, len(train.labels)), train.images.shape[-1]
        raise ValueError(
            f"batch_size: want {_mib(needed)} of memory for steps of {n} images of {size} x {size} pixels, got "
            f"{_mib(free)} free. Lower it or the size of the images, or choose a smaller network."
        )


def needed_bytes(network: Network, train: Samples, plan: Plan) -> int:
    """Lower bound of the memory that training takes, beyond the network and the images."""
    phase = max(plan.phases, key=lambda each: _trained_bytes(network, each))
    trained = _trained_bytes(network, phase)
    optimizer = plan.learning.optimizer
    moments = 2 if optimizer == "adamw" else int(optimizer.momentum > 0)
    # the best epoch's weights, and the running mean
    copies = 1 if plan.learning.ema_decay is None else 2
    weights: int = sum(each.nbytes for each in network.state_dict().values())
    n_front = n_frozen_blocks(network, phase)
    freeze(network, phase)
    # the difference of two images and one grows with the batch; the rest, such as weights cast to bfloat16, does not
    one, two = (_kept_bytes(network, n_front, train.images[:n], plan) for n in (1, 2))
    beside = sum(make(network).n_passed for make in plan.terms)
    n = int(min(plan.learning.batch_size, len(train.labels)) * (1 + beside))
    return trained * (1 + moments) + weights * copies + one + max(two - one, 0) * (n - 1)


def _trained_bytes(network: Network, phase: Phase) -> int:
    return sum(each.nbytes for members in trained_parameters(network, phase).values() for each in members)


def _kept_bytes(network: Network, n_front: int, images: Tensor, plan: Plan) -> int:
    """Bytes that a step over these images keeps for the backward pass, without the weights."""
    own = {each.untyped_storage().data_ptr() for each in network.state_dict().values()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    # in evaluation mode nothing is drawn, and BatchNorm statistics stay as they are
    network.eval()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), autocast(images.device, plan.precision):
        values = front(network, n_front, images)
        # not by `back`: one or two images would go by products, which keep more, and which a whole batch may not take
        network.head(nn.Sequential(*list(network.blocks.values())[n_front:])(values))
    return sum(n_bytes for place, n_bytes in kept.items() if place not in own)


def _mib(n_bytes: int) -> str:
    return f"{n_bytes / 2**20:,.0f} MiB"
