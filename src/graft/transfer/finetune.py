"""The transfer arm: pretrained blocks, a head that starts from the linear probe, then the strategy's blocks."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from graft import probe
from graft.learning.loop import Fitted, fit
from graft.learning.networks import Network, state_sha256, with_new_head
from graft.learning.scores import score_of
from graft.params import Params
from graft.records import TrainingRecord
from graft.strategy_record import StrategyRecord
from graft.transfer.arms import TargetData, Trained, part_of, plan_of, run_arm, save_to, seeds_of, seen_by
from graft.transfer.strategies import block_rates


class Backbone(NamedTuple):
    """Pretrained blocks and what they say of every target image."""

    network: Network
    name: str
    features: NDArray[np.float32]
    """(n, d) cached features of all target images, in the order of the store"""


class Task(NamedTuple):
    """What the transfer arm is trained from and by."""

    backbone: Backbone
    data: TargetData
    strategy: StrategyRecord
    params: Params


def finetune_target(task: Task, folder: Path) -> TrainingRecord:
    """Train the transfer arm with every seed and write its weights.

    Raises:
        RuntimeError: a frozen block changed.
    """
    from tqdm import tqdm

    backbone, _, strategy, params = task
    seeds = seeds_of(params.seed, params.training)
    extracts = strategy.choice == "feature_extraction"
    rates = params.finetune_target.rates
    if extracts:
        rates = _c_grid(strategy.probe_c, len(rates))
    blocks = list(backbone.network.blocks)
    frozen = [name for name in blocks if not block_rates(strategy.choice, blocks, 1.0, params.finetune_target)[name]]
    before = _blocks_sha256(backbone.network, frozen)
    epochs = 1 if extracts else params.training.epochs
    with tqdm(total=(len(rates) + len(seeds) - 1) * epochs, desc="finetune_target", disable=None) as bar:

        def run(seed: int, rate: float) -> Trained:
            trained = (_extract if extracts else _tune)(task, seed, rate, bar.update)
            _check_frozen(trained.network, frozen, before)
            return trained

        arm = run_arm(run, seeds, rates, "matched", save_to(folder, backbone.name))
    return TrainingRecord(
        arm="transfer",
        strategy=strategy.choice,
        network=backbone.name,
        rate=arm.rate,
        block_rates=block_rates(strategy.choice, blocks, arm.rate, params.finetune_target),
        frozen_sha256=before if frozen else None,
        budget="matched",
        trials=arm.trials,
        runs=arm.runs,
    )


def _c_grid(c: float, n: int) -> tuple[float, ...]:
    """As many inverse regularisations around the probe's as the control has rates, a factor of 10 apart."""
    return tuple(c * 10.0 ** (index - (n - 1) / 2) for index in range(n))


def _with_probe_head(task: Task, places: NDArray[np.int64], c: float) -> Network:
    """The pretrained network with the head that a linear probe of these images gives (LP-FT, Kumar et al. 2022)."""
    data, backbone = task.data, task.backbone
    labels = data.train.labels.cpu().numpy()[places]
    head = probe.linear_head(backbone.features[data.train_rows[places]], labels, c, len(data.classes))
    network = with_new_head(copy.deepcopy(backbone.network), len(data.classes))
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(head.weight))
        network.head.bias.copy_(torch.from_numpy(head.bias))
    return network.to(data.train.labels.device)


def _extract(task: Task, seed: int, c: float, tick: Callable[[], object]) -> Trained:
    """Feature extraction: the backbone is not run again, the head is fitted on cached features."""
    data = task.data
    network = _with_probe_head(task, seen_by(data, task.params.training, seed), c)
    features = torch.from_numpy(task.backbone.features[data.val_rows]).to(data.val.labels.device)
    with torch.inference_mode():
        score = score_of(network.head(features), data.val.labels)
    tick()
    return Trained(network, Fitted(0, score, ()), c)


def _tune(task: Task, seed: int, rate: float, tick: Callable[[], object]) -> Trained:
    """One run of top_blocks or full, from the probe's head."""
    data, params = task.data, task.params
    places = seen_by(data, params.training, seed)
    network = _with_probe_head(task, places, task.strategy.probe_c)
    rates = block_rates(task.strategy.choice, list(network.blocks), rate, params.finetune_target)
    plan = plan_of(rates, data, params.training, params.training.epochs)
    return Trained(network, fit(network, part_of(data.train, places), data.val, plan, seed, tick), rate)


def _blocks_sha256(network: Network, names: list[str]) -> str:
    return state_sha256(network.blocks[name] for name in names)


def _check_frozen(network: Network, names: list[str], before: str) -> None:
    """Frozen means frozen: parameters and buffers."""
    after = _blocks_sha256(network, names)
    if after != before:
        raise RuntimeError(
            f"finetune_target: want frozen blocks {', '.join(names)} unchanged, got {after[:12]} for {before[:12]}. "
            "This is a fault of graft; please report it."
        )
