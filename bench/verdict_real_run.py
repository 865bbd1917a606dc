"""Both arms of graft on images at hand, by its own functions of `transfer/`, and what they get right on other images.

No DVC, no process of its own: a comparison of two small arms takes seconds, so that hundreds of them can be run.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from values_run import Pool, Split, equal_lengths_too, pool_of, samples_of
from values_run import target_of as data_of

from graft.networks.networks import Network, build_network, published_network
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.saving import load_network
from graft.params.both_arms import Strategy
from graft.params.pipeline import Params
from graft.records.common import Preprocessing
from graft.records.strategy import StrategyRecord
from graft.statistics.comparison.compare import compare
from graft.statistics.comparison.interval import Estimate
from graft.statistics.features import probe
from graft.statistics.groups import grouped_folds
from graft.training.batches import Samples
from graft.training.loop import fit
from graft.training.phases import Phase, equal_rates
from graft.training.steps import Plan
from graft.transfer.arms.target_data import TargetData, part_of
from graft.transfer.control import train_scratch
from graft.transfer.finetuning.finetune import finetune_target
from graft.transfer.finetuning.task import Backbone, TransferTask
from graft.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "datasets"
# of scikit-learn's digits, grey values from 0 to 16
DIGITS_PX, WHITE = 8, 16
FOLDS = 5
N_DESTROYING = 100
Change = dict[str, Any]
"""new values by dotted name of a param"""
Right = NDArray[np.bool_]
"""(k, n): whether a seed is right on a test image"""


class Target(NamedTuple):
    """Images of a target, and the params of both arms."""

    pool: Pool
    data: TargetData
    """train and validation images"""
    params: Params


class Found(NamedTuple):
    """Accuracies of both arms, their difference, and the verdict."""

    transfer: float
    scratch: float
    difference: Estimate
    verdict: str


def with_values(change: Change) -> dict[str, Any]:
    """Content of params.yaml with new values."""
    raw: dict[str, Any] = read_yaml(ROOT / "params.yaml")
    for name, value in change.items():
        *sections, key = name.split(".")
        (raw[sections[0]] if sections else raw)[key] = value
    return raw


def params_with(change: Change) -> Params:
    """params.yaml with new values."""
    return equal_lengths_too(with_values(change))


def target_of(pool: Pool, params: Params) -> Target:
    """A set of images as both arms take it."""
    return Target(pool, data_of(pool, params.recipes[params.training.augmentation]), params)


def rest_of(target: Target) -> Samples:
    """Images of the target's set that are in no split, as a source."""
    return samples_of(target.pool, "rest")


def digits(split: Split, seed: int) -> Pool:
    """Scikit-learn's digits, drawn anew for each seed: equally many of each class per split, the rest at the end."""
    found = load_digits()
    pixels = (found.images * 255 / WHITE).round().astype(np.uint8)[..., None].repeat(3, axis=3)
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(np.flatnonzero(found.target == label)) for label in found.target_names]
    edges = [*np.cumsum([0, *split]), None]
    rows = np.concatenate([each[a:b] for a, b in pairwise(edges) for each in drawn])
    preprocessing = SMALL_CNN.model_copy(update={"resize_px": DIGITS_PX, "crop_px": DIGITS_PX})
    return Pool(pixels[rows], found.target[rows].astype(np.int64), tuple("0123456789"), split, preprocessing)


def right_of_transfer(target: Target, pretrained: Network, strategy: Strategy) -> Right:
    """The transfer arm, from pretrained weights."""
    features = outputs_of(pretrained, target.pool.pixels).features
    rows, params = target.data.train_rows, target.params
    labels = target.pool.labels[rows]
    c = probe.probe_accuracy(features[rows], labels, grouped_folds(labels, rows.astype(np.str_), FOLDS, 0)).setting
    # the rest of the record is for reports
    record = StrategyRecord.model_construct(choice=strategy, probe_c=c)
    backbone = Backbone(pretrained, params.network.name, features)
    task = TransferTask(backbone, target.data, record, params)
    return _right(target, lambda weights, kept: finetune_target(task, weights, kept))


