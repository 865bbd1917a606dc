"""The training loop: one run of one network, its best epoch on validation kept."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from graft.learning.augmentation import Augmentation, augmented
from graft.learning.batches import Samples, batch_rows, normalised
from graft.learning.networks import Network
from graft.learning.scores import Score, evaluate
from graft.records import Epoch, Preprocessing


class Plan(NamedTuple):
    """How a run goes."""

    rates: Mapping[str, float]
    """peak learning rate by block, `head` included; 0 keeps a block frozen"""
    epochs: int
    batch_size: int
    weight_decay: float
    augmentation: Augmentation
    preprocessing: Preprocessing


class Fitted(NamedTuple):
    """The end of a run; the network given now holds its best epoch's weights."""

    best_epoch: int
    """0: the start of the run was not surpassed"""
    best: Score
    curve: tuple[Epoch, ...]


def fit(network: Network, train: Samples, val: Samples, plan: Plan, seed: int, tick: Callable[[], object]) -> Fitted:
    """Train a network and leave it with the weights of its best epoch on validation.

    Order and augmentation are drawn from the seed alone, on the CPU: two arms with one seed see the same
    images in the same order under the same augmentation.

    Args:
        network: on its device; blocks with rate 0 stay untouched, BatchNorm statistics included.
        train: images to learn from.
        val: images to choose the epoch by: highest accuracy, then lowest loss, then the earliest.
        plan: rates, budget and the rest.
        seed: of order and augmentation.
        tick: called after each epoch, for a progress bar.
    """
    generator = torch.Generator().manual_seed(seed)
    steps = len(batch_rows(len(train.labels), plan.batch_size, torch.Generator()))
    optimizer, schedule = _optimizer(network, plan, plan.epochs * steps)
    best_epoch, best = 0, evaluate(network, val, plan.preprocessing)
    kept = _copy_of(network)
    curve: list[Epoch] = []
    for epoch in range(1, plan.epochs + 1):
        train_loss = _train_epoch(network, train, plan, generator, (optimizer, schedule))
        if not math.isfinite(train_loss):  # the rate was too large: the best epoch so far stands
            break
        score = evaluate(network, val, plan.preprocessing)
        curve.append(Epoch(epoch=epoch, train_loss=train_loss, val_loss=score.loss, val_accuracy=score.accuracy))
        if (score.accuracy, -score.loss) > (best.accuracy, -best.loss):
            best_epoch, best, kept = epoch, score, _copy_of(network)
        tick()
    network.load_state_dict(kept)
    return Fitted(best_epoch, best, tuple(curve))


def _train_epoch(
    network: Network,
    train: Samples,
    plan: Plan,
    generator: torch.Generator,
    stepping: tuple[torch.optim.AdamW, OneCycleLR],
) -> float:
    """One pass over the training images; the mean loss. The device is asked for numbers once, at the end."""
    optimizer, schedule = stepping
    _set_training(network, plan.rates)
    total = torch.zeros((), device=train.labels.device)
    for rows in batch_rows(len(train.labels), plan.batch_size, generator):
        rows = rows.to(train.labels.device)
        images = augmented(train.images[rows], plan.augmentation, generator)
        loss = F.cross_entropy(network(normalised(images, plan.preprocessing)), train.labels[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        total += loss.detach() * len(rows)
    return (total / len(train.labels)).item()


def parts_of(network: Network) -> dict[str, nn.Module]:
    """Blocks from input to output, then the head."""
    return {**dict(network.blocks.items()), "head": network.head}


def _set_training(network: Network, rates: Mapping[str, float]) -> None:
    """Training mode for the blocks that learn; frozen ones keep their BatchNorm statistics too."""
    for name, part in parts_of(network).items():
        part.train(rates[name] > 0)


def _optimizer(network: Network, plan: Plan, total_steps: int) -> tuple[torch.optim.AdamW, OneCycleLR]:
    """One optimizer over all blocks, frozen ones at rate 0; weights decay, biases and norms do not."""
    groups, peaks = [], []
    for name, part in parts_of(network).items():
        part.requires_grad_(plan.rates[name] > 0)
        for decays in (True, False):
            members = [each for each in part.parameters() if (each.ndim > 1) is decays]
            if members:
                groups.append({"params": members, "weight_decay": plan.weight_decay if decays else 0.0})
                peaks.append(plan.rates[name])
    optimizer = torch.optim.AdamW(groups, lr=1.0)
    return optimizer, OneCycleLR(optimizer, max_lr=peaks, total_steps=max(total_steps, 2))


def _copy_of(network: Network) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in network.state_dict().items()}
