"""Memory that training takes, reckoned before it starts: a lower bound, so that nothing that fits is refused."""

import math

import torch
from numpy import uint8
from numpy.typing import NDArray
from torch import Tensor, nn

from graft.networks.networks import Network
from graft.networks.runtime import autocast, free_bytes
from graft.training.activations import front
from graft.training.batches import Samples
from graft.training.phases import Phase, n_frozen_blocks, trained_parameters
from graft.training.steps import Plan

CPU = torch.device("cpu")


def check_room_for_images(store: NDArray[uint8], n: int) -> None:
    """Refuse where so many images of a store do not fit into memory.

    Raises:
        ValueError: they take more than is free.
    """
    needed, free = n * math.prod(store.shape[1:]), free_bytes(CPU)
    if needed > free:
        raise ValueError(
            f"training: want {_mib(needed)} of memory for {n:,} images of {store.shape[1]} x {store.shape[2]} pixels, "
            f"got {_mib(free)} free. Lower images.size_px, or close other programs."
        )


def check_room_for_steps(network: Network, train: Samples, plan: Plan) -> None:
    """Refuse where weights, gradients, the optimizer's moments or a step's activations do not fit into memory.

    Of the phases, that counts which trains most. To be called once, before the first run: a process that has trained
    keeps memory that it uses again, and that counts as taken.

    Raises:
        ValueError: they take more than is free on the device.
    """
    needed, free = needed_bytes(network, train, plan), free_bytes(train.images.device)
    if needed > free:
        n, size = min(plan.batch_size, len(train.labels)), train.images.shape[-1]
        raise ValueError(
            f"training: want {_mib(needed)} of memory for steps of {n} images of {size} x {size} pixels, got "
            f"{_mib(free)} free. Lower training.batch_size or images.size_px, or choose a smaller network.name."
        )


def needed_bytes(network: Network, train: Samples, plan: Plan) -> int:
    """What training takes at least, beyond the network and the images themselves."""
    phase = max(plan.phases, key=lambda each: _trained_bytes(network, each))
    trained = _trained_bytes(network, phase)
    optimizer = plan.optimisation.optimizer
    moments = 2 if optimizer == "adamw" else int(optimizer.momentum > 0)
    copies = 1 if plan.ema_decay is None else 2  # the best epoch's weights, the running mean
    weights: int = sum(each.nbytes for each in network.state_dict().values())
    n_front = n_frozen_blocks(network, phase)
    # what two images keep beyond one grows with the batch; the rest, such as weights cast to bfloat16, does not
    one, two = (_kept_bytes(network, n_front, train.images[:n], plan) for n in (1, 2))
    n = min(plan.batch_size, len(train.labels))
    return trained * (1 + moments) + weights * copies + one + max(two - one, 0) * (n - 1)


def _trained_bytes(network: Network, phase: Phase) -> int:
    return sum(each.nbytes for members in trained_parameters(network, phase).values() for each in members)


def _kept_bytes(network: Network, n_front: int, images: Tensor, plan: Plan) -> int:
    """What a step over these images keeps for its way back, the weights left out."""
    own = {each.untyped_storage().data_ptr() for each in network.state_dict().values()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    network.eval()  # draws nothing, and leaves the statistics of BatchNorm alone
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), autocast(images.device, plan.precision):
        values = front(network, n_front, images)
        # as they are: few images would go by products, which a whole batch may not, and which keep more
        network.head(nn.Sequential(*list(network.blocks.values())[n_front:])(values))
    return sum(n_bytes for place, n_bytes in kept.items() if place not in own)


def _mib(n_bytes: int) -> str:
    return f"{n_bytes / 2**20:,.0f} MiB"
