"""Trainings of bench/adaptation.py: backbones, and what graft's own transfer arm makes of them.

All go through graft's rooms as a stage would use them, on images at hand and without DVC. Precision is float32 on every
device, so that a processor may take over what a GPU has no time for.
"""

import hashlib
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from adaptation_data import PHOTOGRAPHS, ImageSet, cut, image_set, photographs_of
from adaptation_pool import Job, Result, read
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.vision_transformer import VisionTransformer
from verdict_real_run import Change, params_with

from graft.networks.cuts import vision_transformer
from graft.networks.networks import Network, build_network, published_network, with_new_head
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.runtime import Runtime, make_deterministic
from graft.params.both_arms import Strategy
from graft.params.pipeline import Params
from graft.records.strategy import StrategyRecord
from graft.statistics.features import probe
from graft.statistics.groups import grouped_folds
from graft.training.batches import Samples, samples_on
from graft.training.checkpoints import NOTHING
from graft.training.loop import fit
from graft.training.phases import Phase, equal_rates
from graft.training.steps import Plan
from graft.transfer.arms.rates import RunKey
from graft.transfer.arms.runs import Trained
from graft.transfer.arms.target_data import TargetData
from graft.transfer.companions import Companions
from graft.transfer.finetuning.finetune import trainer
from graft.transfer.finetuning.little import little
from graft.transfer.finetuning.task import Backbone, TransferTask, start_of

# shares of the images of a class and of the epochs, and the number of seeds
SCALES = {"whole": (1.0, 1.0, 5), "quick": (0.5, 0.5, 3), "smoke": (0.08, 0.01, 2)}
LEAST_IMAGES = 3
FOLDS = 5
# in a trial, where a batch of images is more than there are
SMALL_BATCH = 4
VIT_PX, VIT_PATCH, VIT_LAYERS, VIT_HEADS, VIT_WIDTH = 32, 4, 4, 4, 64
Kind = Literal["small_cnn", "vit", "mobilenet_v2"]
Size = Literal["whole", "quick", "smoke"]


class Options(NamedTuple):
    """What all processes are told."""

    where: Path
    """data folder, or the file that was packed from it"""
    weights: Path
    """ImageNet weights of mobilenet_v2"""
    size: Size

    @property
    def n_seeds(self) -> int:
        """Number of seeds."""
        return int(SCALES[self.size][2])

    def images(self, *sizes: int) -> tuple[int, ...]:
        """Images of a class in each part at this size."""
        return tuple(max(LEAST_IMAGES, round(SCALES[self.size][0] * each)) if each else 0 for each in sizes)

    def epochs(self, n: int) -> int:
        """Epochs of a run at this size."""
        return max(1, round(SCALES[self.size][1] * n))


class Origin(NamedTuple):
    """What a backbone was trained on."""

    network: Kind
    name: str
    """of the set; empty: ImageNet"""
    sizes: tuple[int, ...] = ()
    """images of a class in train, validation and test, before they are scaled"""
    epochs: int = 0
    rate: float = 0.0

    def job(self, seed: int) -> Job | None:
        """Its training; None where there is none."""
        if not self.name:
            return None
        return Job("backbone", self.name, self.network, seed, "-", self.network == "mobilenet_v2")


class Case(NamedTuple):
    """Images of one task as the transfer arm takes them, and those that no run sees."""

    data: TargetData
    companions: Companions
    test: ImageSet
    old: ImageSet | None
    """test images of the source with the classes of the old head"""


def images_of(network: Kind, name: str, where: Path) -> ImageSet:
    """A set at the size that a network takes."""
    return photographs_of(name, where) if network == "mobilenet_v2" else image_set(name, where)


def parts_of(found: ImageSet, sizes: tuple[int, ...]) -> list[ImageSet]:
    """Parts of a set with so many images of a class."""
    return [ImageSet(found.images[rows], found.labels[rows], found.classes) for rows in cut(found, sizes)]


def runtime_of(device: str) -> Runtime:
    """One thread, float32."""
    return Runtime(torch.device(device), torch.float32, 1, None)


def pretrain(origin: Origin, seed: int, device: str, options: Options) -> Result:
    """Train a backbone, and return its weights and its accuracy on test images of the source."""
    make_deterministic(seed)
    train, val, test = parts_of(images_of(origin.network, origin.name, options.where), options.images(*origin.sizes))
    network = blank(origin.network, len(train.classes), options).to(device)
    params = params_of(origin.network, {}, options)
    n_epochs = options.epochs(origin.epochs)
    settings = params.pretrain_source.model_copy(update={"epochs": n_epochs})
    phase = Phase("pretrain", equal_rates(list(network.blocks), origin.rate), n_epochs, None)
    plan = Plan((phase,), settings, params.recipes[params.training.augmentation], torch.float32)
    fit(network, samples_of(train, device), samples_of(val, device), plan, seed, lambda n: None)
    right = outputs_of(network, test.images).logits.argmax(axis=1) == test.labels
    arrays = {name: each.cpu().numpy() for name, each in network.state_dict().items()}
    return Result({"accuracy": float(right.mean())}, arrays)


def blank(kind: Kind, n_classes: int, options: Options) -> Network:
    """Network with random weights, or those of ImageNet where it is the large one."""
    if kind == "small_cnn":
        return build_network(kind, n_classes, SMALL_CNN)
    if kind == "vit":
        model = VisionTransformer(VIT_PX, VIT_PATCH, VIT_LAYERS, VIT_HEADS, VIT_WIDTH, 4 * VIT_WIDTH)
        return Network(vision_transformer(model), VIT_WIDTH, n_classes, SMALL_CNN)
    network = published_network(params_of(kind, {}, options).network, n_classes, PHOTOGRAPHS).network
    return with_new_head(network, n_classes)


