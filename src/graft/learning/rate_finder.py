"""Which learning rate: the loss while the rate rises from far too small to far too large."""

import copy
import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graft.learning.activations import back, front
from graft.learning.batches import batch_rows
from graft.learning.device import autocast
from graft.learning.networks import Network
from graft.learning.optimisation import build_optimizer
from graft.learning.phases import set_modes, trained_parameters
from graft.learning.steps import Task
from graft.records import RateCurve

N_STEPS = 100
LOWEST, HIGHEST = 1e-5, 1.0
"""rates of the head; those of the blocks keep their ratio to it"""
MEMORY = 0.9
"""of the running mean of the loss"""
DIVERGED = 4.0
"""times the lowest loss, or that of a guess where this is larger, where the search ends"""
FEWEST = 3
"""points of a curve that has a slope"""


def find_rate(network: Network, task: Task) -> RateCurve:
    """Loss at each of N_STEPS rates, and the rate at which it falls most steeply.

    A copy of the network is trained by the first phase of the plan; the rate rises by the same factor at each
    step. The losses are a running mean, freed of its start at zero.

    Args:
        network: that will be trained; it stays as it is.
        task: images, plan and seed of the run to come.

    Raises:
        ValueError: the loss is no number from the start.

    Source: Smith, Cyclical learning rates for training neural networks, WACV (2017).
    """
    trial, plan, train = copy.deepcopy(network), task.plan, task.train
    phase = plan.phases[0]
    generator = torch.Generator().manual_seed(task.seed)
    parts = trained_parameters(trial, phase)
    shares = {name: rate / phase.rates["head"] for name, rate in phase.rates.items()}
    optimizer = build_optimizer(parts, shares, plan.optimisation)
    bases = [group["lr"] for group in optimizer.param_groups]
    rates = np.geomspace(LOWEST, HIGHEST, N_STEPS)
    guess = math.log(trial.n_classes)
    losses: list[float] = []
    mean = 0.0
    batches: Iterator[Tensor] = iter(())
    set_modes(trial, phase, plan.batchnorm)
    for number, rate in enumerate(rates.tolist()):
        rows = next(batches, None)
        if rows is None:
            batches = iter(batch_rows(len(train.labels), plan.batch_size, generator))
            rows = next(batches)
        rows = rows.to(train.labels.device)
        for group, base in zip(optimizer.param_groups, bases, strict=True):
            group["lr"] = base * rate
        with autocast(rows.device, plan.precision):
            logits = back(trial, 0, front(trial, 0, train.images[rows], plan.preprocessing)).float()
        loss = F.cross_entropy(logits, train.labels[rows], label_smoothing=plan.label_smoothing)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        mean = MEMORY * mean + (1 - MEMORY) * loss.item()
        losses.append(mean / (1 - MEMORY ** (number + 1)))
        if not losses[-1] <= DIVERGED * max(min(losses), guess):  # or no number
            break
    kept = [(rate, loss) for rate, loss in zip(rates.tolist(), losses, strict=False) if math.isfinite(loss)]
    if len(kept) < FEWEST:
        raise ValueError(
            f"params.yaml, training.find_rate: want a loss that is a number for {FEWEST} steps, got {len(kept)}. "
            "Set it to false, and look at the network's weights."
        )
    return RateCurve(
        rates=tuple(rate for rate, _ in kept), losses=tuple(loss for _, loss in kept), suggested=_steepest(kept)
    )


def _steepest(curve: list[tuple[float, float]]) -> float:
    """Rate where the loss falls fastest with the logarithm of the rate, before its lowest point."""
    rates, losses = (np.array(each) for each in zip(*curve, strict=True))
    end = max(int(losses.argmin()), 2)
    slopes = np.gradient(losses[: end + 1], np.log(rates[: end + 1]))
    return float(rates[int(slopes.argmin())])
