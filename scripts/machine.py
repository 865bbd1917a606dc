"""Facts about this machine for `make doctor`.

The standard library only, and nothing newer than Python 3.7: see scripts/doctor.py.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path


def available_memory(groups: list[Path]) -> int:
    """Bytes that a new process can allocate: what the machine has left, or its container if that is less."""
    meminfo = Path("/proc/meminfo")
    lines = meminfo.read_text().splitlines() if meminfo.is_file() else []
    fields = dict(line.split(":", 1) for line in lines)
    if "MemAvailable" in fields:
        left = int(fields["MemAvailable"].split()[0]) * 1024
    else:
        # macOS only tells how much memory it has.
        left = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    names = [("memory.max", "memory.current", "inactive_file")]
    names += [("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")]
    lefts = [_left(group, *each) for group in groups for each in names]
    return min([left, *(each for each in lefts if each is not None)])


def usable_cores(groups: list[Path]) -> int:
    """Number of cores that this process may use: its affinity, or its container's quota if that is less; at least 1."""
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    for group in groups:
        quota = _words(group / "cpu.max") or _words(group / "cpu.cfs_quota_us") + _words(group / "cpu.cfs_period_us")
        if len(quota) == 2 and quota[0] not in ("max", "-1"):
            cores = min(cores, int(quota[0]) / int(quota[1]))
    return max(1, int(cores))


def control_groups(listing: str, mount: Path) -> list[Path]:
    """Folders of the control groups, v1 and v2, of this process, and of all groups above them.

    `listing` is the text of /proc/self/cgroup. In a container its paths may be those of the host. The mount itself is
    then the container's group, and it is always included.
    """
    groups = []
    for line in listing.splitlines():
        _, controllers, path = line.split(":", 2)
        top = mount / controllers
        group = top / path.lstrip("/")
        groups += [each for each in (group, *group.parents) if each == top or top in each.parents]
    return groups


def git_complaint(root: Path) -> str:
    """Complaint of git about this folder; empty where git accepts it, or where there is no git."""
    if shutil.which("git") is None:
        return ""
    done = subprocess.run(["git", "rev-parse"], cwd=root, capture_output=True, text=True)
    return (done.stderr.strip().splitlines() or [""])[0]


def port_complaint(port: int) -> str:
    """Complaint of the system about listening at a port in the way the server does; empty where it is free."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            return error.strerror or str(error)
        # The number is not a port.
        except OverflowError as error:
            return str(error)
    return ""


def is_alive(pid: int) -> bool:
    """Whether a process with this id runs, of any user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # It runs, and belongs to another user.
        pass
    return True


def cache_folder() -> Path:
    """Folder where uv keeps its downloads, or the nearest folder above it that exists."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME", "/"), ".cache"))
    cache = Path(os.environ.get("UV_CACHE_DIR") or base / "uv").absolute()
    return next(each for each in (cache, *cache.parents) if os.access(each, os.F_OK))


def _words(path: Path) -> list[str]:
    return path.read_text().split() if path.is_file() else []


def _left(group: Path, limit: str, usage: str, cold: str) -> int | None:
    """Bytes that a control group may still allocate: its limit minus its usage, without cached files."""
    limits, used, stat = (_words(group / name) for name in (limit, usage, "memory.stat"))
    if not limits or not used or limits[0] == "max":
        return None
    cached = int(stat[stat.index(cold) + 1]) if cold in stat else 0
    return int(limits[0]) - int(used[0]) + cached
