"""From params.yaml to the plan of a run."""

import torch

from graft.params.learning import Learning
from graft.params.recipes import Recipe
from graft.training.optimisation import Optimisation
from graft.training.phases import BatchNormPolicy, Phase
from graft.training.steps import Plan


def plan_of(
    phases: tuple[Phase, ...],
    training: Learning,
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
            weight_decay=training.weight_decay,
            schedule=training.schedule,
            warmup=training.warmup,
            clip_norm=training.clip_norm,
            accumulate=training.accumulate,
        ),
        ema_decay=training.ema_decay,
        label_smoothing=training.label_smoothing,
        mixing=None if training.mixing == "none" else training.mixing,
        balance=training.balance,
        recipe=recipe,
        views=views,
        batchnorm=batchnorm,
        precision=precision,
    )
