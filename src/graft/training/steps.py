"""The steps of an epoch: a batch, its loss, and the move of the weights. Nothing here waits for the device."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from graft.networks.runtime import autocast, sent
from graft.params.learning import Learning
from graft.params.recipes import Recipe
from graft.training.activations import back, front
from graft.training.augmentation.augmentation import augmented
from graft.training.augmentation.mixing import cutmix, mixup, soft_targets
from graft.training.batches import Samples, balanced_rows, batch_rows, class_weights
from graft.training.checkpoints import Keeper
from graft.training.objective import Objective
from graft.training.optimisation import take_step
from graft.training.phases import BatchNormPolicy, Phase, freeze, set_modes
from graft.training.run import Run, Stepping, state_of

Tick = Callable[[int], object]
"""told how many images a step saw"""


MIXERS = {"mixup": mixup, "cutmix": cutmix}


class Plan(NamedTuple):
    """How a run goes; all but phases, BatchNorm's policy and fixed views is the same for both arms."""

    phases: tuple[Phase, ...]
    learning: Learning
    """The section of params.yaml that this training is told."""
    recipe: Recipe
    """How training images are varied."""
    precision: torch.dtype
    """Precision of the network's arithmetic; weights and loss are float32."""
    batchnorm: BatchNormPolicy = "train"
    views: int | None = None
    """Fixed augmented views of each image in place of a new one every epoch, so that frozen blocks run once."""


class Task(NamedTuple):
    """What a run is given."""

    train: Samples
    val: Samples
    plan: Plan
    seed: int
    tick: Tick
    keeper: Keeper


class Feed(NamedTuple):
    """What the blocks that learn are given in a phase."""

    n_front: int
    """frozen blocks below them"""
    val: Tensor | None
    """(m, ...) what the frozen blocks say of the validation images; None: it is made anew each time"""
    views: tuple[Tensor, ...]
    """(n, ...) what they say of the training images, of each fixed view; none: every epoch augments anew"""


def train_epoch(run: Run, phase: Phase, task: Task, feed: Feed, stepping: Stepping) -> float:
    """One pass over the training images, or what is left of it; the mean loss, the one number asked of the device."""
    for _ in steps_of_epoch(run, phase, task, feed, stepping):
        pass
    return (run.loss / len(task.train.labels)).item()


def steps_of_epoch(run: Run, phase: Phase, task: Task, feed: Feed, stepping: Stepping) -> Iterator[None]:
    """The steps of an epoch, or those that are left of it, one at a time."""
    train, plan, learning = task.train, task.plan, task.plan.learning
    freeze(run.network, phase)
    set_modes(run.network, phase, plan.batchnorm)
    n_classes = run.network.n_classes
    weights = class_weights(train.labels, n_classes) if learning.balance == "weights" else None
    objective = Objective(learning.label_smoothing, weights)
    batches = _order(run, task)
    for number in range(run.step, len(batches)):
        rows = batches[number]
        with autocast(rows.device, plan.precision):
            values, targets = _batch(run, task, feed, rows)
            logits = back(run.network, feed.n_front, values).float()
        loss = objective.loss(logits, targets)
        of_step = number - number % learning.accumulate
        (loss / min(learning.accumulate, len(batches) - of_step)).backward()  # type: ignore[no-untyped-call]
        run.loss += loss.detach() * len(rows)
        run.n_seen += len(rows)
        task.tick(len(rows))
        if (number + 1) % learning.accumulate == 0 or number + 1 == len(batches):
            take_step(stepping.optimizer, stepping.schedule, stepping.parameters, learning.clip_norm)
            if stepping.ema is not None:
                stepping.ema.update_parameters(run.network)
            run.step = number + 1
            task.keeper.save(lambda: state_of(run, stepping))
            yield


def _order(run: Run, task: Task) -> tuple[Tensor, ...]:
    """Rows of each batch of the epoch, on the device; of one that was taken up in its midst, the same as before."""
    now = run.generator.get_state()
    if run.step == 0:
        run.order, run.loss = now, torch.zeros((), device=task.train.labels.device)
    run.generator.set_state(run.order)
    labels, learning = task.train.labels, task.plan.learning
    if learning.balance == "sampling":
        batches = balanced_rows(labels.cpu(), learning.batch_size, run.generator)
    else:
        batches = batch_rows(len(labels), learning.batch_size, run.generator)
    if run.step:
        run.generator.set_state(now)
    return torch.split(sent(torch.cat(batches), labels.device), [len(each) for each in batches])


def _batch(run: Run, task: Task, feed: Feed, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Input of the first block that learns, and the targets."""
    train, plan = task.train, task.plan
    if feed.views:
        return feed.views[run.epoch % len(feed.views)][rows], train.labels[rows]
    images, targets = augmented(train.images[rows], plan.recipe, run.generator), train.labels[rows]
    mixing = plan.learning.mixing
    if mixing != "none":
        targets = soft_targets(targets, run.network.n_classes)
        images, targets = MIXERS[mixing.kind](images, targets, mixing.alpha, run.generator)
    return front(run.network, feed.n_front, images), targets
