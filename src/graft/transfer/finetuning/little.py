"""How little a run trained and changed: parameters, and the delta of each seed beside its weights."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from graft.params.combinations import effective
from graft.params.techniques import TuningChoice, kind_of
from graft.training.phases import trained_parameters
from graft.transfer.arms.rates import RunKey
from graft.transfer.arms.runs import read_factors
from graft.transfer.finetuning.task import Start, TransferTask, blank, learning_blocks, made_ready, plan_at
from graft.transfer.tuning.delta import beside, delta_of, write_delta
from graft.transfer.tuning.lora import Factors, merge_lora
from graft.transfer.tuning.prepare import left_alone


class Little(NamedTuple):
    """What the record of the arm says of it."""

    n_parameters: int
    """of the network that is handed on"""
    n_trained_parameters: int
    """of the phase that trains most, head included"""
    left_alone: tuple[str, ...]
    """why layers of blocks that learn took no LoRA"""


def little(task: TransferTask, start: Start) -> Little:
    """Count the parameters of a run, and those that it trains."""
    # a new head is made on the CPU, and LoRA passes an image through the whole network
    network = made_ready(task, blank(task, start).to(task.data.train.labels.device))
    counts = []
    for phase in plan_at(task, 1.0).phases:
        members = trained_parameters(network, phase).values()
        counts.append(sum(each.numel() for parameters in members for each in parameters))
    merge_lora(network)
    n_parameters = sum(each.numel() for each in network.parameters())
    tuning = tuning_of(task)
    return Little(n_parameters, max(counts), left_alone(start.network, tuning, learning_blocks(task)))


def tuning_of(task: TransferTask) -> TuningChoice:
    """What of a block learns; whole where none does."""
    return effective(task.strategy.choice, task.params.finetune_target).tuning


def write_deltas(task: TransferTask, runs: Iterable[RunKey], half_done: Path, folder: Path) -> int | None:
    """Write what each run's network adds to the backbone beside its weights, as `seed_N.delta.safetensors`.

    Args:
        task: what the arm is trained from.
        runs: one a seed, whose weights are in the folder.
        half_done: folder of the checkpoints.
        folder: of the weights.

    Returns:
        Bytes of the largest delta; None where blocks learn whole, so that there is none.
    """
    kind, n_bytes = kind_of(tuning_of(task)), []
    for run in runs if kind != "whole" else ():
        tuned = folder / f"seed_{run.seed}.safetensors"
        factors = {name: Factors(*each) for name, each in read_factors(half_done, run).items()}
        write_delta(delta_of(task.backbone.network, tuned, factors, kind), beside(tuned))
        n_bytes.append(beside(tuned).stat().st_size)
    return max(n_bytes, default=None)
