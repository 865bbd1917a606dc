"""The control arm: the same network from random start, with its own rate grid, at two budgets."""

import shutil
from pathlib import Path

import numpy as np
import torch

from graft.networks.networks import Network, build_network
from graft.params.pipeline import Params
from graft.records.common import Budget
from graft.records.training import RateCurve, TrainingRecord
from graft.training.checkpoints import NOTHING, Keeper
from graft.training.loop import fit
from graft.training.memory import check_room_for_steps
from graft.training.phases import Phase, equal_rates
from graft.training.plans import plan_of
from graft.training.steps import Plan, Task, Tick
from graft.transfer.arms.arms import (
    Arm,
    TargetData,
    part_of,
    rates_around,
    rates_by_seed,
    run_arm,
    save_to,
    seeds_of,
    seen_by,
)
from graft.transfer.arms.rate_finder import find_rate
from graft.transfer.arms.runs import Trained, remembered


def train_scratch(data: TargetData, params: Params, folder: Path, half_done: Path) -> TrainingRecord:
    """Train the control with every seed at both budgets; the weights of the stronger stay in the folder.

    The long budget is there because a network from random start needs longer (He, Girshick and Dollar 2019):
    at the matched budget alone the comparison would flatter transfer. Which budget counts is decided on
    validation, so a reader of the record can see when the control was given more steps than transfer.

    Args:
        data: the target's images.
        params: all of params.yaml.
        folder: of the weights.
        half_done: folder of the checkpoints.

    Raises:
        ValueError: the steps do not fit into memory.
    """
    from tqdm import tqdm

    epochs = params.training.epochs
    budgets: dict[Budget, int] = {"matched": epochs, "long": epochs * params.train_scratch.long_factor}
    network = _new_network(data, params).to(data.train.labels.device)
    check_room_for_steps(network, data.train, _plan(data, params, network, 1.0, epochs))
    seed, n_rates = params.seed, len(params.train_scratch.rates)
    curve = _rate_curve(data, params) if params.training.find_rate else None
    rates = params.train_scratch.rates if curve is None else rates_around(curve.suggested, n_rates)
    n_epochs = sum(rates_by_seed(n_rates, params.training.n_seeds)) * sum(budgets.values())
    n_images = n_epochs * len(seen_by(data, params.training, seed))
    with tqdm(total=n_images, desc="train_scratch", unit=" images", disable=None) as bar:
        arms = {
            budget: _arm((budget, budgets[budget]), rates, data, params, (folder, half_done, bar.update))
            for budget in budgets
        }
    stronger = max(arms, key=lambda budget: _val_accuracy(arms[budget]))  # a tie goes to the matched budget
    _keep(folder, stronger)
    arm = arms[stronger]
    return TrainingRecord(
        arm="scratch",
        strategy="scratch",
        network=params.network.name,
        rate=arm.rate,
        block_rates=equal_rates(list(network.blocks), arm.rate),
        batchnorm="train",
        flip=data.recipe.flip,
        rate_curve=curve,
        budget=stronger,
        trials=arms["matched"].trials + arms["long"].trials,
        runs=arm.runs,
    )


def _new_network(data: TargetData, params: Params) -> Network:
    return build_network(params.network.name, len(data.classes), data.preprocessing, params.training.head)


def _plan(data: TargetData, params: Params, network: Network, rate: float, epochs: int) -> Plan:
    rates = equal_rates(list(network.blocks), rate)
    phase = Phase("scratch", rates, epochs, params.training.patience, norms_only=False)
    return plan_of((phase,), params.training, data.recipe, data.runtime.precision)


def _rate_curve(data: TargetData, params: Params) -> RateCurve:
    torch.manual_seed(params.seed)
    network = _new_network(data, params).to(data.train.labels.device)
    train = part_of(data.train, seen_by(data, params.training, params.seed))
    plan = _plan(data, params, network, 1.0, params.training.epochs)
    return find_rate(network, Task(train, data.val, plan, params.seed, lambda n: None, NOTHING))


def _arm(
    budget: tuple[Budget, int],
    rates: tuple[float, ...],
    data: TargetData,
    params: Params,
    to: tuple[Path, Path, Tick],
) -> Arm:
    (name, epochs), (folder, half_done, tick) = budget, to

    def run(seed: int, rate: float, keeper: Keeper) -> Trained:
        torch.manual_seed(seed)
        network = blank()
        train = part_of(data.train, seen_by(data, params.training, seed))
        plan = _plan(data, params, network, rate, epochs)
        return Trained(network, fit(network, train, data.val, plan, seed, tick, keeper))

    def blank() -> Network:
        return _new_network(data, params).to(data.train.labels.device)

    runs = remembered(run, blank, half_done / name, tick)
    seeds = seeds_of(params.seed, params.training)
    return run_arm(runs, seeds, rates, name, save_to(folder / name, params.network.name))


def _val_accuracy(arm: Arm) -> float:
    return float(np.mean([run.val_accuracy for run in arm.runs]))


def _keep(folder: Path, budget: Budget) -> None:
    """Move one budget's weights up into the folder and delete the other's."""
    for file in (folder / budget).iterdir():
        file.replace(folder / file.name)
    for each in ("matched", "long"):
        shutil.rmtree(folder / each)
