"""Checks of `make doctor`: each is given facts about the machine and returns a finding.

The standard library only, and nothing newer than Python 3.7: see scripts/doctor.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

GIB = 2**30
# .venv was seen to take 6.0 GiB. On the same disk, uv's cache shares the files by hard links.
SETUP_GIB = 8
# 2.0 of those 6.0 GiB are not CUDA's.
SMALL_SETUP_GIB = 3
AGAIN = "Run: rm -f .venv/ready && make setup"
ANEW = "Run: rm -r .venv && make setup"


class Finding(NamedTuple):
    """Result of one check. The mark is ok, warn or FAIL; FAIL makes `make doctor` exit with 1."""

    mark: str
    name: str
    found: str
    cure: str = ""


def python(version: tuple[int, ...], path: str, ready: bool) -> Finding:
    """The Python that the set-up uses is new enough; with a `ready` .venv it is not needed."""
    found = "{} ({})".format(".".join(map(str, version)), path)
    if version >= (3, 11):
        return Finding("ok", "python", found)
    mark = "warn" if ready else "FAIL"
    return Finding(mark, "python", f"want 3.11 or newer, got {found}", "Install Python 3.11, or set PYTHON to it.")


def venv(has_ensurepip: bool, ready: bool) -> Finding:
    """That Python can make a virtual environment; Debian's cannot without a further package."""
    if has_ensurepip:
        return Finding("ok", "venv", "this Python can make a virtual environment")
    cure = "On Debian, install python3-venv."
    return Finding("warn" if ready else "FAIL", "venv", "want Python's module ensurepip, got none", cure)


def account(stands_in: str | None, home: str | None) -> Finding:
    """Name, shell and home of this account can be used, or scripts/account.sh substitutes others, which are listed."""
    if stands_in is None and home is None:
        cure = "Run: source .venv/bin/activate, or use the targets of make."
        return Finding("warn", "account", "want a HOME, got none: DVC and BentoML fail without one", cure)
    return Finding("ok", "account", f"stands in: {stands_in}" if stands_in else "has a name, a shell and a home")


def git(cloned: bool, program: str | None, complaint: str) -> Finding:
    """DVC refuses a folder outside git; the git program is only needed by `make test`."""
    if not cloned:
        return Finding("FAIL", "git", "want a clone, got a folder without .git: DVC refuses it", "Run: git init")
    if program is None:
        return Finding("warn", "git", "want git on PATH for make test, got none", "Install git.")
    if complaint:
        cure = 'Own this folder, or run: git config --global --add safe.directory "$PWD"'
        return Finding("warn", "git", f"want git to read this clone for make test, got '{complaint}'", cure)
    return Finding("ok", "git", program)


def disk(free: int, ready: bool, small_torch: bool) -> Finding:
    """The repository's disk has room for .venv, or for results where .venv is ready; `free` is in bytes."""
    if ready:
        cure = "Free some; `dvc gc --all-commits --all-experiments` removes what neither names from .dvc/cache."
        return _space("disk", free, 2, "warn", cure)
    cure = "Free some." if small_torch else "Free some, or install the small torch: GRAFT_TORCH=cpu make setup"
    return _space("disk", free, _setup_gib(small_torch), "FAIL", cure)


def cache(free: int, shared: bool, ready: bool, small_torch: bool) -> Finding:
    """The disk of uv's cache has room for the packages, unless it is the repository's; `free` is in bytes."""
    if ready or shared:
        return Finding("ok", "cache", "on the repository's disk" if shared else "no longer needed")
    return _space("cache", free, _setup_gib(small_torch), "FAIL", "Free some, or set UV_CACHE_DIR to a roomier folder.")


def temporary(free: int) -> Finding:
    """The folder for temporary files has room, because `make test` copies the repository there; `free` is in bytes."""
    return _space("temporary", free, 1, "warn", "Free some, or set TMPDIR to a roomier folder.")


def memory(available: int) -> Finding:
    """There is memory for the example, which takes about 1 GiB; `available` is in bytes."""
    found = f"{available / GIB:.1f} GiB available"
    if available >= 2 * GIB:
        return Finding("ok", "memory", found)
    cure = "Close other programs, or raise the container's limit."
    return Finding("warn", "memory", f"want 2 GiB, got {found}", cure)


def cores(cores: int, threads: str | None) -> Finding:
    """OMP_NUM_THREADS, if set, does not exceed the cores that this process may use."""
    if threads is None:
        return Finding("ok", "cores", str(cores))
    if threads.isdecimal() and 1 <= int(threads) <= cores:
        return Finding("ok", "cores", f"{cores}, OMP_NUM_THREADS is {threads}")
    found = f"want OMP_NUM_THREADS from 1 to {cores}, the number of cores, got '{threads}'"
    return Finding("warn", "cores", found, "Run: unset OMP_NUM_THREADS")


