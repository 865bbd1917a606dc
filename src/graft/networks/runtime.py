"""What a process computes on: device, precision, threads and processes, read from the environment once.

None of it is a param, so that a GPU and a laptop share one pipeline. GRAFT_DEVICE, GRAFT_PRECISION, GRAFT_PROCESSES and
OMP_NUM_THREADS overrule what graft chooses.
"""

import os
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from graft.files import visible

MEMINFO = Path("/proc/meminfo")
CONTROL_GROUPS = Path("/sys/fs/cgroup")
# files of control groups, version 2 and version 1: the limit, what is used, and what of that only caches files
CONTAINER = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Runtime(NamedTuple):
    """What a stage computes on; made once, and passed to all that needs it."""

    device: torch.device
    precision: torch.dtype
    """Precision of training; scores that count are always computed in float32."""
    n_threads: int
    """Threads of the arithmetic in each process: another number adds in another order."""
    n_processes: int | None
    """Processes that train the runs of an arm side by side; None: as many as there is room for."""

    def provenance(self) -> dict[str, str | int]:
        """What reports/provenance says of it."""
        precision = str(self.precision).removeprefix("torch.")
        return {"device": str(self.device), "precision": precision, "threads": self.n_threads}


def make_runtime(seed: int) -> Runtime:
    """Make torch deterministic, and read from the environment what this process computes on.

    Args:
        seed: of torch's own generators.

    Raises:
        ValueError: GRAFT_DEVICE is not a device of this machine, GRAFT_PRECISION is neither float32 nor bfloat16, or
            GRAFT_PROCESSES is not a whole number from 1.
    """
    make_deterministic(seed)
    device = _device(os.environ.get("GRAFT_DEVICE", ""))
    precision = _precision(os.environ.get("GRAFT_PRECISION", ""), device)
    return Runtime(device, precision, torch.get_num_threads(), _processes(os.environ.get("GRAFT_PROCESSES", "")))


def _device(wanted: str) -> torch.device:
    """The device of this name; without one a GPU where there is any, else the processor."""
    if not wanted:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].split(". ")[0][:100]
        raise ValueError(
            f"GRAFT_DEVICE: want a device of this machine such as cpu or cuda, got {visible(wanted)!r} ({reason}). "
            "Unset it to let graft choose."
        ) from None
    return device


def _precision(wanted: str, device: torch.device) -> torch.dtype:
    """The precision of this name; without one bfloat16 on a GPU that multiplies it in hardware, else float32.

    A processor keeps to float32 unless asked: colleagues whose processors differ would otherwise get other records.
    """
    if wanted and wanted not in PRECISIONS:
        raise ValueError(
            f"GRAFT_PRECISION: want float32 or bfloat16, got {visible(wanted)!r}. Unset it to let graft choose."
        )
    fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return PRECISIONS[wanted or ("bfloat16" if fast else "float32")]


def _processes(wanted: str) -> int | None:
    if not wanted:
        return None
    if not (wanted.isascii() and wanted.isdigit() and int(wanted) > 0):
        raise ValueError(
            f"GRAFT_PROCESSES: want a whole number from 1, got {visible(wanted)!r}. Unset it to let graft choose."
        )
    return int(wanted)


def make_deterministic(seed: int) -> None:
    """Make the same seed on the same machine give the same numbers, to the last bit."""
    # cuBLAS reads this when its handle is made; without it deterministic mode refuses matrix products
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # as use_deterministic_algorithms(True), which would also load torch's compiler, for seconds, and set it alike
    torch.set_deterministic_debug_mode("error")
    # without this torch fills every empty tensor first, in case code reads what it never wrote; ours does not, and
    # a small step on a GPU would take half as long again
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # float32 means float32 on a GPU too, where convolutions would otherwise keep 10 bits of the mantissa
    torch.backends.cudnn.allow_tf32 = False
    # on a busy machine several threads now and then add in another order, a single one never does, and for small
    # networks it is no slower; a user who sets OMP_NUM_THREADS has chosen speed over the last digits
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    torch.backends.cudnn.benchmark = False
    torch.manual_seed(seed)


def free_bytes(device: torch.device) -> int:
    """Memory of the device that is free for new tensors.

    On a GPU this includes what torch holds in reserve. Elsewhere it is what the machine or its container has left,
    cached files included; on systems that do not tell, half of the memory.
    """
    if device.type == "cuda":
        return (
            torch.cuda.mem_get_info(device)[0]
            + torch.cuda.memory_reserved(device)
            - torch.cuda.memory_allocated(device)
        )
    lefts = [_left(CONTROL_GROUPS, *names) for names in CONTAINER]
    return min([_available(), *(each for each in lefts if each is not None)])


def _available() -> int:
    if MEMINFO.is_file():
        fields = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
        return int(fields["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _left(groups: Path, limit: str, usage: str, stat: str, cold: str) -> int | None:
    """Bytes that the container may still use; None where it has no limit."""
    files = [groups / name for name in (limit, usage, stat)]
    if not all(each.is_file() for each in files):
        return None
    most, used, counts = (each.read_text().split() for each in files)
    if most == ["max"]:
        return None
    return int(most[0]) - int(used[0]) + int(counts[counts.index(cold) + 1])


def sent(values: Tensor, device: torch.device) -> Tensor:
    """Copy a CPU tensor to the device without blocking."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Context in which a training step computes in this precision."""
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32)
