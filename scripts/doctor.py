"""Say what is wrong with this machine or with .venv: one line per check, with the cure below it.

It runs when the set-up fails, so it needs no environment: the standard library only, and nothing newer than Python 3.7,
so that an old Python gets a sentence and no traceback. What only .venv knows is asked from .venv's own python.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import checks
import machine
from checks import Finding

ROOT = Path(__file__).resolve().parents[1]
PROBE = Path(__file__).with_name("look_inside_venv.py")
# The first import of torch reads more than a GB from disk.
PROBE_SECONDS = 120
WRITTEN = (".", "data", "models", "reports", ".dvc", ".dvc/tmp", ".dvc/cache", ".venv")
# The files that the Makefile compares with .venv/ready.
MADE_FROM = ("requirements.lock", "pyproject.toml", "scripts/setup.sh")


def look(root: Path, port: int) -> Iterator[Finding]:
    """All findings, in the order in which to cure them."""
    ready, small = (root / ".venv/ready").exists(), os.environ.get("GRAFT_TORCH") == "cpu"
    cache, temporary = machine.cache_folder(), Path(os.environ.get("TMPDIR") or "/tmp")
    listing = Path("/proc/self/cgroup")
    groups = machine.control_groups(listing.read_text() if listing.is_file() else "", Path("/sys/fs/cgroup"))
    places = [root / name for name in WRITTEN if (root / name).exists()] + [cache, temporary]
    rwlock = root / ".dvc/tmp/rwlock"

    yield checks.python(sys.version_info[:3], sys.executable, ready)
    yield checks.venv(importlib.util.find_spec("ensurepip") is not None, ready)
    yield checks.account(os.environ.get("GRAFT_ACCOUNT"), os.environ.get("HOME"))
    cloned = any((each / ".git").exists() for each in (root, *root.parents))
    yield checks.git(cloned, shutil.which("git"), machine.git_complaint(root))
    yield checks.disk(shutil.disk_usage(root).free, ready, small)
    yield checks.cache(shutil.disk_usage(cache).free, cache.stat().st_dev == root.stat().st_dev, ready, small)
    if os.access(temporary, os.F_OK):
        yield checks.temporary(shutil.disk_usage(temporary).free)
    yield checks.folders([str(each) for each in places if not os.access(each, os.W_OK | os.X_OK)])
    yield checks.memory(machine.available_memory(groups))
    yield checks.cores(machine.usable_cores(groups), os.environ.get("OMP_NUM_THREADS"))
    yield checks.port(port, machine.port_complaint(port))
    yield checks.dvc(rwlock.read_text(errors="replace") if os.access(rwlock, os.R_OK) else None, machine.is_alive)
    newer = [name for name in MADE_FROM if ready and _is_newer(root / name, root / ".venv/ready")]
    yield checks.setup(ready, (root / ".venv/installing").exists(), newer)
    if ready:
        yield from _look_inside(root)


def _look_inside(root: Path) -> Iterator[Finding]:
    answer = _ask(root, "packages")
    yield checks.packages(answer)
    if "error" not in answer:
        yield checks.graft(answer["graft"], root, os.environ.get("PYTHONPATH"))
        yield checks.device(_ask(root, "device"), Path("/dev/nvidiactl").exists(), os.environ.get("GRAFT_DEVICE"))


def _ask(root: Path, question: str) -> dict[str, Any]:
    """Answer of the python of .venv, or under the key `error` why there is none."""
    command = [str(root / ".venv/bin/python"), str(PROBE), question]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=PROBE_SECONDS)
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"error": f"no answer in {PROBE_SECONDS} s"}
    except OSError as error:
        return {"error": str(error)}
    except ValueError:
        return {"error": (done.stderr.strip().splitlines() or ["nothing"])[-1]}
    return dict(answer)


def _is_newer(path: Path, stamp: Path) -> bool:
    return path.exists() and path.stat().st_mtime > stamp.stat().st_mtime


def main() -> None:
    """Print the findings; exit with 1 if one is a FAIL."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True, help="where make serve will listen")
    failed = []
    for mark, name, found, cure in look(ROOT, parser.parse_args().port):
        print(f"{mark:<5} {name:<12} {found}" + (f"\n{'':18} {cure}" if cure else ""), flush=True)
        failed += [name] if mark == "FAIL" else []
    sys.exit(f"doctor: cure first: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
