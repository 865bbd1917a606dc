"""The transfer arm: pretrained blocks, a head that starts from the linear probe, then the strategy's phases."""

from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from graft.networks.networks import Network
from graft.networks.outputs import Score
from graft.params.combinations import effective, techniques_on
from graft.params.errors import said_as_keys
from graft.params.network import ARM_KEYS
from graft.records.training import PhaseRecord, RateCurve, RunRecord, TrainingRecord
from graft.training import steps
from graft.training.checkpoints import NOTHING, Keeper
from graft.training.loop import Fitted, fit
from graft.training.memory import check_room_for_steps
from graft.training.objective import score_of
from graft.training.phases import check_frozen, frozen_sha256
from graft.training.steps import Tick
from graft.transfer.arms.judging import judged
from graft.transfer.arms.processes import Crew, bytes_of_run, train_all
from graft.transfer.arms.rate_finder import find_rate
from graft.transfer.arms.rates import Results, RunKey, chosen_runs, every_run, pooled, rates_around, seeds_of, trials_of
from graft.transfer.arms.results import saved_runs
from graft.transfer.arms.runs import Train, Trained
from graft.transfer.arms.target_data import left_out_by, part_of, seen_by
from graft.transfer.finetuning.adapted import unlabelled_score
from graft.transfer.finetuning.little import little, write_deltas
from graft.transfer.finetuning.strategies import block_rates, phases_of
from graft.transfer.finetuning.task import (
    Features,
    Reread,
    Start,
    TransferTask,
    batchnorm_of,
    blank,
    head_c,
    made_ready,
    start_of,
    with_head,
)
from graft.transfer.finetuning.techniques import plan_of
from graft.transfer.tuning.lora import merge_lora


@said_as_keys(ARM_KEYS)
def finetune_target(task: TransferTask, folder: Path, half_done: Path, reread: Reread | None = None) -> TrainingRecord:
    """Train the transfer arm with every seed at every rate, and write the weights of each seed's best run.

    Args:
        task: what the arm is trained from.
        folder: of the weights.
        half_done: folder of the checkpoints.
        reread: how a worker process reads the task; None: all runs are trained in this process.

    Raises:
        ValueError: surgical names a block that the network does not have, norms has no layer to train, or the steps
            or fixed views do not fit into memory.
        RuntimeError: a frozen block changed, or a process died.
    """
    block_rates(task.strategy.choice, list(task.backbone.network.blocks), 1.0, task.params.finetune_target)
    start, seeds = start_of(task), seeds_of(task.params.seed, task.params.training)
    # refuses techniques that cannot work, where a head is fitted at once too
    plan_of(task, start, 1.0)
    crew = _crew(task, start, reread) if by_steps(task) else Crew(task.data.runtime)
    curve = _rate_curve(task, start, seeds[0]) if by_steps(task) and task.params.training.find_rate else None
    runs = every_run(seeds, _rates(task, curve))
    n_epochs = task.params.training.epochs if by_steps(task) else 1
    n_images = len(runs) * n_epochs * _n_seen(task)
    fitted = train_all(runs, half_done, trainer(task, start), crew, ("finetune_target", n_images))
    to = (folder, task.backbone.name)
    saved = saved_runs(chosen_runs(fitted), fitted, half_done, partial(blank, task, start), to)
    delta_bytes = write_deltas(task, chosen_runs(fitted), half_done, folder)
    # after the runs, because a process that has trained is the one that may import peft
    counts = {**little(task, start)._asdict(), "delta_bytes": delta_bytes}
    return _record(task, curve, fitted, saved).model_copy(update=counts)


def trainer(task: TransferTask, start: Start) -> Train:
    """What trains a run of the arm."""

    def train(run: RunKey, tick: Tick, keeper: Keeper) -> Trained:
        torch.manual_seed(run.seed)  # of a random head
        return _tune(task, start, run, tick, keeper) if by_steps(task) else _extract(task, start, run, tick)

    return train


def _trainer_from(reread: Reread) -> Train:
    """What trains a run in a worker process."""
    task = reread()
    return trainer(task, start_of(task))


def by_steps(task: TransferTask) -> bool:
    """Whether runs are trained step by step; a linear head on frozen blocks is fitted at once."""
    return task.strategy.choice != "feature_extraction" or task.params.training.head != "linear"