def params_of(kind: Kind, change: Change, options: Options) -> Params:
    """params.yaml for a network, with the changes of a run."""
    named: Change = {"training.augmentation": "digits"}
    if kind == "mobilenet_v2":
        of_file = {"weights": "file", "weights_file": str(options.weights), "weights_sha256": _sha256(options.weights)}
        named = {f"network.{key}": value for key, value in {"name": kind, **of_file}.items()}
        named |= {"training.augmentation": "photographs", "finetune_target.batchnorm": "frozen"}
    if options.size == "smoke":
        named["training.batch_size"] = SMALL_BATCH
    return params_with({**named, **change})


def made_here(kind: Kind) -> Change:
    """Values of params.yaml that say that the backbone was trained on the source, whatever it started from."""
    if kind != "mobilenet_v2":
        return {}
    return {"network.weights": "pretrain", "network.weights_file": None, "network.weights_sha256": None}


def network_of(origin: Origin, seed: int, options: Options, folder: Path) -> Network:
    """The backbone with its old head, from the file of its training."""
    if (job := origin.job(seed)) is None:
        torch.manual_seed(seed)
        return blank(origin.network, 2, options).eval()
    weights = read(folder / f"{job.name}.npz").arrays
    network = blank(origin.network, len(weights["head.bias"]), options)
    network.load_state_dict({name: torch.from_numpy(each) for name, each in weights.items()})
    return network.eval()


def samples_of(found: ImageSet, device: str) -> Samples:
    """Images with their labels on a device."""
    return samples_on(torch.device(device), found.images, found.labels)


def case_of(
    parts: tuple[ImageSet, ImageSet, ImageSet],
    companions: Companions,
    params: Params,
    device: str,
    old: ImageSet | None,
) -> Case:
    """A task from its train, validation and test images."""
    train, val, test = parts
    rows = np.arange(len(train.labels))
    preprocessing = SMALL_CNN if train.images.shape[1] == SMALL_CNN.crop_px else PHOTOGRAPHS
    data = TargetData(
        classes=train.classes,
        train=samples_of(train, device),
        val=samples_of(val, device),
        train_rows=rows,
        train_groups=rows.astype(np.str_),
        val_rows=len(rows) + np.arange(len(val.labels)),
        preprocessing=preprocessing,
        recipe=params.recipes[params.training.augmentation],
        runtime=runtime_of(device),
        labels_from="target" if params.finetune_target.choose_by is None else "source",
    )
    return Case(data, companions, test, old)


def task_of(case: Case, network: Network, name: str, strategy: Strategy, params: Params) -> TransferTask:
    """The task of the transfer arm."""
    network = network.to(case.data.runtime.device)
    images = torch.cat([case.data.train.images, case.data.val.images])
    features = outputs_of(network, arrays_of(images)).features
    # the rest is for reports
    record = StrategyRecord.model_construct(choice=strategy, probe_c=_probe_c(case.data, features))
    own = case.data.labels_from == "source" and network.n_classes == len(case.data.classes)
    backbone = Backbone(network, name, features, knows_classes=own)
    return TransferTask(backbone, case.data, record, params, case.companions)


def tuned(task: TransferTask, seed: int, rate: float) -> tuple[Trained, dict[str, Any]]:
    """One run of the transfer arm, and what it took."""
    make_deterministic(seed)
    start = start_of(task)
    counts = little(task, start)
    cpu, wall = time.process_time(), time.perf_counter()
    trained = trainer(task, start)(RunKey(seed, rate), lambda n: None, NOTHING)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    fitted = trained.fitted
    choice = fitted.best if fitted.choice is None else fitted.choice
    facts = {
        "rank": list(choice.rank),
        "best_epoch": fitted.best_epoch,
        "n_seen": fitted.n_seen,
        "cpu_s": cpu,
        "wall_s": wall,
        "device": str(task.data.runtime.device),
        "trained": counts.n_trained_parameters,
        "share": counts.n_trained_parameters / counts.n_parameters,
    }
    return trained, facts


def logits_of(network: Network, case: Case, backbone: Network) -> dict[str, NDArray[Any]]:
    """Logits of the test images, and of the source's by the old head before and after where it is asked for."""
    found: dict[str, NDArray[Any]] = _logits(network, case.test, "logits", "labels")
    if case.old is not None:
        found |= _logits(backbone, case.old, "before", "old_labels")
        network.head = backbone.head
        found |= _logits(network, case.old, "after", "old_labels")
    return found


def arrays_of(images: Tensor) -> NDArray[np.uint8]:
    """(n, s, s, 3) images on the CPU of (n, 3, s, s) ones on a device."""
    found: NDArray[np.uint8] = images.permute(0, 2, 3, 1).cpu().numpy()
    return found


def _logits(network: Network, images: ImageSet, logits: str, labels: str) -> dict[str, NDArray[Any]]:
    outputs = outputs_of(network, images.images).logits
    return {logits: outputs.astype(np.float16), labels: images.labels.astype(np.int16)}


def _probe_c(data: TargetData, features: NDArray[np.float32]) -> float | None:
    """Inverse regularisation strength of the head, by cross-validation where labels are of the target, as in graft."""
    if data.labels_from == "source":
        return None
    labels = data.train.labels.cpu().numpy()
    folds = grouped_folds(labels, data.train_groups, min(FOLDS, int(np.bincount(labels).min())), 0)
    return probe.probe_accuracy(features[data.train_rows], labels, folds).setting


@lru_cache
def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
