"""The training loop: one run of one network, phase by phase, the best epoch on validation kept."""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from graft.networks.networks import Network
from graft.networks.outputs import Score
from graft.networks.runtime import autocast, free_bytes
from graft.params.learning import Learning
from graft.records.training import Epoch, PhaseRecord
from graft.training.activations import AT_ONCE, SHARE_OF_MEMORY, activations, back, bytes_of, check_room, front, parts
from graft.training.augmentation.augmentation import augmented
from graft.training.batches import Samples, batch_rows
from graft.training.checkpoints import NOTHING, Keeper, State
from graft.training.objective import Term, score_of
from graft.training.optimisation import build_optimizer, build_schedule, running_mean
from graft.training.phases import Phase, check_frozen, frozen_sha256, n_frozen_blocks, trained_parameters
from graft.training.run import Run, Stepping, run_of, take_up
from graft.training.steps import Feed, Plan, Task, Tick, train_epoch

# distance between the seeds of two fixed views: far above the seeds of runs, so that no two runs share a view
VIEW_SEEDS = 1_000_003
# distance between the seed of a run and that of the draws of its terms
TERM_SEEDS = 500_009


class Fitted(NamedTuple):
    """Result of a run; the network that was trained holds the weights of the best epoch."""

    best_epoch: int
    """Epoch of the best validation score, from 1; 0: no epoch surpassed the start of the run."""
    best: Score
    curve: tuple[Epoch, ...]
    phases: tuple[PhaseRecord, ...]
    n_seen: int
    """Images that went through a step, repeats included."""
    choice: Score | None = None
    """Score by which a seed chooses among its runs; None: the best score on validation."""


def fit(
    network: Network, train: Samples, val: Samples, plan: Plan, seed: int, tick: Tick, keeper: Keeper = NOTHING
) -> Fitted:
    """Train a network and leave it with the weights of its best epoch on validation.

    Order, augmentation and mixing are drawn from the seed alone, on the CPU: two arms with the same seed see the same
    images in the same order under the same augmentation, unless one of them has fixed views. Every phase starts from
    the best weights so far, so that a phase that ends worse than it began is rolled back.

    Args:
        network: on its device; blocks with rate 0 do not change, BatchNorm statistics included.
        train: images to learn from.
        val: images by which the epoch is chosen: highest accuracy, then lowest loss, then the earliest.
        plan: phases, learning rates and everything else that params.yaml says of training.
        seed: of all draws.
        tick: is called with the number of images of each batch, for a progress bar.
        keeper: loads and saves the state, so that a killed run continues to the same result, to the last bit.

    Raises:
        ValueError: the fixed views do not fit into memory.
        RuntimeError: a frozen block changed.
    """
    # for dropout
    torch.manual_seed(seed)
    network.to(memory_format=torch.channels_last)
    state = keeper.load()
    terms = made_terms(network, plan)
    task = Task(train, val, plan, seed, tick, keeper)
    run = _start(network, terms, task) if state is None else run_of(network, terms, state)
    tick(run.n_seen)
    for phase in plan.phases[len(run.records) :]:
        _run_phase(run, phase, task, state)
        state = None
    return Fitted(run.best_epoch, run.best, tuple(run.curve), tuple(run.records), run.n_seen)


def score_on(network: Network, samples: Samples, plan: Plan) -> Score:
    """Score of a network on images that are not augmented, in the precision of training."""
    return _score(network, Feed(0, None, ()), samples, plan)


def made_terms(network: Network, plan: Plan) -> tuple[Term, ...]:
    """Terms of the objective of a run that starts from this network, on its device."""
    device = next(network.parameters()).device
    return tuple(make(network).to(device) for make in plan.terms)


def _start(network: Network, terms: tuple[Term, ...], task: Task) -> Run:
    best = _unlabelled(score_on(network, task.val, task.plan), network, task.plan)
    generator, beside = (torch.Generator().manual_seed(task.seed + apart) for apart in (0, TERM_SEEDS))
    return Run(network, generator, best, 0, _copy_of(network), terms=terms, beside=beside)


def _run_phase(run: Run, phase: Phase, task: Task, state: State | None) -> None:
    """Train one phase, or the rest of it, and record its result."""
    plan, network = task.plan, run.network
    if state is None:
        run.epoch, run.step, run.since_gain = 0, 0, 0
        run.frozen_sha256 = frozen_sha256(network, phase, plan.batchnorm)
    feed, stepping = feed_of(network, phase, task), _stepping(run, phase, task)
    if state is not None:
        take_up(run, stepping, state)
    while run.epoch < phase.epochs and (phase.patience is None or run.since_gain < phase.patience):
        train_loss = train_epoch(run, phase, task, feed, stepping)
        counted = _counted(network, stepping)
        score = _unlabelled(_score(counted, feed, task.val, plan), counted, plan)
        if not all(map(math.isfinite, (train_loss, score.loss, *score.rank))):
            # the learning rate was too large; the best epoch so far counts
            break
        _judge(run, train_loss, score, counted)
    check_frozen(network, phase, plan.batchnorm, run.frozen_sha256)
    network.load_state_dict(run.kept)
    # again, because the best weights may be those of the running mean
    check_frozen(network, phase, plan.batchnorm, run.frozen_sha256)
    run.records.append(
        PhaseRecord(
            name=phase.name,
            trained=tuple(trained_parameters(network, phase)),
            epochs=run.epoch,
            val_accuracy=run.best.accuracy,
            rolled_back=run.best_epoch <= len(run.curve) - run.epoch,
            frozen_sha256=run.frozen_sha256,
        )
    )


