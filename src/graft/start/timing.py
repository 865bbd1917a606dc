"""Seconds of single steps of the pipeline on this machine, timed on a few of each."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graft.params.pipeline import Params
from graft.records.common import Preprocessing

if TYPE_CHECKING:
    import torch

    from graft.networks.networks import Network
    from graft.networks.runtime import Runtime
    from graft.params.both_arms import Strategy

# a timed step takes at most about so many seconds; slow networks and large images get fewer images a step
STEP_S = 1.0
FEWEST_IMAGES = 4
N_STEPS = 3
# rows on which fitting a linear head is timed
ROWS = 200
LOADS = "from graft.networks.families import import_torchvision, networks; import graft.transfer.control; networks()"
"""what a stage that trains has loaded before it reads an image"""


class Costs(NamedTuple):
    """Seconds of single steps."""

    start: float
    """seconds until a process has loaded torch"""
    read: float
    """seconds to read a picture, divided by the number of cores"""
    forward: float
    """seconds of the network's forward pass for one image"""
    top: float
    """seconds per image of a training step in which the top block learns"""
    full: float
    """seconds per image of a training step in which all blocks learn"""
    head: float
    """seconds per row of features to fit a linear head"""
    n_blocks: int
    """number of blocks of the network"""
    n_processes: int
    """number of processes that train the runs of an arm side by side"""


Clock = Callable[[], float]


def costs_here(params: Params, n_classes: int, pictures: Sequence[Path]) -> Costs:
    """Time a few of each on the device that the pipeline would pick.

    Args:
        params: network, size, batch and precision are theirs.
        n_classes: of the target.
        pictures: image files.

    Raises:
        ValueError: no such network, or a size that it cannot take.
    """
    from graft.networks.networks import build_network
    from graft.networks.preprocessing import preprocessing_for
    from graft.networks.runtime import make_runtime
    from graft.transfer.arms.processes import processes_of

    runtime, preprocessing = make_runtime(params.seed), preprocessing_for(params.network, params.images)
    clock = _clock(runtime.device)
    network = build_network(params.network.name, n_classes, preprocessing, params.training.head).to(runtime.device)
    forward = _forward(network, clock)
    n = min(params.training.batch_size, max(FEWEST_IMAGES, int(STEP_S / (3 * forward))))
    head = _head(network.n_features, n_classes, clock)
    return Costs(
        start=_start(clock),
        read=_read(pictures, preprocessing, clock),
        forward=forward,
        top=_step(network, "top_blocks", n, params, (runtime, clock)),
        full=_step(network, "full", n, params, (runtime, clock)),
        head=head,
        n_blocks=len(network.blocks),
        n_processes=processes_of(runtime),
    )


def _clock(device: "torch.device") -> Clock:
    """Seconds of this process and its children on a processor of its own, as if the machine did nothing else.

    Where several threads or a GPU work, those of the clock on the wall.
    """
    import torch

    alone = device.type == "cpu" and torch.get_num_threads() == 1
    return _processor_seconds if alone else time.perf_counter


def _processor_seconds() -> float:
    spent = os.times()
    return time.process_time() + spent.children_user + spent.children_system


def _start(clock: Clock) -> float:
    """Seconds of a process that loads what a training stage loads."""
    package = str(Path(__file__).parents[2])
    began = clock()
    subprocess.run([sys.executable, "-c", LOADS], env={**os.environ, "PYTHONPATH": package}, check=True)
    return clock() - began


def _read(pictures: Sequence[Path], preprocessing: Preprocessing, clock: Clock) -> float:
    """Seconds to read a picture as prepare_data does on all cores; unreadable pictures count too."""
    from graft.preparation.found import Found
    from graft.preparation.reading import read_file

    if not pictures:
        return 0.0
    began = clock()
    for each in pictures:
        read_file(each.parent, Found(each.name, "", None), preprocessing)
    return (clock() - began) / len(pictures) / (os.cpu_count() or 1)


def _forward(network: "Network", clock: Clock) -> float:
    """Seconds of the network's forward pass for one image."""
    from graft.networks.outputs import outputs_of

    size_px = network.preprocessing.crop_px
    images = _noise(2, size_px)
    outputs_of(network, images)  # the first of a shape takes longer
    began = clock()
    outputs_of(network, images)
    n = max(2, min(64, int(STEP_S / 2 / max(clock() - began, 1e-6) * 2)))
    images = _noise(n, size_px)
    began = clock()
    outputs_of(network, images)
    return (clock() - began) / n


def _step(network: "Network", strategy: "Strategy", n: int, params: Params, on: tuple["Runtime", Clock]) -> float:
    """Seconds per image of a training step of n images, with augmentation; the fastest of a few steps."""
    import torch

    from graft.training.batches import samples_on
    from graft.training.loop import fit
    from graft.training.steps import Plan
    from graft.transfer.finetuning.strategies import phases_of

    (device, precision, *_), clock = on
    images = _noise(n * (N_STEPS + 1), network.preprocessing.crop_px)
    labels = np.arange(len(images)) % network.n_classes
    train, val = samples_on(device, images, labels), samples_on(device, images[:1], labels[:1])
    # steps of whole blocks stand for those of little tuning, which are hardly shorter
    arm = params.finetune_target.model_copy(update={"tuning": "whole"})
    phases = phases_of(strategy, list(network.blocks), 1e-6, arm, 1, None)
    training = params.training.model_copy(update={"batch_size": n})
    recipe = params.recipes[training.augmentation]
    plan = Plan(phases, training, recipe, precision)
    ended: list[float] = []

    def note(n_seen: int) -> None:
        if n_seen:
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            ended.append(clock())

    fit(network, train, val, plan, params.seed, note)
    return min(later - earlier for earlier, later in pairwise(ended)) / n


def _head(n_features: int, n_classes: int, clock: Clock) -> float:
    """Seconds per row to fit a linear head on ROWS rows."""
    from graft.statistics.features.probe import linear_head

    rng = np.random.default_rng(0)
    labels = np.arange(ROWS) % n_classes
    features = rng.normal(labels[:, None] / n_classes, 1.0, (ROWS, n_features)).astype(np.float32)
    linear_head(features[: 2 * n_classes], labels[: 2 * n_classes], 0.01, n_classes)  # loads what it needs
    began = clock()
    linear_head(features, labels, 0.01, n_classes)
    return (clock() - began) / ROWS


def _noise(n: int, size_px: int) -> np.ndarray:
    """(n, s, s, 3) uint8 images of random noise."""
    return np.random.default_rng(0).integers(0, 256, (n, size_px, size_px, 3), dtype=np.uint8)