def _crew(task: TransferTask, start: Start, reread: Reread | None) -> Crew:
    """Who trains the runs; refuses where the steps of a single run do not fit into memory."""
    network = made_ready(task, blank(task, start).to(task.data.train.labels.device))
    plan = plan_of(task, start, 1.0)
    check_room_for_steps(network, task.data.train, plan)
    beside = start.train.nbytes + task.backbone.features.nbytes + task.companions.nbytes
    n_bytes = bytes_of_run(network, task.data, plan) + beside
    make = None if reread is None else partial(_trainer_from, reread)
    return Crew(task.data.runtime, n_bytes, make)


def _n_seen(task: TransferTask) -> int:
    """Images that a seed trains on."""
    return len(seen_by(task.data, task.params.training, task.params.seed))


def _rates(task: TransferTask, curve: RateCurve | None) -> tuple[float, ...]:
    """Learning rates to try, or for a head that is fitted as many strengths of its regularisation."""
    rates = task.params.finetune_target.rates
    if not by_steps(task):
        return tuple(head_c(task.strategy) * 10.0 ** (index - (len(rates) - 1) / 2) for index in range(len(rates)))
    return rates if curve is None else rates_around(curve.suggested, len(rates))


def _extract(task: TransferTask, start: Start, run: RunKey, tick: Tick) -> Trained:
    """Feature extraction with a linear head: it is fitted on cached features, and the backbone is not run again."""
    data, params, c = task.data, task.params, run.rate
    (phase,) = phases_of("feature_extraction", list(start.network.blocks), c, params.finetune_target, 1, None)
    before = frozen_sha256(start.network, phase, "frozen")
    places = seen_by(data, params.training, run.seed)
    network = with_head(task, start, places, c)
    score = _score(network, start.val, data.val.labels)
    unlabelled = unlabelled_score(task)
    left_out = left_out_by(data, params.training, run.seed)
    choice = None
    if unlabelled is not None:
        score = score._replace(unlabelled=unlabelled(network))
    elif len(left_out):
        own = _score(network, start.plain[left_out], data.train.labels[left_out])
        choice = pooled(score, len(data.val.labels), own, len(left_out))
    check_frozen(network, phase, "frozen", before)
    record = PhaseRecord(
        name="head",
        trained=("head",),
        epochs=0,
        val_accuracy=score.accuracy,
        rolled_back=False,
        frozen_sha256=before,
    )
    tick(len(places))
    return Trained(network, Fitted(0, score, (), (record,), len(places), choice))


def _score(network: Network, features: Features, labels: Tensor) -> Score:
    """Score of the head on (n, d) features."""
    with torch.inference_mode():
        return score_of(network.head(torch.from_numpy(features).to(labels.device)), labels)


def _tune(task: TransferTask, start: Start, run: RunKey, tick: Tick, keeper: Keeper) -> Trained:
    """One run of the loop, over the phases of the strategy."""
    data = task.data
    places = seen_by(data, task.params.training, run.seed)
    network = with_head(task, start, places, head_c(task.strategy))
    plan = plan_of(task, start, run.rate)
    fitted = fit(network, part_of(data.train, places), data.val, plan, run.seed, tick, keeper)
    fitted = judged(network, fitted, data, plan, left_out_by(data, task.params.training, run.seed))
    return Trained(network, fitted, merge_lora(network))


def _rate_curve(task: TransferTask, start: Start, seed: int) -> RateCurve:
    data = task.data
    torch.manual_seed(seed)  # of a random head
    places = seen_by(data, task.params.training, seed)
    network = with_head(task, start, places, head_c(task.strategy))
    train = part_of(data.train, places)
    return find_rate(network, steps.Task(train, data.val, plan_of(task, start, 1.0), seed, lambda n: None, NOTHING))


def _record(task: TransferTask, curve: RateCurve | None, tried: Results, runs: tuple[RunRecord, ...]) -> TrainingRecord:
    choice, blocks = task.strategy.choice, list(task.backbone.network.blocks)
    settings = effective(choice, task.params.finetune_target)
    return TrainingRecord(
        arm="transfer",
        strategy=choice,
        techniques=techniques_on(settings),
        keeping=settings.keeping,
        adapting=settings.adapting,
        tuning=settings.tuning,
        choose_by=settings.choose_by,
        network=task.backbone.name,
        block_factors=block_rates(choice, blocks, 1.0, settings),
        batchnorm=batchnorm_of(task.params),
        flip=task.data.recipe.flip if by_steps(task) or settings.views else 0.0,
        rate_curve=curve,
        trials=trials_of(tried),
        runs=runs,
    )