def right_of_scratch(target: Target) -> Right:
    """The control."""
    return _right(target, lambda weights, kept: train_scratch(target.data, target.params, weights, kept))


def judged(transfer: Right, scratch: Right) -> Found:
    """Compare the arms as check_transfer does where images are not grouped."""
    settings = params_with({}).check_transfer
    found = compare(transfer, scratch, margin=settings.margin, level=settings.level)
    return Found(float(transfer.mean()), float(scratch.mean()), found.difference, found.verdict)


def random_network(target: Target, seed: int) -> Network:
    """Random weights, which are to be called pretrained."""
    return _network(target.params, target.data.preprocessing, len(target.data.classes), seed)


def pretrained_on(source: Samples, target: Target, seed: int) -> Network:
    """Network that is trained on a source as pretrain_source does it."""
    params = target.params
    network = _network(params, target.data.preprocessing, int(source.labels.max()) + 1, seed)
    settings = params.pretrain_source
    phase = Phase("pretrain", equal_rates(list(network.blocks), settings.rate), settings.epochs, None)
    plan = Plan((phase,), settings, params.recipes[settings.augmentation], torch.float32)
    held_out = np.arange(len(source.labels)) % 10 == 0
    train, val = (part_of(source, np.flatnonzero(each)) for each in (~held_out, held_out))
    fit(network, train, val, plan, seed, lambda n: None)
    return network.eval()


def saturated(network: Network, source: Samples, rate: float, seed: int) -> Network:
    """The network after N_DESTROYING steps at a rate so large that they destroy it, in place."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate)
    generator = torch.Generator().manual_seed(seed)
    network.train()
    for _ in range(N_DESTROYING):
        rows = torch.randint(len(source.labels), (32,), generator=generator)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(source.images[rows]), source.labels[rows]).backward()
        optimizer.step()
    return network.eval()


def share_constant(network: Network, target: Target) -> float:
    """Share of the network's features that are the same for every image."""
    return float(np.mean(np.ptp(outputs_of(network, target.pool.pixels).features, axis=0) == 0))


def shuffled_labels(source: Samples, seed: int) -> Samples:
    """The same images with their labels in random order."""
    order = torch.randperm(len(source.labels), generator=torch.Generator().manual_seed(seed))
    return Samples(source.images, source.labels[order])


def source_of(name: str, preprocessing: Preprocessing) -> Samples:
    """All images of a set of ../shared/data, as a source."""
    return samples_of(images_of(name, Split(0, 0, 0), preprocessing), "rest")


def published(target: Target) -> Network:
    """The network with the weights of a file that its params name."""
    return published_network(target.params.network, len(target.data.classes), target.data.preprocessing)[0].eval()


def weights_of(network: str) -> Change:
    """Values that name a network, and its file of weights where ../shared/data has one."""
    file, named = DATA.parent / "weights" / f"{network}.pth", {"network.name": network}
    if not file.is_file():
        return named
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    of_file = {"network.weights": "file", "network.weights_file": str(file), "network.weights_sha256": sha256}
    return {**named, **of_file}


@cache
def images_of(name: str, split: Split, preprocessing: Preprocessing) -> Pool:
    """A set of ../shared/data, drawn with a fixed seed."""
    return pool_of(DATA / name, split, preprocessing)


def _network(params: Params, preprocessing: Preprocessing, n_classes: int, seed: int) -> Network:
    torch.manual_seed(seed)
    return build_network(params.network.name, n_classes, preprocessing).eval()


def _right(target: Target, train: Callable[[Path, Path], object]) -> Right:
    """Train an arm, and see what the weights of each seed get right on the test images."""
    rows = target.pool.rows("test")
    pixels, labels = target.pool.pixels[rows], target.pool.labels[rows]
    with tempfile.TemporaryDirectory() as made:
        weights = Path(made) / "weights"
        weights.mkdir()
        train(weights, Path(made) / "half_done")
        files = sorted(weights.glob("seed_*"), key=lambda file: int(file.stem.removeprefix("seed_")))
        logits: Iterator[NDArray[np.float32]] = (outputs_of(load_network(file), pixels).logits for file in files)
        return np.stack([each.argmax(axis=1) == labels for each in logits])
