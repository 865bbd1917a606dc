"""Which learning rate: the loss while the rate rises from far too small to far too large."""

import copy
import math
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch.optim.lr_scheduler import LambdaLR

from graft.networks.networks import Network
from graft.networks.outputs import Score
from graft.records.training import RateCurve
from graft.training.loop import feed_of
from graft.training.optimisation import build_optimizer
from graft.training.phases import trained_parameters
from graft.training.run import Run, Stepping
from graft.training.steps import Task, steps_of_epoch

N_STEPS = 100
LOWEST, HIGHEST = 1e-5, 1.0
"""rates of the head; those of the blocks keep their ratio to it"""
MEMORY = 0.9
"""of the running mean of the loss"""
DIVERGED = 4.0
"""times the lowest loss, or that of a guess where this is larger, where the search ends"""
FEWEST = 3
"""points of a curve"""
RISE = 0.1
"""times the loss of a guess: what is more than noise"""
BELOW = 10.0
"""times the suggestion lies below the rate at which the loss has risen so far"""


def find_rate(network: Network, task: Task) -> RateCurve:
    """Loss at each of N_STEPS rates, and a rate well below that at which it rises again.

    A copy of the network takes the very steps of the run to come, by the first phase of the plan: what differs is the
    schedule, by which the rate rises by the same factor at each step. The losses are a running mean, freed of its
    start at zero. Where it falls most steeply is no guide: from a start that fits the train images already it hardly
    falls, and the steepest place is noise.

    Args:
        network: that will be trained; it stays as it is.
        task: images, plan and seed of the run to come; what it is told of steps and states is that of the trial.

    Raises:
        ValueError: the loss is no number from the start, or the fixed views do not fit into memory.

    Source: Smith, Cyclical learning rates for training neural networks, WACV (2017).
    """
    torch.manual_seed(task.seed)  # of dropout
    rates = np.geomspace(LOWEST, HIGHEST, N_STEPS).tolist()
    guess = math.log(network.n_classes)
    losses = _losses(copy.deepcopy(network), task, rates, guess)
    if len(losses) < FEWEST:
        raise ValueError(
            f"params.yaml, training.find_rate: want a loss that is a number for {FEWEST} steps, got {len(losses)}. "
            "Set it to false, and look at the network's weights."
        )
    rates = rates[: len(losses)]
    return RateCurve(rates=tuple(rates), losses=tuple(losses), suggested=_below_the_rise(rates, losses, guess))


def _losses(trial: Network, task: Task, rates: Sequence[float], guess: float) -> list[float]:
    """Running mean of the loss at one rate after the other, until it diverges or is no number."""
    losses: list[float] = []
    mean = 0.0
    for number, loss in enumerate(islice(_steps(trial, task, rates), len(rates)), start=1):
        mean = MEMORY * mean + (1 - MEMORY) * loss
        if not math.isfinite(mean):
            break
        losses.append(mean / (1 - MEMORY**number))
        if losses[-1] > DIVERGED * max(min(losses), guess):
            break
    return losses


def _steps(trial: Network, task: Task, rates: Sequence[float]) -> Iterator[float]:
    """Loss of each step, one a rate."""
    phase = task.plan.phases[0]
    trained = trained_parameters(trial, phase)
    shares = {name: rate / phase.rates["head"] for name, rate in phase.rates.items()}
    optimizer = build_optimizer(trained, shares, task.plan.learning)
    schedule = LambdaLR(optimizer, lambda step: rates[min(step, len(rates) - 1)])
    stepping = Stepping([each for members in trained.values() for each in members], optimizer, schedule, None)
    run = Run(trial, torch.Generator().manual_seed(task.seed), Score(math.inf, 0.0), 0, {})
    feed = feed_of(trial, phase, task)
    for epoch in range(len(rates)):
        run.epoch, run.step, run.n_seen, before, n_before = epoch, 0, 0, 0.0, 0
        for _ in steps_of_epoch(run, phase, task, feed, stepping):
            summed, n_seen = run.loss.item(), run.n_seen
            yield (summed - before) / (n_seen - n_before)
            before, n_before = summed, n_seen


def _below_the_rise(rates: Sequence[float], losses: Sequence[float], guess: float) -> float:
    """So far below the rate at which the loss has left its lowest point for good that a run is stable there."""
    lowest = min(losses)
    after = range(losses.index(lowest), len(losses))
    risen = next((place for place in after if losses[place] > lowest + RISE * guess), after[-1])
    return rates[risen] / BELOW
