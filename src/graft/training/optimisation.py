"""Optimizer and schedule of a phase."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from graft.params.learning import OptimizerChoice, ScheduleChoice, WarmRestarts

Tensors = tuple[Tensor, ...] | list[Tensor]
"""of one type, on one device"""


class Optimisation(NamedTuple):
    """How weights are moved."""

    optimizer: OptimizerChoice
    weight_decay: float
    """on weights; biases and norms do not decay"""
    schedule: ScheduleChoice
    warmup: float
    """share of the steps in which the rate rises to its peak"""
    clip_norm: float | None
    """largest norm of all gradients together; None: as large as they come"""
    accumulate: int
    """batches whose gradients make one step"""


def build_optimizer(
    parts: Mapping[str, list[nn.Parameter]], rates: Mapping[str, float], settings: Optimisation
) -> Optimizer:
    """One optimizer with a group for the weights and a group for the biases and norms at each rate.

    Args:
        parts: parameters that learn, by part.
        rates: peak learning rate by part.
        settings: which optimizer, and its values.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameters in parts.items():
        for each in parameters:
            groups.setdefault((rates[name], each.ndim > 1), []).append(each)
    made = [
        {"params": members, "weight_decay": settings.weight_decay if decays else 0.0, "lr": rate}
        for (rate, decays), members in groups.items()
    ]
    if settings.optimizer == "adamw":
        return AdamW(made, fused=True)
    momentum = settings.optimizer.momentum
    return SGD(made, momentum=momentum, nesterov=momentum > 0, fused=True)


def build_schedule(optimizer: Optimizer, n_steps: int, settings: Optimisation) -> LRScheduler:
    """The schedule over all steps of a phase; its peaks are the rates that the optimizer was built with."""
    n_steps = max(n_steps, 2)
    if settings.schedule == "one_cycle":
        peaks = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(
            optimizer,
            max_lr=peaks,
            total_steps=n_steps,
            pct_start=max(settings.warmup, 1.5 / n_steps),
            cycle_momentum=settings.optimizer == "adamw",  # that of sgd is a param
        )
    return LambdaLR(optimizer, _factor(n_steps, settings))


def _factor(n_steps: int, settings: Optimisation) -> Callable[[int], float]:
    """Share of the peak rate at a step, from 0 on.

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
        through = min((step - n_warm) / length, n_cycles * (1 - 1e-12)) % 1.0
        return (1 + math.cos(math.pi * through)) / 2

    return factor


def running_mean(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """Update of an exponential running mean of weights; counters are taken over as they are.

    torch's own update rounds a mean of counters downwards, so that those of frozen blocks would not stand still.
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
    """One step of the optimizer and the schedule; gradients are gone afterwards."""
    if clip_norm is not None:
        torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    schedule.step()
