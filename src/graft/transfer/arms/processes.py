"""How many runs go at once, and on which device each; GRAFT_PROCESSES overrules."""

import os
from pathlib import Path

import torch

from graft.networks.device import CONTROL_GROUPS, free_bytes
from graft.networks.networks import Network
from graft.training.activations import SHARE_OF_MEMORY, bytes_of
from graft.training.memory import needed_bytes
from graft.training.phases import n_frozen_blocks
from graft.training.steps import Plan
from graft.transfer.arms.data import TargetData

# memory of a process that has loaded torch and trains something tiny
PROCESS_BYTES = 400 * 2**20


def wanted_processes(device: torch.device) -> int:
    """Processes that the machine has room to compute with: one a GPU, or one for every `torch` thread's core.

    Raises:
        ValueError: GRAFT_PROCESSES is not a whole number from 1.
    """
    wanted = os.environ.get("GRAFT_PROCESSES", "")
    if wanted:
        if not (wanted.isascii() and wanted.isdecimal() and int(wanted) > 0):
            raise ValueError(
                f"GRAFT_PROCESSES: want a whole number from 1, got {wanted!r}. Unset it to let graft choose."
            )
        return int(wanted)
    if device.type == "cuda":
        return torch.cuda.device_count() if device.index is None else 1
    return max(1, usable_cores(CONTROL_GROUPS) // torch.get_num_threads()) if device.type == "cpu" else 1


def devices_for(n_runs: int, device: torch.device, bytes_each: int) -> list[str]:
    """The device of each process; one device alone means that this process trains.

    Args:
        n_runs: runs that are to be trained; there are no more processes than these.
        device: the device of this process.
        bytes_each: memory that the images, the network and a step take. On a CPU there are no more processes than
            have room for it; on a GPU it is the GPU's own, which a check of one process covers.

    Raises:
        ValueError: GRAFT_PROCESSES is not a whole number from 1.
    """
    n = min(wanted_processes(device), n_runs)
    if device.type == "cuda" and device.index is None:
        return [f"cuda:{index % torch.cuda.device_count()}" for index in range(max(n, 1))]
    if device.type == "cpu" and n > 1:
        n = min(n, free_bytes(device) // (PROCESS_BYTES + bytes_each))
    return [str(device)] * max(n, 1)


def bytes_of_run(network: Network, data: TargetData, plan: Plan) -> int:
    """Memory that a process needs for one run: images, network, steps, and the activations that it caches."""
    images: int = sum(each.nbytes for each in (*data.train, *data.val))
    weights: int = sum(each.nbytes for each in network.state_dict().values())
    n_front = n_frozen_blocks(network, plan.phases[0])
    n_cached = len(data.val.labels) + (plan.views or 0) * len(data.train.labels) if n_front else 0
    network.eval()
    cached = n_cached * bytes_of(network, n_front, data.train.images[:1], plan.preprocessing)
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


def _words(path: Path) -> list[str]:
    return path.read_text().split() if path.is_file() else []
