"""The learning rate finder: the loss while the rate rises from far too small to far too large."""

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
from graft.training.loop import TERM_SEEDS, feed_of, made_terms, optimizer_of
from graft.training.phases import trained_parameters
from graft.training.run import Run, Stepping
from graft.training.steps import Task, steps_of_epoch

N_STEPS = 100
# learning rates of the head; those of the blocks keep their ratio to it
LOWEST, HIGHEST = 1e-5, 1.0
# decay of the running mean of the loss
MEMORY = 0.9
# the search ends at this multiple of the lowest loss, or of the loss of a guess where that is larger
DIVERGED = 4.0
# points that a curve needs
FEWEST = 3
# a rise of the loss by this share of the loss of a guess is more than noise
RISE = 0.1
# the suggestion is the rate of that rise divided by this
BELOW = 10.0


def find_rate(network: Network, task: Task) -> RateCurve:
    """Measure the loss at each of N_STEPS rates, and suggest a rate well below the one at which it rises again.

    A copy of the network takes the same steps as the run to come, by the first phase of its plan. Only the schedule
    differs: the rate rises by the same factor at each step. The losses are a running mean, corrected for its start at
    zero. The place where the loss falls most steeply is no guide: from a start that already fits the train images it
    hardly falls, and the steepest place is noise.

    Args:
        network: the network that will be trained; it is not changed.
        task: images, plan and seed of the run to come; its tick and keeper hear of the trial.

    Raises:
        ValueError: the loss is not a number from the start, or the fixed views do not fit into memory.

    Source: Smith, Cyclical learning rates for training neural networks, WACV (2017).
    """
    # for dropout
    torch.manual_seed(task.seed)
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
    """Running mean of the loss at one rate after the other, until it diverges or is not a number."""
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
    """Yield the loss of each step, one step for each rate."""
    phase = task.plan.phases[0]
    trained = trained_parameters(trial, phase)
    shares = {name: rate / phase.rates["head"] for name, rate in phase.rates.items()}
    terms = made_terms(trial, task.plan)
    optimizer = optimizer_of(trained, terms, shares, task.plan.learning)
    schedule = LambdaLR(optimizer, lambda step: rates[min(step, len(rates) - 1)])
    stepping = Stepping([each for members in trained.values() for each in members], optimizer, schedule, None)
    generator, beside = (torch.Generator().manual_seed(task.seed + apart) for apart in (0, TERM_SEEDS))
    run = Run(trial, generator, Score(math.inf, 0.0), 0, {}, terms=terms, beside=beside)
    feed = feed_of(trial, phase, task)
    for epoch in range(len(rates)):
        run.epoch, run.step, run.n_seen, before, n_before = epoch, 0, 0, 0.0, 0
        for _ in steps_of_epoch(run, phase, task, feed, stepping):
            summed, n_seen = run.loss.item(), run.n_seen
            yield (summed - before) / (n_seen - n_before)
            before, n_before = summed, n_seen


def _below_the_rise(rates: Sequence[float], losses: Sequence[float], guess: float) -> float:
    """A rate at which a run is stable: 1 / BELOW of the rate at which the loss rises after its lowest point."""
    lowest = min(losses)
    after = range(losses.index(lowest), len(losses))
    risen = next((place for place in after if losses[place] > lowest + RISE * guess), after[-1])
    return rates[risen] / BELOW
