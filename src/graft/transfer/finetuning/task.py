"""What the transfer arm starts from: pretrained blocks, their features of the target, and a head from the probe."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from graft.files import read_record
from graft.networks.networks import Network, with_new_head
from graft.networks.outputs import outputs_of
from graft.networks.runtime import make_runtime
from graft.networks.saving import load_network
from graft.params.pipeline import Params
from graft.params.techniques import EWC
from graft.records.cards import BackboneCard
from graft.records.strategy import StrategyRecord
from graft.statistics.features import probe
from graft.store.catalogue import open_images
from graft.training.activations import AT_ONCE, activations, parts
from graft.training.augmentation.augmentation import augmented
from graft.training.loop import view_seed
from graft.training.phases import BatchNormPolicy, adapt_batchnorm, n_frozen_blocks
from graft.training.steps import Plan
from graft.transfer.arms.target_data import Labels, TargetData, read_data
from graft.transfer.companions import CompanionFiles, Companions, labelled_source, read_companions, unlabelled_of
from graft.transfer.finetuning.strategies import check_norms, phases_of
from graft.transfer.keeping.ewc import fisher_roots
from graft.transfer.tuning.prepare import prepare

Features = NDArray[np.float32]
# Inverse regularisation of a first head where no label of the target could choose it.
HEAD_C = 1.0


class Backbone(NamedTuple):
    """Pretrained blocks and their features of every image of the domain that the labels are of."""

    network: Network
    name: str
    features: Features
    """(n, d) features of all these images, in the order of the store"""
    knows_classes: bool = False
    """whether its own head tells the classes of the labels apart: it was pretrained on these labels"""
    source_head: bool = True
    """whether its head is that of its source"""


class TransferTask(NamedTuple):
    """All that the transfer arm is trained from."""

    backbone: Backbone
    data: TargetData
    strategy: StrategyRecord
    params: Params
    companions: Companions = Companions()


# picklable: reads the task anew, in a worker process
Reread = Callable[[], TransferTask]


class Start(NamedTuple):
    """What every run of the arm starts from."""

    network: Network
    """the pretrained network, on the device of the images"""
    train: Features
    """(v, n, d) features of the train images for each fixed view; v is 1 without views"""
    plain: Features
    """(n, d) features of the train images as they are"""
    val: Features
    """(m, d) features of the validation images"""
    fisher_roots: tuple[Tensor, ...] = ()
    """what ewc counts the parameters of the blocks by; empty without ewc"""


class TaskFiles(NamedTuple):
    """Files that the transfer arm is trained from."""

    strategy: Path
    """strategy record"""
    backbone: Path
    """weights of the pretrained network"""
    card: Path
    """card of the pretrained network"""
    catalog: Path
    """the target's catalogue"""
    images: Path
    """the target's image store"""
    features: Path
    """the pretrained network's features of all target images"""
    labelled_catalog: Path
    """catalogue of the source's train and validation images, where the target has no labels to train on"""
    labelled_images: Path
    """their image store"""
    companion_catalog: Path
    """catalogue of the source's train images, where a technique reads them"""
    companion_images: Path
    """their image store"""
    unlabelled_images: Path
    """image store of the target's images without labels, where a technique reads them"""


def read_task(params: Params, files: TaskFiles) -> TransferTask:
    """Read all that the transfer arm is trained from, onto the device that the environment names.

    Args:
        params: all of params.yaml.
        files: what is read.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the images do not fit into memory, or GRAFT_DEVICE names no device of this machine.
    """
    runtime = make_runtime(params.seed)
    card = read_record(BackboneCard, files.card)
    data = read_data(
        Labels(files.catalog, files.images),
        Labels(files.labelled_catalog, files.labelled_images),
        card.preprocessing,
        params.recipes[params.training.augmentation],
        runtime,
    )
    backbone = _backbone(load_network(files.backbone), card, data, files)
    beside = CompanionFiles(files.companion_catalog, files.companion_images, files.unlabelled_images)
    strategy = read_record(StrategyRecord, files.strategy)
    return TransferTask(backbone, data, strategy, params, read_companions(beside, runtime))


def _backbone(network: Network, card: BackboneCard, data: TargetData, files: TaskFiles) -> Backbone:
    """Pretrained blocks with cached features of the target, or with those of the source, which are made here."""
    if data.labels_from == "target":
        return Backbone(network, card.network, np.load(files.features), source_head=card.source_head)
    blocks = copy.deepcopy(network).to(data.runtime.device).eval()
    stored = open_images(files.labelled_images)
    features = outputs_of(blocks, stored).features
    return Backbone(network, card.network, features, card.origin == "pretrain", card.source_head)


def start_of(task: TransferTask) -> Start:
    """The network, its BatchNorm adapted where that is the policy, and its features of the target's images.

    Features of fixed views are made only where the strategy trains on them: where the lowest block learns at once,
    every epoch has views of its own.

    Raises:
        ValueError: the strategy is norms, and the network has no normalisation layer, or there are no images to adapt
            BatchNorm to, or none of the source with labels of the old head for ewc.
    """
    backbone, data, params = task.backbone, task.data, task.params
    settings = params.finetune_target
    network = copy.deepcopy(backbone.network).to(data.train.labels.device).eval()
    check_norms(task.strategy.choice, network, backbone.name)
    # of the pretrained network, before BatchNorm is adapted to another domain than that of the labels
    roots = _fisher_roots(task, network)
    policy = batchnorm_of(params)
    if policy == "adapt":
        adapt_batchnorm(network, _labelled_domain(task))
    n_views = settings.views if settings.views and _has_frozen_blocks(task, network) else None
    if policy == "adapt":
        adapted = activations(network, len(network.blocks), parts(data.val.images))
        plain, val = _features(network, task, None), adapted.cpu().numpy()
    else:
        plain, val = backbone.features[data.train_rows], backbone.features[data.val_rows]
    views = [_features(network, task, number) for number in range(n_views or 0)]
    if policy == "adapt" and data.labels_from == "source":
        # the head is fitted to the source by its own statistics, and serves the target by those of the target
        adapt_batchnorm(network, unlabelled_of(task.companions, "batchnorm: adapt"))
    return Start(network, np.stack(views or [plain]), plain, val, roots)