def folders(refused: list[str]) -> Finding:
    """Every folder that graft writes to is writable."""
    if not refused:
        return Finding("ok", "folders", "all can be written")
    cure = "Own them (chown -R), mount the disk for writing, or set UV_CACHE_DIR and TMPDIR to other folders."
    return Finding("FAIL", "folders", "want folders that are writable, got no right to: " + ", ".join(refused), cure)


def port(port: int, complaint: str) -> Finding:
    """No other program listens at the port of `make serve`."""
    if not complaint:
        return Finding("ok", "port", f"127.0.0.1:{port} is free")
    cure = f"Stop what listens there (one that has just ended takes a minute), or GRAFT_PORT={port + 1} make serve"
    return Finding("warn", "port", f"want 127.0.0.1:{port} for make serve, got '{complaint}'", cure)


def dvc(rwlock: str | None, alive: Callable[[int], bool]) -> Finding:
    """DVC's list of running commands can be read and names none that still runs; None where there is no list.

    DVC itself removes dead processes from the list, but a truncated list stops it for good.
    """
    try:
        lists = {} if rwlock is None else json.loads(rwlock)
        writers, readers = lists.get("write", {}).values(), lists.get("read", {}).values()
        pids = {int(each["pid"]) for each in [*writers, *(each for many in readers for each in many)]}
    except (ValueError, TypeError, KeyError, AttributeError):
        return Finding("FAIL", "dvc", "want JSON in .dvc/tmp/rwlock, got a part of it", "Run: rm .dvc/tmp/rwlock")
    running = ", ".join(str(pid) for pid in sorted(pids) if alive(pid))
    if not running:
        return Finding("ok", "dvc", "no run holds its lock")
    cure = "Wait for it to end. If that process is not DVC, run: rm .dvc/tmp/rwlock"
    return Finding("warn", "dvc", f"want nobody else to run the pipeline, got process {running}", cure)


def setup(ready: bool, stopped: bool, newer: list[str]) -> Finding:
    """The set-up is complete, and none of its inputs has changed since; `newer` names those that have."""
    if ready and not stopped and not newer:
        return Finding("ok", "set-up", ".venv is ready")
    found = "none yet" if not ready else f"one older than {', '.join(newer)}"
    found = "one that was stopped while it installed" if stopped else found
    return Finding("warn", "set-up", f"want a finished set-up, got {found}", "Run: make setup")


def packages(answer: dict[str, Any]) -> Finding:
    """The installed packages are those of requirements.lock, by the answer of `look_inside_venv.py packages`."""
    if "error" in answer:
        found = f"want the python of .venv to list its packages, got '{answer['error']}'"
        return Finding("FAIL", "environment", found, ANEW)
    differences = answer["differences"]
    if differences:
        more = f" and {len(differences) - 5} more" if len(differences) > 5 else ""
        return Finding("FAIL", "environment", "; ".join(differences[:5]) + more, AGAIN)
    return Finding("ok", "environment", f"all {answer['packages']} packages as requirements.lock pins them")


def graft(imported: str | None, root: Path, pythonpath: str | None) -> Finding:
    """`import graft` imports the code of this checkout and not of another."""
    if imported is not None and Path(imported).resolve() == (root / "src/graft/__init__.py").resolve():
        return Finding("ok", "graft", f"imported from {root / 'src'}")
    cure = "Run: unset PYTHONPATH" if pythonpath and imported else ANEW
    return Finding("FAIL", "graft", f"want graft imported from {root / 'src'}, got {imported or 'none'}", cure)


def device(answer: dict[str, Any], gpu_there: bool, chosen: str | None) -> Finding:
    """The device of training, by the answer of `look_inside_venv.py device`; `chosen` is GRAFT_DEVICE."""
    if "error" in answer:
        cure = "Run: unset GRAFT_DEVICE" if chosen else ANEW
        return Finding("FAIL", "device", f"want torch to name its device, got '{answer['error']}'", cure)
    if answer["kind"] != "cpu" or chosen or not gpu_there:
        return Finding("ok", "device", answer["device"])
    if answer["cuda"] is None:
        found, cure = "a torch without CUDA", ANEW + ", without GRAFT_TORCH, to use the GPU."
    else:
        found, cure = f"a torch for CUDA {answer['cuda']} that sees none", "Update the NVIDIA driver, or use the CPU."
    return Finding("warn", "device", f"want the GPU of this machine used, got {found}; training uses the CPU", cure)


def _space(name: str, free: int, want_gib: int, mark: str, cure: str) -> Finding:
    found = f"{free / GIB:.1f} GiB free"
    if free >= want_gib * GIB:
        return Finding("ok", name, found)
    return Finding(mark, name, f"want {want_gib} GiB free, got {found}", cure)


def _setup_gib(small_torch: bool) -> int:
    return SMALL_SETUP_GIB if small_torch else SETUP_GIB
