"""A run in progress, and its state as a checkpoint holds it."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel

from graft.networks.networks import Network
from graft.networks.outputs import Score
from graft.records.training import Epoch, PhaseRecord
from graft.training.checkpoints import State
from graft.training.objective import Term


@dataclass
class Run:
    """Progress of a run.

    Together with the stepping of its phase and torch's own generators it decides the rest of the run.
    """

    network: Network
    generator: torch.Generator
    """Of the order of images, augmentation and mixing."""
    best: Score
    best_epoch: int
    kept: dict[str, Tensor]
    """Weights of the best epoch."""
    curve: list[Epoch] = field(default_factory=list)
    records: list[PhaseRecord] = field(default_factory=list)
    """Records of the phases that are done."""
    n_seen: int = 0
    """Images that went through a step, repeats included."""
    steps: int = 0
    """Steps of the optimizer that are done."""
    epoch: int = 0
    """Epochs of this phase that are done."""
    step: int = 0
    """Batches of this epoch that are done."""
    since_gain: int = 0
    """Epochs of this phase since the validation score last rose."""
    frozen_sha256: str | None = None
    """Hash of everything that this phase must not change, from before its first step."""
    order: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.uint8))
    """State of the generator when the order of the epoch was drawn."""
    loss: Tensor = field(default_factory=lambda: torch.zeros(()))
    """Sum of the loss over the images of the epoch so far, on the device."""
    terms: tuple[Term, ...] = ()
    """What the objective adds to the data loss."""
    beside: torch.Generator = field(default_factory=torch.Generator)
    """Of the draws of the terms."""


PLAIN_FIELDS = ("best_epoch", "n_seen", "steps", "epoch", "step", "since_gain", "frozen_sha256")


class Stepping(NamedTuple):
    """Parameters, optimizer and schedule of a phase, and the running mean of the weights if there is one."""

    parameters: list[nn.Parameter]
    """Of the network; the optimizer has those of the terms, too."""
    optimizer: Optimizer
    schedule: LRScheduler
    ema: AveragedModel | None


def state_of(run: Run, stepping: Stepping) -> State:
    """State that the rest of the run depends on, taken between two steps of the optimizer."""
    device = run.loss.device
    return {
        **{name: getattr(run, name) for name in PLAIN_FIELDS},
        "best": tuple(run.best),
        "curve": [each.model_dump() for each in run.curve],
        "records": [each.model_dump() for each in run.records],
        "network": run.network.state_dict(),
        "kept": run.kept,
        "order": run.order,
        "loss": run.loss,
        "generator": run.generator.get_state(),
        "terms": [each.state_dict() for each in run.terms],
        "beside": run.beside.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "optimizer": stepping.optimizer.state_dict(),
        "schedule": stepping.schedule.state_dict(),
        "ema": None if stepping.ema is None else stepping.ema.state_dict(),
    }


def run_of(network: Network, terms: tuple[Term, ...], state: State) -> Run:
    """Restore a run from its state; the weights are loaded into the network and the terms."""
    device = next(network.parameters()).device
    network.load_state_dict(state["network"])
    for term, values in zip(terms, state["terms"], strict=True):
        term.load_state_dict(values)
    return Run(
        network=network,
        generator=torch.Generator(),
        best=Score(*state["best"]),
        kept={name: tensor.to(device) for name, tensor in state["kept"].items()},
        curve=[Epoch.model_validate(each) for each in state["curve"]],
        records=[PhaseRecord.model_validate(each) for each in state["records"]],
        order=state["order"],
        loss=state["loss"].to(device),
        terms=terms,
        **{name: state[name] for name in PLAIN_FIELDS},
    )


def take_up(run: Run, stepping: Stepping, state: State) -> None:
    """Restore the generators and the stepping of the run's phase from its state."""
    stepping.optimizer.load_state_dict(state["optimizer"])
    stepping.schedule.load_state_dict(state["schedule"])
    if stepping.ema is not None:
        stepping.ema.load_state_dict(state["ema"])
    run.generator.set_state(state["generator"])
    run.beside.set_state(state["beside"])
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], run.loss.device)
