"""Steps of an epoch: a batch, its loss, and the update of the weights, without waiting for the device."""

from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from graft.networks.networks import Network
from graft.networks.runtime import autocast, sent
from graft.params.learning import Learning
from graft.params.recipes import Recipe
from graft.training.activations import Pass, back, front
from graft.training.augmentation.augmentation import augmented
from graft.training.augmentation.mixing import cutmix, mixup, soft_targets
from graft.training.batches import Samples, balanced_rows, batch_rows, class_weights
from graft.training.checkpoints import Keeper
from graft.training.objective import MakeTerm, Moment, Objective
from graft.training.optimisation import take_step
from graft.training.phases import BatchNormPolicy, Phase, freeze, set_modes, settled
from graft.training.run import Run, Stepping, state_of

# is called with the number of images of each batch
Tick = Callable[[int], object]


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
    terms: tuple[MakeTerm, ...] = ()
    """What the objective adds to the data loss."""
    settled: bool = False
    """Whether the labelled images leave the running statistics of BatchNorm alone, as those of another domain must."""
    unlabelled_score: Callable[[Network], float] | None = None
    """Score without labels by which epochs and runs are chosen, larger is better; None: validation labels choose."""


class Task(NamedTuple):
    """Images, plan and seed of a run, and where it reports progress and state."""

    train: Samples
    val: Samples
    plan: Plan
    seed: int
    tick: Tick
    keeper: Keeper


class Feed(NamedTuple):
    """Input of the blocks that learn in a phase."""

    n_front: int
    """Number of frozen blocks below them."""
    val: Tensor | None
    """(m, ...) output of the frozen blocks for the validation images; None: it is computed each time."""
    views: tuple[Tensor, ...]
    """(n, ...) output of the frozen blocks for each fixed view of the training images; empty: no fixed views."""


def train_epoch(run: Run, phase: Phase, task: Task, feed: Feed, stepping: Stepping) -> float:
    """Train for one epoch, or the rest of it; return the mean loss, the only number that is copied from the device."""
    for _ in steps_of_epoch(run, phase, task, feed, stepping):
        pass
    return (run.loss / len(task.train.labels)).item()


def steps_of_epoch(run: Run, phase: Phase, task: Task, feed: Feed, stepping: Stepping) -> Iterator[None]:
    """Take the steps of an epoch, or the rest of them, one each time the iterator is advanced."""
    train, plan, learning = task.train, task.plan, task.plan.learning
    # before every epoch, because scoring has set evaluation mode
    freeze(run.network, phase)
    set_modes(run.network, phase, plan.batchnorm)
    n_classes = run.network.n_classes
    weights = class_weights(train.labels, n_classes) if learning.balance == "weights" else None
    objective = Objective(learning.label_smoothing, weights, run.terms)
    wanted = {name for term in run.terms for name in term.blocks}
    n_epochs = sum(each.epochs for each in plan.phases)
    batches = _order(run, task)
    for number in range(run.step, len(batches)):
        rows = batches[number]
        with autocast(rows.device, plan.precision), settled(run.network) if plan.settled else nullcontext():
            values, targets = _batch(run, task, feed, rows)
            passed = back(run.network, feed.n_front, values, wanted)
        progress = (len(run.curve) + number / len(batches)) / n_epochs
        further = partial(_passed, run.network, feed.n_front, plan.precision, wanted)
        moment = Moment(run.network, feed.n_front, values, targets, passed, progress, run.beside, further)
        loss = objective.loss(moment)
        # gradients of a step are the mean over its batches, of which the last step of an epoch may have fewer
        of_step = number - number % learning.accumulate
        (loss / min(learning.accumulate, len(batches) - of_step)).backward()  # type: ignore[no-untyped-call]
        run.loss += loss.detach() * len(rows)
        run.n_seen += len(rows)
        task.tick(len(rows))
        if (number + 1) % learning.accumulate == 0 or number + 1 == len(batches):
            take_step(stepping.optimizer, stepping.schedule, stepping.parameters, learning.clip_norm)
            if stepping.ema is not None:
                stepping.ema.update_parameters(run.network)
            run.steps, run.step = run.steps + 1, number + 1
            task.keeper.save(lambda: state_of(run, stepping))
            yield


def _order(run: Run, task: Task) -> tuple[Tensor, ...]:
    """Rows of each batch of the epoch, on the device; the same as before where a run was restored within the epoch."""
    # a restored run draws the order of its epoch again, and then continues with the generator as it was
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
    """Input of the first block that learns, (b, ...), and targets, (b,) class numbers or (b, c) shares."""
    train, plan = task.train, task.plan
    if feed.views:
        return feed.views[run.epoch % len(feed.views)][rows], train.labels[rows]
    images, targets = augmented(train.images[rows], plan.recipe, run.generator), train.labels[rows]
    mixing = plan.learning.mixing
    if mixing != "none":
        targets = soft_targets(targets, run.network.n_classes)
        images, targets = MIXERS[mixing.kind](images, targets, mixing.alpha, run.generator)
    return front(run.network, feed.n_front, images), targets


def _passed(
    network: Network, n_front: int, precision: torch.dtype, wanted: Collection[str], images: Tensor, moves: bool = False
) -> Pass:
    """Outputs for (m, 3, s, s) uint8 images beside the labelled ones."""
    with autocast(images.device, precision), nullcontext() if moves else settled(network):
        return back(network, n_front, front(network, n_front, images), wanted)
