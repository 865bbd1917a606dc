"""Train arms on real images and tell on which test images each is right; append one JSON line per arm to a log.

    python bench/values_run.py DATA LOG < ARMS

ARMS are JSON lines from values.py. Arms that are already in LOG are not run again. Each arm uses graft's own functions:
the rate is chosen on validation, and the weights that are kept are scored in float32 on images that no run saw.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from graft.images import decode, resizing
from graft.networks.networks import Network, build_network, published_network
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import preprocessing_for
from graft.networks.runtime import Runtime, make_deterministic
from graft.networks.saving import load_network, save_network
from graft.params.both_arms import Strategy
from graft.params.pipeline import Params
from graft.params.recipes import Recipe
from graft.records.common import Preprocessing
from graft.records.strategy import StrategyRecord
from graft.statistics.features import probe
from graft.statistics.groups import grouped_folds
from graft.training.batches import Samples, samples_on
from graft.training.loop import fit
from graft.training.phases import Phase, equal_rates
from graft.training.steps import Plan
from graft.transfer.arms.target_data import TargetData, part_of
from graft.transfer.control import train_scratch
from graft.transfer.finetuning.finetune import finetune_target
from graft.transfer.finetuning.task import Backbone, TransferTask
from graft.yaml_files import read_yaml

PARAMS = Path(__file__).parents[1] / "params.yaml"
ON_CPU = Runtime(torch.device("cpu"), torch.float32, 1, None)
Change = dict[str, Any]
"""new values by dotted name of a param"""
What = Strategy | Literal["scratch"]


class Split(NamedTuple):
    """Images of each class to learn from, to choose by and to test on; the rest may pretrain a network."""

    train: int
    val: int
    test: int


class Arm(NamedTuple):
    """What is trained; the first four name it."""

    table: str
    network: str
    data: str
    name: str
    strategy: What
    change: Change
    split: list[int]
    precision: str


class Pool(NamedTuple):
    """Images of a set as a network sees them, sorted by split, with the rest at the end."""

    pixels: NDArray[np.uint8]
    """(n, s, s, 3) images"""
    labels: NDArray[np.int64]
    """(n,) class numbers"""
    classes: tuple[str, ...]
    split: Split
    preprocessing: Preprocessing

    def rows(self, name: str) -> NDArray[np.int64]:
        """Positions of a split, or of the `rest`."""
        ends = np.cumsum([0, *self.split]) * len(self.classes)
        start = [*Split._fields, "rest"].index(name)
        return np.arange(ends[start], [*ends, len(self.labels)][start + 1])


class Ground(NamedTuple):
    """Images and backbone that all arms of a table share on a set."""

    pool: Pool
    backbone: Backbone
    probe_c: float
    """inverse regularisation strength of the linear probe that heads start from"""


def main() -> None:
    """Run the arms that are not in the log yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("log", type=Path)
    args = parser.parse_args()
    args.log.touch()
    done = {tuple(json.loads(line)["arm"]) for line in args.log.read_text(encoding="utf-8").splitlines()}
    make_deterministic(0)
    for line in sys.stdin:
        arm = Arm(**json.loads(line))
        if arm[:4] in done:
            continue
        found = measured(arm, args.data, args.log.parent)
        with args.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(found) + "\n")
        print(*arm[:4], found["rates"], found["accuracy"], found["cpu_s"], sep=", ", file=sys.stderr, flush=True)


def measured(arm: Arm, data: Path, folder: Path) -> dict[str, Any]:
    """Train an arm with all its seeds, and return its line of the log."""
    os.environ["GRAFT_PRECISION"] = arm.precision
    params = params_of(arm.network, data, arm.change)
    size_px = params.images.size_px or 0
    ground = ground_of(arm.network, arm.data, Split(*arm.split), arm.strategy, size_px, data, folder)
    target = target_of(ground.pool, params.recipes[params.training.augmentation])
    start = time.process_time()
    with tempfile.TemporaryDirectory() as made:
        weights = Path(made)
        if arm.strategy == "scratch":
            record = train_scratch(target, params, weights, weights / "half_done")
        else:
            read: dict[str, Any] = {"choice": arm.strategy, "probe_c": ground.probe_c}  # the rest is for reports
            strategy = StrategyRecord.model_construct(**read)
            record = finetune_target(
                TransferTask(ground.backbone, target, strategy, params), weights, weights / "half_done"
            )
        cpu_s = time.process_time() - start
        correct = [is_right(load_network(file), ground.pool) for file in sorted(weights.glob("seed_*.safetensors"))]
    return {
        "arm": arm[:4],
        "rates": [each.rate for each in record.runs],
        "trials": [[each.seed, each.rate, each.accuracy, each.loss] for each in record.trials],
        "best_epochs": [each.best_epoch for each in record.runs],
        "accuracy": round(float(np.mean(correct)), 4),
        "cpu_s": round(cpu_s, 1),
        "correct": ["".join(map(str, each.astype(int))) for each in correct],
    }


