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
from graft.records import StrategyRecord, TrainingRecord
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
    n_runs = len(rates) + len(seeds) - 1
    with tqdm(total=n_runs * (1 if extracts else params.training.epochs), desc="finetune_target", disable=None) as bar:

        def run(seed: int, rate: float) -> Trained:
            return _extract(task, seed, rate, bar.update) if extracts else _tune(task, seed, rate, bar.update)

        runs, trials = run_seeds(run, seeds, rates)
    chosen = runs[seeds[0]].rate
    block = block_rates(strategy.choice, list(backbone.network.blocks), chosen, params.finetune_target)
    frozen = _frozen_sha256(backbone.network, [each.network for each in runs.values()], block)
    return TrainingRecord(
        arm="transfer",
        strategy=strategy.choice,
        network=backbone.name,
        rate=chosen,
        block_rates=block,
        frozen_sha256=frozen,
        budget="matched",
        trials=trial_records(trials, "matched"),
        runs=save_runs(runs, "matched", backbone.name, folder),
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


def _frozen_sha256(start: Network, ends: list[Network], rates: dict[str, float]) -> str | None:
    """Hash of the blocks that no run may have touched, or none where all were trained."""
    frozen = [name for name in start.blocks if rates[name] == 0]
    if not frozen:
        return None
    before = state_sha256(start.blocks[name] for name in frozen)
    for end in ends:
        after = state_sha256(end.blocks[name] for name in frozen)
        if after != before:
            raise RuntimeError(
                f"finetune_target: want frozen blocks {', '.join(frozen)} unchanged, got {after[:12]} for "
                f"{before[:12]}. This is a fault of graft; please report it."
            )
    return before
