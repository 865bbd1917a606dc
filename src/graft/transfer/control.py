"""The control arm: the same network from random start, with its own rate grid, trained for longer."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from graft.files import read_record
from graft.networks.networks import Network, build_network
from graft.networks.runtime import make_runtime
from graft.params.errors import said_as_keys
from graft.params.network import ARM_KEYS
from graft.params.pipeline import Params
from graft.records.common import Preprocessing
from graft.records.training import RateCurve, TrainingRecord
from graft.training.checkpoints import NOTHING, Keeper
from graft.training.loop import fit
from graft.training.memory import check_room_for_steps
from graft.training.phases import Phase, equal_rates
from graft.training.steps import Plan, Task, Tick
from graft.transfer.arms.judging import judged
from graft.transfer.arms.processes import Crew, bytes_of_run, train_all
from graft.transfer.arms.rate_finder import find_rate
from graft.transfer.arms.rates import RunKey, chosen_runs, every_run, rates_around, seeds_of, trials_of
from graft.transfer.arms.results import saved_runs
from graft.transfer.arms.runs import Train, Trained
from graft.transfer.arms.target_data import Labels, TargetData, left_out_by, part_of, read_data, seen_by

# picklable: reads the target's images anew, in a worker process
Reread = Callable[[], TargetData]


def read_target(params: Params, record: Path, target: Labels, source: Labels) -> TargetData:
    """Read the labelled images for the control, onto the device that the environment names.

    Args:
        params: all of params.yaml.
        record: record of the preprocessing, by which the stores were made.
        target: images of the target.
        source: train and validation images of the source, which are read where the target has no labels to train on.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the images do not fit into memory, or GRAFT_DEVICE names no device of this machine.
    """
    runtime = make_runtime(params.seed)
    preprocessing = read_record(Preprocessing, record)
    return read_data(target, source, preprocessing, params.recipes[params.training.augmentation], runtime)


@said_as_keys(ARM_KEYS)
def train_scratch(
    data: TargetData, params: Params, folder: Path, half_done: Path, reread: Reread | None = None
) -> TrainingRecord:
    """Train the control with every seed at every rate, and write the weights of each seed's best run.

    Its runs are `long_factor` times as long as those of transfer, and the best epoch on validation counts: a network
    from random start needs longer (He, Girshick and Dollar 2019), and no more than it needs is held against it.

    Args:
        data: the target's images.
        params: all of params.yaml.
        folder: of the weights.
        half_done: folder of the checkpoints.
        reread: how a worker process reads the data; None: all runs are trained in this process.

    Raises:
        ValueError: the steps do not fit into memory.
        RuntimeError: a process died.
    """
    crew = _crew(data, params, reread)
    curve = _rate_curve(data, params) if params.training.find_rate else None
    rates = params.train_scratch.rates
    rates = rates if curve is None else rates_around(curve.suggested, len(rates))
    runs = every_run(seeds_of(params.seed, params.training), rates)
    n_images = len(runs) * epochs_of(params) * len(seen_by(data, params.training, params.seed))
    fitted = train_all(runs, half_done, trainer(data, params), crew, ("train_scratch", n_images))
    blank, to = partial(_new_network, data, params), (folder, params.network.name)
    return TrainingRecord(
        arm="scratch",
        strategy="scratch",
        network=params.network.name,
        block_factors=equal_rates(list(_new_network(data, params).blocks), 1.0),
        batchnorm="train",
        flip=data.recipe.flip,
        rate_curve=curve,
        trials=trials_of(fitted),
        runs=saved_runs(chosen_runs(fitted), fitted, half_done, blank, to),
    )


def trainer(data: TargetData, params: Params) -> Train:
    """What trains a run of the control."""

    def train(run: RunKey, tick: Tick, keeper: Keeper) -> Trained:
        torch.manual_seed(run.seed)
        network = _new_network(data, params)
        seen = part_of(data.train, seen_by(data, params.training, run.seed))
        plan = _plan(data, params, network, run.rate)
        fitted = fit(network, seen, data.val, plan, run.seed, tick, keeper)
        return Trained(network, judged(network, fitted, data, plan, left_out_by(data, params.training, run.seed)))

    return train


def _trainer_from(reread: Reread, params: Params) -> Train:
    """What trains a run in a worker process."""
    return trainer(reread(), params)


def epochs_of(params: Params) -> int:
    """Epochs of a run of the control."""
    return params.train_scratch.long_factor * params.training.epochs


def _crew(data: TargetData, params: Params, reread: Reread | None) -> Crew:
    """Who trains the runs; refuses where the steps of a single run do not fit into memory."""
    network = _new_network(data, params)
    plan = _plan(data, params, network, 1.0)
    check_room_for_steps(network, data.train, plan)
    make = None if reread is None else partial(_trainer_from, reread, params)
    return Crew(data.runtime, bytes_of_run(network, data, plan), make)


def _new_network(data: TargetData, params: Params) -> Network:
    network = build_network(params.network.name, len(data.classes), data.preprocessing, params.training.head)
    return network.to(data.train.labels.device)


def _plan(data: TargetData, params: Params, network: Network, rate: float) -> Plan:
    rates = equal_rates(list(network.blocks), rate)
    phase = Phase("scratch", rates, epochs_of(params), params.training.patience)
    return Plan((phase,), params.training, data.recipe, data.runtime.precision)


def _rate_curve(data: TargetData, params: Params) -> RateCurve:
    torch.manual_seed(params.seed)
    network = _new_network(data, params)
    train = part_of(data.train, seen_by(data, params.training, params.seed))
    plan = _plan(data, params, network, 1.0)
    return find_rate(network, Task(train, data.val, plan, params.seed, lambda n: None, NOTHING))