def is_right(network: Network, pool: Pool) -> NDArray[np.bool_]:
    """Whether the network is right on each test image, (n,)."""
    rows = pool.rows("test")
    logits = outputs_of(network, pool.pixels[rows]).logits
    right: NDArray[np.bool_] = logits.argmax(axis=1) == pool.labels[rows]
    return right


def equal_lengths_too(values: dict[str, Any]) -> Params:
    """Params of these values, where a control may also be as short as transfer: params.yaml refuses that as unfair."""
    control = values["train_scratch"]
    longer = {**control, "long_factor": max(2, control["long_factor"])}
    params = Params.model_validate({**values, "train_scratch": longer})
    as_said = params.train_scratch.model_copy(update={"long_factor": control["long_factor"]})
    return params.model_copy(update={"train_scratch": as_said})


def params_of(network: str, data: Path, change: Change) -> Params:
    """params.yaml with a network, its weights where there are any, and new values."""
    raw = read_yaml(PARAMS)
    raw["network"]["name"] = network
    weights = data / "weights" / f"{network}.pth"
    if weights.is_file():
        sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
        raw["network"].update(weights="file", weights_file=str(weights), weights_sha256=sha256)
    for name, value in change.items():
        section, key = name.split(".")
        raw[section][key] = value
    return equal_lengths_too(raw)


@cache
def ground_of(network: str, name: str, split: Split, strategy: What, size_px: int, data: Path, folder: Path) -> Ground:
    """Images and backbone that all arms of a table share on a set, at one image size."""
    params = params_of(network, data, {"images.size_px": size_px})
    preprocessing = preprocessing_for(params.network, params.images)
    pool = pool_of(data / "datasets" / name, split, preprocessing)
    if strategy == "scratch":
        net = build_network(network, len(pool.classes), preprocessing).eval()
    elif params.network.weights == "file":
        net = published_network(params.network, len(pool.classes), preprocessing)[0].eval()
    else:
        net = pretrained(params, source_of(pool, name, data), folder / f"{network}-{name}-{size_px}.safetensors")
    features = outputs_of(net, pool.pixels).features
    rows = pool.rows("train")
    groups = rows.astype(np.str_)
    c = probe.probe_accuracy(
        features[rows], pool.labels[rows], grouped_folds(pool.labels[rows], groups, params.select_strategy.folds, 0)
    ).setting
    return Ground(pool, Backbone(net, network, features), c)


def source_of(pool: Pool, name: str, data: Path) -> Samples:
    """Images that stand for a source: MNIST for USPS, else those of the set that are in no split."""
    if name == "usps":
        pool = pool_of(data / "datasets/mnist", Split(100, 0, 0), pool.preprocessing)
        return samples_of(pool, "train")
    return samples_of(pool, "rest")


def pretrained(params: Params, source: Samples, file: Path) -> Network:
    """Train a network on source images as pretrain_source does, or read it from the file that keeps it."""
    if not file.is_file():
        torch.manual_seed(params.seed)
        preprocessing, settings = preprocessing_for(params.network, params.images), params.pretrain_source
        network = build_network(params.network.name, int(source.labels.max()) + 1, preprocessing)
        phase = Phase("pretrain", equal_rates(list(network.blocks), settings.rate), settings.epochs, None, False)
        plan = Plan((phase,), settings, params.recipes["digits"], torch.float32)
        held = np.arange(len(source.labels)) % 10 == 0
        train, val = (part_of(source, np.flatnonzero(each)) for each in (~held, held))
        print("pretrained", file.name, fit(network, train, val, plan, params.seed, lambda n: None).best, flush=True)
        save_network(network, params.network.name, file)
    return load_network(file)


@cache
def pool_of(folder: Path, split: Split, preprocessing: Preprocessing) -> Pool:
    """Images of a set, drawn with a fixed seed: equally many of each class per split, the rest at the end."""
    by_class: dict[str, list[Path]] = {}
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        by_class.setdefault(file.parent.name, []).append(file)
    classes, rng = tuple(sorted(by_class)), np.random.default_rng(0)
    drawn = [[by_class[name][place] for place in rng.permutation(len(by_class[name]))] for name in classes]
    edges = [*np.cumsum([0, *split]), max(map(len, drawn))]
    chosen = [(label, each) for a, b in pairwise(edges) for label, files in enumerate(drawn) for each in files[a:b]]
    pixels = [resizing.fit(decode.decode(each.read_bytes(), str(each)), preprocessing) for _, each in chosen]
    return Pool(np.stack(pixels), np.array([label for label, _ in chosen]), classes, split, preprocessing)


def samples_of(pool: Pool, name: str) -> Samples:
    """Images of a split, or of the `rest`."""
    rows = pool.rows(name)
    return samples_on(ON_CPU.device, pool.pixels[rows], pool.labels[rows])


def target_of(pool: Pool, recipe: Recipe) -> TargetData:
    """Set of images as input of both arms of graft."""
    train, val = samples_of(pool, "train"), samples_of(pool, "val")
    rows = pool.rows("train")
    return TargetData(
        pool.classes, train, val, rows, rows.astype(str), pool.rows("val"), pool.preprocessing, recipe, ON_CPU
    )


if __name__ == "__main__":
    main()
