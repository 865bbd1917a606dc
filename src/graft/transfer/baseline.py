"""The control arm: the same network from random start, with its own rate grid, at two budgets."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from graft.learning.loop import fit
from graft.learning.networks import build_network
from graft.params import Params
from graft.records import Budget, TrainingRecord
from graft.transfer.arms import Arm, TargetData, Trained, part_of, plan_of, run_arm, save_to, seeds_of, seen_by
from graft.transfer.strategies import equal_rates


def train_scratch(data: TargetData, params: Params, folder: Path) -> TrainingRecord:
    """Train the control with every seed at both budgets; the weights of the stronger stay in the folder.

    The long budget is there because a network from random start needs longer (He, Girshick and Dollar 2019):
    at the matched budget alone the comparison would flatter transfer. Which budget counts is decided on
    validation, so a reader of the record can see when the control was given more steps than transfer.
    """
    from tqdm import tqdm

    epochs = params.training.epochs
    budgets: dict[Budget, int] = {"matched": epochs, "long": epochs * params.train_scratch.long_factor}
    n_runs = len(params.train_scratch.rates) + params.training.n_seeds - 1
    with tqdm(total=n_runs * sum(budgets.values()), desc="train_scratch", disable=None) as bar:
        arms = {
            budget: _arm(budget, budgets[budget], data, params, (folder / budget, bar.update)) for budget in budgets
        }
    stronger = max(arms, key=lambda budget: _val_accuracy(arms[budget]))  # a tie goes to the matched budget
    _keep(folder, stronger)
    arm = arms[stronger]
    return TrainingRecord(
        arm="scratch",
        strategy="scratch",
        network=params.network.name,
        rate=arm.rate,
        block_rates=equal_rates(list(build_network(params.network.name, len(data.classes)).blocks), arm.rate),
        frozen_sha256=None,
        budget=stronger,
        trials=arms["matched"].trials + arms["long"].trials,
        runs=arm.runs,
    )


def _arm(budget: Budget, epochs: int, data: TargetData, params: Params, to: tuple[Path, Callable[[], object]]) -> Arm:
    folder, tick = to

    def run(seed: int, rate: float) -> Trained:
        torch.manual_seed(seed)
        network = build_network(params.network.name, len(data.classes)).to(data.train.labels.device)
        plan = plan_of(equal_rates(list(network.blocks), rate), data, params.training, epochs)
        samples = part_of(data.train, seen_by(data, params.training, seed))
        return Trained(network, fit(network, samples, data.val, plan, seed, tick), rate)

    seeds = seeds_of(params.seed, params.training)
    return run_arm(run, seeds, params.train_scratch.rates, budget, save_to(folder, params.network.name))


def _val_accuracy(arm: Arm) -> float:
    return float(np.mean([run.val_accuracy for run in arm.runs]))


def _keep(folder: Path, budget: Budget) -> None:
    """Move one budget's weights up into the folder and delete the other's."""
    for file in (folder / budget).iterdir():
        file.replace(folder / file.name)
    for each in ("matched", "long"):
        shutil.rmtree(folder / each)
