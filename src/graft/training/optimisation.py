"""Optimizer and schedule of a phase."""

import math
from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from graft.params.learning import Learning, WarmRestarts

# of one type, on one device
Tensors = tuple[Tensor, ...] | list[Tensor]


def build_optimizer(
    parts: Mapping[str, list[nn.Parameter]],
    rates: Mapping[str, float],
    settings: Learning,
    undecayed: Collection[str] = (),
) -> Optimizer:
    """Optimizer with two groups for each learning rate: weights, which decay, and biases and norms, which do not.

    Args:
        parts: trained parameters by part of the network.
        rates: peak learning rate by part.
        settings: optimizer and weight decay.
        undecayed: parts of which nothing decays.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameters in parts.items():
        for each in parameters:
            # biases and the parameters of norms are vectors, weights have two axes or more
            groups.setdefault((rates[name], each.ndim > 1 and name not in undecayed), []).append(each)
    made = [
        {"params": members, "weight_decay": settings.weight_decay if decays else 0.0, "lr": rate}
        for (rate, decays), members in groups.items()
    ]
    if settings.optimizer == "adamw":
        return AdamW(made, fused=True)
    momentum = settings.optimizer.momentum
    return SGD(made, momentum=momentum, nesterov=momentum > 0, fused=True)


def build_schedule(optimizer: Optimizer, n_steps: int, settings: Learning) -> LRScheduler:
    """Learning-rate schedule over all steps of a phase; its peaks are the rates that the optimizer was built with."""
    n_steps = max(n_steps, 2)
    if settings.schedule == "one_cycle":
        peaks = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(
            optimizer,
            max_lr=peaks,
            total_steps=n_steps,
            pct_start=max(settings.warmup, 1.5 / n_steps),
            # momentum of sgd is a param, which a cycle would override
            cycle_momentum=settings.optimizer == "adamw",
        )
    return LambdaLR(optimizer, _factor(n_steps, settings))


def _factor(n_steps: int, settings: Learning) -> Callable[[int], float]:
    """Learning rate at a step, counted from 0, as a share of the peak.

    Source: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR (2017); all cycles
    are of equal length.
    """
    n_warm = min(round(settings.warmup * n_steps), n_steps - 1)
    schedule = settings.schedule
    n_cycles = schedule.restarts if isinstance(schedule, WarmRestarts) else {"cosine": 1}.get(schedule, 0)
    length = (n_steps - n_warm) / max(n_cycles, 1)

    def factor(step: int) -> float:
        if step < n_warm:
            return (step + 1) / (n_warm + 1)
        if n_cycles == 0:
            return 1.0
        # position in the cycle, in [0, 1); the last step must not begin another cycle
        through = min((step - n_warm) / length, n_cycles * (1 - 1e-12)) % 1.0
        return (1 + math.cos(math.pi * through)) / 2

    return factor


def running_mean(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """Update function of an exponential running mean of weights, in place; counters are copied.

    torch's own update rounds the mean of counters downwards, so that counters of frozen blocks would change.
    """

    @torch.no_grad()
    def update(means: Tensors, values: Tensors, n_averaged: Tensor | int) -> None:
        if means[0].is_floating_point():
            torch._foreach_lerp_(means, values, 1 - decay)
        else:
            torch._foreach_copy_(means, values)

    return update


def take_step(
    optimizer: Optimizer, schedule: LRScheduler, parameters: list[nn.Parameter], clip_norm: float | None
) -> None:
    """Take one step of the optimizer and the schedule, and drop the gradients."""
    if clip_norm is not None:
        torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    schedule.step()