def _counted(network: Network, stepping: Stepping) -> Network:
    """Network that is scored and kept: the running mean of the weights where there is one."""
    if stepping.ema is None:
        return network
    assert isinstance(stepping.ema.module, Network)
    return stepping.ema.module


def _judge(run: Run, train_loss: float, score: Score, counted: Network) -> None:
    """Record the score of an epoch, and keep its weights if they are the best so far."""
    run.curve.append(
        Epoch(
            epoch=len(run.curve) + 1,
            steps=run.steps,
            train_loss=train_loss,
            val_loss=score.loss,
            val_accuracy=score.accuracy,
            unlabelled_score=score.unlabelled,
        )
    )
    run.epoch, run.step, run.since_gain = run.epoch + 1, 0, run.since_gain + 1
    if score.rank > run.best.rank:
        run.best, run.best_epoch, run.kept, run.since_gain = score, len(run.curve), _copy_of(counted), 0


def feed_of(network: Network, phase: Phase, task: Task) -> Feed:
    """Input of the steps of a phase; the output of frozen lowest blocks is computed once, as far as memory allows."""
    plan, n_front, images = task.plan, n_frozen_blocks(network, phase), task.val.images
    if n_front == 0:
        return Feed(0, None, ())
    network.eval()
    # blocks are frozen in evaluation mode, and their output is kept in the precision of training
    device, n_views = images.device, plan.views or 0
    with autocast(device, plan.precision):
        one = bytes_of(network, n_front, images[:1])
        fits = one * len(images) <= SHARE_OF_MEMORY * free_bytes(device)
        val = activations(network, n_front, parts(images)) if fits else None
        if n_views == 0:
            return Feed(n_front, val, ())
        check_room(one * n_views * len(task.train.labels), device, n_views)
        numbers = range(n_views)
        views = [activations(network, n_front, _view(task, each)) for each in numbers]
    return Feed(n_front, val, tuple(views))


def _view(task: Task, number: int) -> Iterator[Tensor]:
    """Batches of one fixed augmented view of all training images, each (b, 3, s, s) uint8."""
    generator = torch.Generator().manual_seed(view_seed(task.seed, number))
    for images in torch.split(task.train.images, AT_ONCE):
        yield augmented(images, task.plan.recipe, generator)


def view_seed(seed: int, number: int) -> int:
    """Seed of one fixed view of all training images."""
    return seed + VIEW_SEEDS * (1 + number)


def _stepping(run: Run, phase: Phase, task: Task) -> Stepping:
    network, learning = run.network, task.plan.learning
    trained = trained_parameters(network, phase)
    optimizer = optimizer_of(trained, run.terms, phase.rates, learning)
    n_batches = len(batch_rows(len(task.train.labels), learning.batch_size, torch.Generator()))
    # an epoch's last step may have fewer batches
    n_steps = phase.epochs * -(-n_batches // learning.accumulate)
    ema = None
    if learning.ema_decay is not None:
        ema = AveragedModel(network, multi_avg_fn=running_mean(learning.ema_decay), use_buffers=True)
    parameters = [each for members in trained.values() for each in members]
    return Stepping(parameters, optimizer, build_schedule(optimizer, n_steps, learning), ema)


def optimizer_of(
    trained: Mapping[str, list[nn.Parameter]], terms: tuple[Term, ...], rates: Mapping[str, float], settings: Learning
) -> Optimizer:
    """Optimizer of the parts of the network that learn, and of the terms, which learn as fast as the head."""
    learned = {"terms": [each for term in terms for each in term.parameters()]} if terms else {}
    blocks = trained.keys() - {"head"} if any(term.replaces_decay for term in terms) else ()
    return build_optimizer({**trained, **learned}, {**rates, "terms": rates["head"]}, settings, blocks)


def _unlabelled(score: Score, network: Network, plan: Plan) -> Score:
    """The score, with the one without labels where that decides."""
    if plan.unlabelled_score is None:
        return score
    return score._replace(unlabelled=plan.unlabelled_score(network))


def _score(network: Network, feed: Feed, val: Samples, plan: Plan) -> Score:
    """Validation score, from cached activations of the frozen blocks if there are any."""
    network.eval()
    with torch.inference_mode(), autocast(val.labels.device, plan.precision):
        fronts = _fronts(network, feed.n_front, val.images) if feed.val is None else parts(feed.val)
        logits = torch.cat([back(network, feed.n_front, each).logits for each in fronts])
    return score_of(logits, val.labels)


def _fronts(network: Network, n_front: int, images: Tensor) -> Iterator[Tensor]:
    return (front(network, n_front, each) for each in parts(images))


def _copy_of(network: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in network.state_dict().items()}
