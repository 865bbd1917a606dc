"""The control arm: the same network from random start, with its own rate grid, at two budgets."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch

from graft.learning.loop import fit
from graft.learning.networks import build_network
from graft.params import Params
from graft.records import TrainingRecord, Trial
from graft.transfer.arms import (
    TargetData,
    Trained,
    part_of,
    plan_of,
    run_seeds,
    save_runs,
    seeds_of,
    seen_by,
    trial_records,
)
from graft.transfer.strategies import equal_rates

Budget = Literal["matched", "long"]


class _Arm(NamedTuple):
    budget: Budget
    runs: dict[int, Trained]
    trials: tuple[Trial, ...]

    @property
    def val_accuracy(self) -> float:
        return float(np.mean([each.fitted.best.accuracy for each in self.runs.values()]))


def train_scratch(data: TargetData, params: Params, folder: Path) -> TrainingRecord:
    """Train the control with every seed at both budgets and write the weights of the stronger.

    The long budget is there because a network from random start needs longer (He, Girshick and Dollar 2019):
    at the matched budget alone the comparison would flatter transfer.
    """
    from tqdm import tqdm

    epochs = params.training.epochs
    n_runs = len(params.train_scratch.rates) + params.training.n_seeds - 1
    total = n_runs * epochs * (1 + params.train_scratch.long_factor)
    with tqdm(total=total, desc="train_scratch", disable=None) as bar:
        matched = _arm("matched", epochs, data, params, bar.update)
        long = _arm("long", epochs * params.train_scratch.long_factor, data, params, bar.update)
    stronger = max(matched, long, key=lambda arm: arm.val_accuracy)  # a tie goes to the matched budget
    network = next(iter(stronger.runs.values())).network
    rate = next(iter(stronger.runs.values())).rate
    return TrainingRecord(
        arm="scratch",
        strategy="scratch",
        network=params.network.name,
        rate=rate,
        block_rates=equal_rates(list(network.blocks), rate),
        frozen_sha256=None,
        budget=stronger.budget,
        trials=matched.trials + long.trials,
        runs=save_runs(stronger.runs, stronger.budget, params.network.name, folder),
    )


def _arm(budget: Budget, epochs: int, data: TargetData, params: Params, tick: Callable[[], object]) -> _Arm:
    def run(seed: int, rate: float) -> Trained:
        torch.manual_seed(seed)
        network = build_network(params.network.name, len(data.classes)).to(data.train.labels.device)
        rates = equal_rates(list(network.blocks), rate)
        plan = plan_of(rates, data, params.training, epochs)
        samples = part_of(data.train, seen_by(data, params.training, seed))
        return Trained(network, fit(network, samples, data.val, plan, seed, tick), rate)

    runs, trials = run_seeds(run, seeds_of(params.seed, params.training), params.train_scratch.rates)
    return _Arm(budget, runs, trial_records(trials, budget))
