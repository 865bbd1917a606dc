"""The steps of an epoch: a batch, its loss, and the move of the weights. Nothing here waits for the device."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from graft.networks.runtime import autocast, sent
from graft.params.learning import Balance, Mixing
from graft.params.recipes import Recipe
from graft.training.activations import back, front
from graft.training.augmentation.augmentation import augmented
from graft.training.augmentation.mixing import cutmix, mixup, soft_targets
from graft.training.batches import Samples, balanced_rows, batch_rows, class_weights
from graft.training.checkpoints import Keeper
from graft.training.optimisation import Optimisation, take_step
from graft.training.phases import BatchNormPolicy, Phase, set_modes
from graft.training.run import Run, Stepping, state_of

Tick = Callable[[int], object]
"""told how many images a step saw"""


MIXERS = {"mixup": mixup, "cutmix": cutmix}


class Plan(NamedTuple):
    """How a run goes."""

    phases: tuple[Phase, ...]
    batch_size: int
    optimisation: Optimisation
    ema_decay: float | None
    """of the running mean of the weights, which then is what counts; None: the weights themselves"""
    label_smoothing: float
    mixing: Mixing | None
    balance: Balance
    recipe: Recipe
    views: int | None
    """fixed augmented views of each image in place of a new one every epoch, so that frozen blocks run once"""
    batchnorm: BatchNormPolicy
    precision: torch.dtype


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
    train, plan = task.train, task.plan
    set_modes(run.network, phase, plan.batchnorm)
    n_classes = run.network.n_classes
    weights = class_weights(train.labels, n_classes) if plan.balance == "weights" else None
    batches = _order(run, task)
    for number in range(run.step, len(batches)):
        rows = batches[number]
        with autocast(rows.device, plan.precision):
            values, targets = _batch(run, task, feed, rows)
            logits = back(run.network, feed.n_front, values).float()
        losses = F.cross_entropy(logits, targets, weights, reduction="none", label_smoothing=plan.label_smoothing)
        loss = losses.mean()  # torch's own would divide by the batch's weights, and a rare class would lose its own
        of_step = number - number % plan.optimisation.accumulate
        (loss / min(plan.optimisation.accumulate, len(batches) - of_step)).backward()  # type: ignore[no-untyped-call]
        run.loss += loss.detach() * len(rows)
        run.n_seen += len(rows)
        task.tick(len(rows))
        if (number + 1) % plan.optimisation.accumulate == 0 or number + 1 == len(batches):
            take_step(stepping.optimizer, stepping.schedule, stepping.parameters, plan.optimisation.clip_norm)
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
    labels, size = task.train.labels, task.plan.batch_size
    if task.plan.balance == "sampling":
        batches = balanced_rows(labels.cpu(), size, run.generator)
    else:
        batches = batch_rows(len(labels), size, run.generator)
    if run.step:
        run.generator.set_state(now)
    return torch.split(sent(torch.cat(batches), labels.device), [len(each) for each in batches])


def _batch(run: Run, task: Task, feed: Feed, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Input of the first block that learns, and the targets."""
    train, plan = task.train, task.plan
    if feed.views:
        return feed.views[run.epoch % len(feed.views)][rows], train.labels[rows]
    images, targets = augmented(train.images[rows], plan.recipe, run.generator), train.labels[rows]
    if plan.mixing is not None:
        targets = soft_targets(targets, run.network.n_classes)
        images, targets = MIXERS[plan.mixing.kind](images, targets, plan.mixing.alpha, run.generator)
    return front(run.network, feed.n_front, images), targets
