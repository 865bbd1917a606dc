"""From params.yaml to the plan of a run."""

import torch

from graft.params.training import Recipe, Training
from graft.training.optimisation import Optimisation
from graft.training.phases import BatchNormPolicy, Phase
from graft.training.steps import Mixing, Plan


def plan_of(
    phases: tuple[Phase, ...],
    training: Training,
    recipe: Recipe,
    precision: torch.dtype,
    *,
    batchnorm: BatchNormPolicy = "train",
    views: int | None = None,
) -> Plan:
    """The plan of a run; all but phases, BatchNorm's policy and fixed views is the same for both arms."""
    return Plan(
        phases=phases,
        batch_size=training.batch_size,
        optimisation=Optimisation(
            optimizer=training.optimizer,
            momentum=training.momentum,
            weight_decay=training.weight_decay,
            schedule=training.schedule,
            warmup=training.warmup,
            restarts=training.restarts,
            clip_norm=training.clip_norm,
            accumulate=training.accumulate,
        ),
        ema_decay=training.ema_decay,
        label_smoothing=training.label_smoothing,
        mixing=None if training.mixing == "none" else Mixing(training.mixing, training.mixing_alpha),
        balance=training.balance,
        recipe=recipe,
        views=views,
        batchnorm=batchnorm,
        precision=precision,
    )
