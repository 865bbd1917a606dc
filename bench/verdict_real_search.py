"""The search for transfer that hurts: sources far from their targets, wrong labels, blocks that must not learn.

    python bench/verdict_real_search.py [table ...]

Images and ImageNet weights are those of ../shared/data. Every line is one verdict on images that neither arm saw. Lines
of one target share its control. All trainings run in this process, with one thread.
"""

import os

# before torch is imported
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "GRAFT_PROCESSES": "1"}

import math
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

from values_run import Split
from verdict_real import HEADER, RULE, cells, run
from verdict_real_run import (
    Change,
    Right,
    Target,
    images_of,
    judged,
    params_with,
    pretrained_on,
    published,
    right_of_scratch,
    right_of_transfer,
    shuffled_labels,
    source_of,
    target_of,
    weights_of,
)

from graft.networks.networks import Network
from graft.networks.preprocessing import preprocessing_for

STRATEGIES = ("feature_extraction", "norms", "top_blocks", "full")
N_VAL, N_TEST = 15, 100
# of cartoons and photographs there are 75 a class
SCARCE = {"pacs/cartoon": (10, 35), "pacs/photo": (10, 35)}


class Cell(NamedTuple):
    """A target, how many of its images are learnt from, and what is pretrained."""

    network: str
    source: str
    """set that the network is trained on, with `, shuffled` for labels in random order; ImageNet: a file of weights"""
    target: str
    n_train: int
    """images of a class"""
    epochs: tuple[int, int] = (8, 3)
    """epochs of transfer, and how many times as many the control has"""


SMALL = (
    Cell("small_cnn", "cifar10", "mnist", 20),
    Cell("small_cnn", "cifar10, shuffled", "mnist", 20),
    Cell("small_cnn", "usps", "mnist", 20),
    Cell("small_cnn", "cifar10", "mnist", 100),
    Cell("small_cnn", "cifar10", "usps", 20),
    Cell("small_cnn", "mnist", "cifar10", 20),
    Cell("small_cnn", "usps", "cifar10", 100),
    Cell("small_cnn", "pacs/photo", "pacs/cartoon", 20),
    Cell("small_cnn", "mnist", "pacs/cartoon", 20),
)
LARGE = (
    Cell("squeezenet1_1", "ImageNet", "mnist", 100),
    Cell("mobilenet_v2", "ImageNet", "mnist", 100),
    Cell("mobilenet_v2", "ImageNet", "usps", 100),
)
EQUAL = (
    Cell("small_cnn", "cifar10", "mnist", 20, (24, 1)),
    Cell("small_cnn", "cifar10, shuffled", "mnist", 20, (24, 1)),
)
RATES = {"small_cnn": [0.003, 0.01], "squeezenet1_1": [0.0001, 0.0003], "mobilenet_v2": [0.0003, 0.001]}
SCRATCH_RATES = {"small_cnn": [0.003, 0.01], "squeezenet1_1": [0.0003, 0.001], "mobilenet_v2": [0.003, 0.01]}


def small() -> None:
    """Print the search with the network of the built-in example."""
    search(SMALL, STRATEGIES)


def large() -> None:
    """Print the search with ImageNet weights whose blocks do not learn."""
    search(LARGE, ("feature_extraction",))


def equal() -> None:
    """Print the worst of the search again with as many epochs for transfer as for the control."""
    search(EQUAL, ("full",))


def search(found_in: tuple[Cell, ...], strategies: tuple[str, ...]) -> None:
    """Print one line for each cell and strategy."""
    print(f"| network | source | target, images a class | strategy | epochs | {HEADER} CPU s |")
    print(f"|---|---|---|---|---:|{RULE}---:|", flush=True)
    for cell in found_in:
        target = target_in(cell)
        start = time.process_time()
        network = network_for(cell)
        for strategy in strategies:
            scratch = control_of(cell._replace(source=""))
            found = judged(right_of_transfer(target, network, strategy), scratch)
            epochs = f"{cell.epochs[0]}, {math.prod(cell.epochs)}"
            where = f"{cell.network} | {cell.source} | {cell.target}, {cell.n_train} | {strategy} | {epochs}"
            print(f"| {where} | {cells(found)} {time.process_time() - start:.0f} |", flush=True)
            start = time.process_time()


TABLES: Mapping[str, Callable[[], None]] = {"small": small, "equal": equal, "large": large}


@cache
def target_in(cell: Cell) -> Target:
    """The target's images, and params that fit."""
    change: Change = {
        "images.size_px": 32,
        "training.epochs": cell.epochs[0],
        "train_scratch.long_factor": cell.epochs[1],
        "training.augmentation": "none",
        "pretrain_source.augmentation": "none",
        "finetune_target.rates": RATES[cell.network],
        "train_scratch.rates": SCRATCH_RATES[cell.network],
    }
    params = params_with({**weights_of(cell.network), **change})
    preprocessing = preprocessing_for(params.network, params.images)
    n_val, n_test = SCARCE.get(cell.target, (N_VAL, N_TEST))
    return target_of(images_of(cell.target, Split(cell.n_train, n_val, n_test), preprocessing), params)


@cache
def control_of(cell: Cell) -> Right:
    """What the control gets right; the same for all sources."""
    return right_of_scratch(target_in(cell))


@cache
def network_for(cell: Cell) -> Network:
    """The pretrained network."""
    target = target_in(cell)
    if cell.source == "ImageNet":
        return published(target)
    name, *shuffled = cell.source.split(", ")
    source = source_of(name, target.pool.preprocessing)
    return pretrained_on(shuffled_labels(source, 0) if shuffled else source, target, 0)


if __name__ == "__main__":
    run(TABLES, __doc__)
