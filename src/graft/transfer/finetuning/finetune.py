"""The transfer arm: pretrained blocks, a head that starts from the linear probe, then the strategy's phases."""

import copy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from graft.networks.networks import Network, with_new_head
from graft.networks.outputs import score_of
from graft.params.pipeline import Params
from graft.records.strategy import StrategyRecord
from graft.records.training import PhaseRecord, RateCurve, TrainingRecord
from graft.statistics.features import probe
from graft.training import loop, steps
from graft.training.activations import AT_ONCE, activations, parts
from graft.training.augmentation.augmentation import augmented
from graft.training.checkpoints import NOTHING, Keeper
from graft.training.loop import Fitted, fit
from graft.training.memory import check_room_for_steps
from graft.training.phases import BatchNormPolicy, adapt_batchnorm, check_frozen, frozen_sha256, n_frozen_blocks
from graft.training.plans import plan_of
from graft.training.steps import Plan, Tick
from graft.transfer.arms.arms import (
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
from graft.transfer.finetuning.strategies import block_rates, check_norms, phases_of

Features = NDArray[np.float32]


class Backbone(NamedTuple):
    """Pretrained blocks and what they say of every target image."""

    network: Network
    name: str
    features: Features
    """(n, d) cached features of all target images, in the order of the store"""


class Task(NamedTuple):
    """What the transfer arm is trained from and by."""

    backbone: Backbone
    data: TargetData
    strategy: StrategyRecord
    params: Params


class Start(NamedTuple):
    """What every run of the arm starts from."""

    network: Network
    """on the device of the images"""
    train: Features
    """(v, n, d) features of the train images, of each fixed view where there are any"""
    val: Features
    """(m, d)"""


def finetune_target(task: Task, folder: Path, half_done: Path) -> TrainingRecord:
    """Train the transfer arm with every seed and write its weights.

    Args:
        task: what is trained from what.
        folder: of the weights.
        half_done: folder of the checkpoints.

    Raises:
        ValueError: surgical names a block that the network has not, norms has no layer to train, or the steps or
            fixed views do not fit into memory.
        RuntimeError: a frozen block changed.
    """
    from tqdm import tqdm

    backbone, data, strategy, params = task
    settings, blocks = params.finetune_target, list(backbone.network.blocks)
    block_rates(strategy.choice, blocks, 1.0, settings)  # a name that is no block's gets its sentence first
    seeds, start = seeds_of(params.seed, params.training), start_of(task)
    by_steps = strategy.choice != "feature_extraction" or params.training.head != "linear"
    if by_steps:
        check_room_for_steps(_blank(task, start).to(data.train.labels.device), data.train, _plan(task, 1.0))
    curve = _rate_curve(task, start, seeds[0]) if by_steps and params.training.find_rate else None
    rates = _rates(task, by_steps, curve)
    n_epochs = sum(rates_by_seed(len(rates), len(seeds))) * (params.training.epochs if by_steps else 1)
    n_images = n_epochs * len(seen_by(data, params.training, seeds[0]))
    with tqdm(total=n_images, desc="finetune_target", unit=" images", disable=None) as bar:

        def run(seed: int, rate: float, keeper: Keeper) -> Trained:
            torch.manual_seed(seed)  # of a random head
            if by_steps:
                return _tune(task, start, (seed, rate), bar.update, keeper)
            return _extract(task, start, seed, rate, bar.update)

        runs = remembered(run, lambda: _blank(task, start), half_done, bar.update)
        arm = run_arm(runs, seeds, rates, "matched", save_to(folder, backbone.name))
    return TrainingRecord(
        arm="transfer",
        strategy=strategy.choice,
        network=backbone.name,
        rate=arm.rate,
        block_rates=block_rates(strategy.choice, blocks, arm.rate, settings),
        batchnorm=batchnorm_of(params),
        flip=data.recipe.flip if by_steps or settings.views else 0.0,
        rate_curve=curve,
        budget="matched",
        trials=arm.trials,
        runs=arm.runs,
    )


def _blank(task: Task, start: Start) -> Network:
    """The network under a head for weights to be read into."""
    return with_new_head(copy.deepcopy(start.network), len(task.data.classes), task.params.training.head)


def start_of(task: Task) -> Start:
    """The network, its BatchNorm adapted where that is the policy, and its features of the target's images.

    Of fixed views only where the strategy runs on them: where the lowest block learns at once, every epoch has its own.

    Raises:
        ValueError: norms alone shall learn in a network that has none.
    """
    backbone, data, _, params = task
    settings = params.finetune_target
    network = copy.deepcopy(backbone.network).to(data.train.labels.device).eval()
    check_norms(task.strategy.choice, network, backbone.name)
    policy = batchnorm_of(params)
    if policy == "adapt":
        adapt_batchnorm(network, data.train)
    n_views = settings.views if n_frozen_blocks(network, _plan(task, 1.0).phases[0]) else None
    if policy != "adapt" and n_views is None:
        return Start(network, backbone.features[data.train_rows][None], backbone.features[data.val_rows])
    views = [_features(network, task, number) for number in range(n_views or 0)]
    train = np.stack(views or [_features(network, task, None)])
    val = activations(network, len(network.blocks), parts(data.val.images))
    return Start(network, train, val.cpu().numpy())


def batchnorm_of(params: Params) -> BatchNormPolicy:
    """The policy of the transfer arm; null follows the weights, for the reason in docs/decisions/values.md."""
    by_weights: BatchNormPolicy = "train" if params.network.weights == "pretrain" else "frozen"
    return params.finetune_target.batchnorm or by_weights


def _features(network: Network, task: Task, view: int | None) -> Features:
    """(n, d) features of the train images as they are, or of one fixed view of them."""
    data, generator = task.data, torch.Generator()
    batches: tuple[Tensor, ...] = torch.split(data.train.images, AT_ONCE)
    if view is not None:
        generator.manual_seed(loop.view_seed(task.params.seed, view))
        batches = tuple(augmented(each, data.recipe, generator) for each in batches)
    features: Features = activations(network, len(network.blocks), batches).cpu().numpy()
    return features


def _rates(task: Task, by_steps: bool, curve: RateCurve | None) -> tuple[float, ...]:
    """What is tried: learning rates, or for a head that is fitted as many strengths of its regularisation."""
    rates = task.params.finetune_target.rates
    if not by_steps:
        return tuple(task.strategy.probe_c * 10.0 ** (index - (len(rates) - 1) / 2) for index in range(len(rates)))
    return rates if curve is None else rates_around(curve.suggested, len(rates))


def _with_head(task: Task, start: Start, places: NDArray[np.int64], c: float) -> Network:
    """The pretrained network under a head of its own for the target.

    A linear one is what a linear probe of these images gives (LP-FT, Kumar et al. 2022); an mlp is random.
    """
    data = task.data
    network = with_new_head(copy.deepcopy(start.network), len(data.classes), task.params.training.head)
    if isinstance(network.head, nn.Linear):
        labels = np.tile(data.train.labels.cpu().numpy()[places], len(start.train))
        seen = np.concatenate([each[places] for each in start.train])
        balanced = task.params.training.balance != "none"
        head = probe.linear_head(seen, labels, c, len(data.classes), balanced=balanced)
        with torch.no_grad():
            network.head.weight.copy_(torch.from_numpy(head.weight))
            network.head.bias.copy_(torch.from_numpy(head.bias))
    return network.to(data.train.labels.device)


def _extract(task: Task, start: Start, seed: int, c: float, tick: Tick) -> Trained:
    """Feature extraction of a linear head: it is fitted on cached features, the backbone is not run again."""
    data, params = task.data, task.params
    (phase,) = phases_of("feature_extraction", list(start.network.blocks), c, params.finetune_target, 1, None)
    before = frozen_sha256(start.network, phase, "frozen")
    places = seen_by(data, params.training, seed)
    network = _with_head(task, start, places, c)
    with torch.inference_mode():
        score = score_of(network.head(torch.from_numpy(start.val).to(data.val.labels.device)), data.val.labels)
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
    return Trained(network, Fitted(0, score, (), (record,), len(places)))


def _tune(task: Task, start: Start, at: tuple[int, float], tick: Tick, keeper: Keeper) -> Trained:
    """One run of the loop, over the phases of the strategy."""
    data, (seed, rate) = task.data, at
    places = seen_by(data, task.params.training, seed)
    network = _with_head(task, start, places, task.strategy.probe_c)
    fitted = fit(network, part_of(data.train, places), data.val, _plan(task, rate), seed, tick, keeper)
    return Trained(network, fitted)


def _rate_curve(task: Task, start: Start, seed: int) -> RateCurve:
    data = task.data
    torch.manual_seed(seed)  # of a random head
    places = seen_by(data, task.params.training, seed)
    network = _with_head(task, start, places, task.strategy.probe_c)
    train = part_of(data.train, places)
    return find_rate(network, steps.Task(train, data.val, _plan(task, 1.0), seed, lambda n: None, NOTHING))


def _plan(task: Task, rate: float) -> Plan:
    data, params = task.data, task.params
    settings, training = params.finetune_target, params.training
    blocks = list(task.backbone.network.blocks)
    return plan_of(
        phases_of(task.strategy.choice, blocks, rate, settings, training.epochs, training.patience),
        training,
        data.recipe,
        data.runtime.precision,
        batchnorm=batchnorm_of(params),
        views=settings.views,
    )
