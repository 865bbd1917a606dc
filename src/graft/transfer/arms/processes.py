"""All runs of an arm, in as many processes as the machine has room for; GRAFT_PROCESSES overrules."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from graft.networks.networks import Network
from graft.networks.runtime import CONTROL_GROUPS, Runtime, free_bytes
from graft.training.activations import SHARE_OF_MEMORY, bytes_of
from graft.training.loop import Fitted
from graft.training.memory import needed_bytes
from graft.training.phases import n_frozen_blocks
from graft.training.steps import Plan
from graft.transfer.arms.rates import RunKey
from graft.transfer.arms.runs import Train, complete, one_by_one, train_once
from graft.transfer.arms.target_data import TargetData
from graft.transfer.arms.workers import Work, in_workers

# memory of a process that has loaded torch and trains a tiny network
PROCESS_BYTES = 400 * 2**20


class Crew(NamedTuple):
    """Who may train the runs of an arm."""

    runtime: Runtime
    """what this process computes on"""
    n_bytes: int = 0
    """memory that each process needs"""
    make: Callable[[], Train] | None = None
    """picklable: loads what a process needs, and returns what trains a run; None: this process alone trains"""


def train_all(
    runs: Sequence[RunKey], folder: Path, train: Train, crew: Crew, bar: tuple[str, int]
) -> dict[RunKey, Fitted]:
    """Train all runs of an arm, in as many processes as the machine has room for, under one progress bar.

    Args:
        runs: all runs of an arm, in the order in which they start.
        folder: of the checkpoints.
        train: trains a run in this process.
        crew: how other processes train a run.
        bar: name of the progress bar, and number of images that all runs see.

    Raises:
        RuntimeError: a process died.
    """
    from tqdm import tqdm

    devices = [] if crew.make is None else devices_for(len(runs), crew.runtime, crew.n_bytes)
    with tqdm(total=bar[1], desc=bar[0], unit=" images", disable=None) as shown:
        execute = one_by_one(train, folder, shown.update)
        if crew.make is not None and len(devices) > 1:
            execute = in_workers(partial(_kept, crew.make, folder), devices, shown.update)
        return complete(runs, folder, execute, shown.update)


def devices_for(n_runs: int, runtime: Runtime, bytes_each: int) -> list[str]:
    """Name the device of each process; a single one means that this process trains.

    There is a process for each GPU, or for each of the cores that its threads need. GRAFT_PROCESSES overrules that,
    but there are never more processes than runs, and on a CPU never more than have room in memory.

    Args:
        n_runs: runs that are to be trained.
        runtime: what this process computes on.
        bytes_each: memory that the images, the network and a step take in each process. On GPUs it is not counted:
            each has as much as the first, which is checked.
    """
    device, n = runtime.device, min(processes_of(runtime), n_runs)
    if device.type == "cuda" and device.index is None:
        return [f"cuda:{index % torch.cuda.device_count()}" for index in range(n)]
    if device.type == "cpu" and n > 1:
        n = min(n, free_bytes(device) // (PROCESS_BYTES + bytes_each))
    return [str(device)] * max(n, 1)


def processes_of(runtime: Runtime) -> int:
    """Number of processes that GRAFT_PROCESSES names, else that the machine can compute with at once."""
    if runtime.n_processes is not None:
        return runtime.n_processes
    if runtime.device.type == "cuda":
        return torch.cuda.device_count() if runtime.device.index is None else 1
    return max(1, usable_cores(CONTROL_GROUPS) // runtime.n_threads) if runtime.device.type == "cpu" else 1


def bytes_of_run(network: Network, data: TargetData, plan: Plan) -> int:
    """Memory that a process needs for one run: images, network, steps, and the activations that it caches."""
    images: int = sum(each.nbytes for each in (*data.train, *data.val))
    weights: int = sum(each.nbytes for each in network.state_dict().values())
    n_front = n_frozen_blocks(network, plan.phases[0])
    n_cached = len(data.val.labels) + (plan.views or 0) * len(data.train.labels) if n_front else 0
    network.eval()
    cached = n_cached * bytes_of(network, n_front, data.train.images[:1])
    # activations are refused beyond a share of the free memory, which the processes before have taken from
    return images + weights + needed_bytes(network, data.train, plan) + int(cached / SHARE_OF_MEMORY)


def usable_cores(groups: Path) -> int:
    """Cores that this process may use: those of its affinity, or the quota of its container if that is less.

    Args:
        groups: mount of the control groups, v1 or v2.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    words = _words(groups / "cpu.max")
    words = words or _words(groups / "cpu/cpu.cfs_quota_us") + _words(groups / "cpu/cpu.cfs_period_us")
    if len(words) == 2 and words[0] not in ("max", "-1"):
        cores = min(cores, int(words[0]) // int(words[1]))
    return max(1, cores)


def _kept(make: Callable[[], Train], folder: Path) -> Work:
    """What trains a run in a worker and keeps its result in the folder."""
    train = make()
    return lambda run, tick: train_once(train, run, folder, tick)


def _words(path: Path) -> list[str]:
    return path.read_text().split() if path.is_file() else []
