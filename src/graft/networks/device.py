"""Where tensors live, and how exactly training computes; GRAFT_DEVICE and GRAFT_PRECISION overrule."""

import os
from pathlib import Path

import torch
from torch import Tensor

MEMINFO = Path("/proc/meminfo")
CONTROL_GROUPS = Path("/sys/fs/cgroup")
CONTAINER = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)
"""files of control groups, v2 and v1, that tell the limit, what is taken, and what of it are cached files"""

picked = torch.device("cpu")
"""what pick_device gave last: the provenance of a stage"""
precision = torch.float32
"""what pick_precision gave last"""
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def pick_device() -> torch.device:
    """The device of this process.

    It is provenance and no param, so that a GPU and a laptop share one pipeline.

    Raises:
        ValueError: GRAFT_DEVICE names no device of this machine.
    """
    global picked
    wanted = os.environ.get("GRAFT_DEVICE", "")
    picked = _named_device(wanted) if wanted else torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return picked


def _named_device(wanted: str) -> torch.device:
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].split(". ")[0][:100]
        raise ValueError(
            f"GRAFT_DEVICE: want a device of this machine such as cpu or cuda, got {wanted!r} ({reason}). "
            "Unset it to let graft choose."
        ) from None
    return device


def make_deterministic(seed: int) -> None:
    """Same seed, same machine: same numbers, to the last bit."""
    # cuBLAS reads this when its handle is made; without it deterministic mode refuses matrix products
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # as use_deterministic_algorithms(True), which would also load torch's compiler, for seconds, and set it alike
    torch.set_deterministic_debug_mode("error")
    # else every empty tensor is filled first, so that even code that reads what it never wrote repeats itself; ours
    # does not, and a small step on a GPU takes half as long again
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # float32 then means float32 on a GPU too, where convolutions would else keep 10 bits of a number's digits
    torch.backends.cudnn.allow_tf32 = False
    # On a busy machine several threads now and then add in another order; a lone one never does, and for small
    # networks it is no slower. A user who sets OMP_NUM_THREADS has chosen speed over the last digits.
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    torch.backends.cudnn.benchmark = False
    torch.manual_seed(seed)


def pick_precision(device: torch.device) -> torch.dtype:
    """The precision of training: bfloat16 on a GPU that multiplies it in hardware, else float32.

    A processor keeps to float32 unless GRAFT_PRECISION asks for more speed: colleagues whose processors differ would
    else get other records. It is provenance and no param, as the device is. Scores that count, of the test split and
    of the exported model, are always made in float32.

    Raises:
        ValueError: GRAFT_PRECISION is neither float32 nor bfloat16.
    """
    global precision
    wanted = os.environ.get("GRAFT_PRECISION", "")
    if wanted and wanted not in PRECISIONS:
        raise ValueError(f"GRAFT_PRECISION: want float32 or bfloat16, got {wanted!r}. Unset it to let graft choose.")
    fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    precision = PRECISIONS[wanted or ("bfloat16" if fast else "float32")]
    return precision


def free_bytes(device: torch.device) -> int:
    """Memory of the device that new tensors can get.

    On a GPU that counts what torch holds in reserve. Elsewhere it is what the machine or its container has left with
    the files that it only caches; on systems that do not tell, half of what there is.
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
    """Bytes that the container may still take; None where it has no limit."""
    files = [groups / name for name in (limit, usage, stat)]
    if not all(each.is_file() for each in files):
        return None
    most, used, counts = (each.read_text().split() for each in files)
    if most == ["max"]:
        return None
    return int(most[0]) - int(used[0]) + int(counts[counts.index(cold) + 1])


def sent(values: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on the device; a GPU gets it when it comes to it, and nobody waits."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """What a training step runs in."""
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32)