def _fisher_roots(task: TransferTask, network: Network) -> tuple[Tensor, ...]:
    """What ewc counts parameters by, computed once for all runs; empty without ewc, or where no block learns."""
    keeping = task.params.finetune_target.keeping
    if not isinstance(keeping, EWC) or task.strategy.choice == "feature_extraction":
        return ()
    return fisher_roots(network, labelled_source(task.companions, network, "ewc"), keeping.images, task.params.seed)


def _labelled_domain(task: TransferTask) -> Tensor:
    """Train images of the domain that the labels are of, unlabelled ones of the target included: (n, 3, s, s) uint8."""
    labelled, unlabelled = task.data.train.images, task.companions.unlabelled
    if unlabelled is None or task.data.labels_from == "source":
        return labelled
    return torch.cat([labelled, unlabelled])


def batchnorm_of(params: Params) -> BatchNormPolicy:
    """BatchNorm policy of the transfer arm; null follows the weights, as docs/decisions/values.md explains."""
    by_weights: BatchNormPolicy = "train" if params.network.weights == "pretrain" else "frozen"
    return params.finetune_target.batchnorm or by_weights


def blank(task: TransferTask, start: Start) -> Network:
    """The network with a random head for the target's classes, for weights to be read into."""
    return with_new_head(copy.deepcopy(start.network), len(task.data.classes), task.params.training.head)


def with_head(task: TransferTask, start: Start, places: NDArray[np.int64], c: float) -> Network:
    """The pretrained network with a head for the classes of the labels.

    A linear head is the one that these labels were pretrained with, where they were; else the linear probe of these
    images (LP-FT, Kumar et al. 2022); an mlp is random.

    Args:
        task: what the arm is trained from.
        start: what every run starts from.
        places: (k,) places within the train split of the images that the probe learns from.
        c: inverse regularisation strength of the probe.
    """
    data, network = task.data, blank(task, start)
    if isinstance(network.head, nn.Linear) and task.backbone.knows_classes:
        network.head = copy.deepcopy(task.backbone.network.head)
    elif isinstance(network.head, nn.Linear):
        # (k,) -> (v * k,): the views one after another
        labels = np.tile(data.train.labels.cpu().numpy()[places], len(start.train))
        seen = np.concatenate([each[places] for each in start.train])
        balanced = task.params.training.balance != "none"
        head = probe.linear_head(seen, labels, c, len(data.classes), balanced=balanced)
        with torch.no_grad():
            network.head.weight.copy_(torch.from_numpy(head.weight))
            network.head.bias.copy_(torch.from_numpy(head.bias))
    return made_ready(task, network.to(data.train.labels.device))


def made_ready(task: TransferTask, network: Network) -> Network:
    """The same network, with what learns in the blocks that any phase trains.

    Raises:
        ValueError: nothing in these blocks can learn as params.yaml says.
    """
    prepare(network, task.params.finetune_target.tuning, learning_blocks(task))
    return network


def learning_blocks(task: TransferTask) -> list[str]:
    """Names of the blocks that any phase trains by more than their norms."""
    phases = [each for each in plan_at(task, 1.0).phases if each.learns != "norms"]
    return [name for name in task.backbone.network.blocks if any(phase.rates[name] > 0 for phase in phases)]


def head_c(strategy: StrategyRecord) -> float:
    """Inverse regularisation of the head that the runs start from."""
    return HEAD_C if strategy.probe_c is None else strategy.probe_c


def plan_at(task: TransferTask, rate: float) -> Plan:
    """The plan of a run of the chosen strategy, with this learning rate of the head."""
    data, params = task.data, task.params
    settings, training = params.finetune_target, params.training
    blocks = list(task.backbone.network.blocks)
    return Plan(
        phases_of(task.strategy.choice, blocks, rate, settings, training.epochs, training.patience),
        training,
        data.recipe,
        data.runtime.precision,
        batchnorm=batchnorm_of(params),
        views=settings.views,
    )


def _has_frozen_blocks(task: TransferTask, network: Network) -> bool:
    """Whether blocks below the first that learns stay as they are in the first phase."""
    return n_frozen_blocks(made_ready(task, copy.deepcopy(network)), plan_at(task, 1.0).phases[0]) > 0


def _features(network: Network, task: TransferTask, view: int | None) -> Features:
    """(n, d) features of the train images as they are, or of one fixed view of them."""
    data, generator = task.data, torch.Generator()
    batches: tuple[Tensor, ...] = torch.split(data.train.images, AT_ONCE)
    if view is not None:
        generator.manual_seed(view_seed(task.params.seed, view))
        batches = tuple(augmented(each, data.recipe, generator) for each in batches)
    features: Features = activations(network, len(network.blocks), batches).cpu().numpy()
    return features
