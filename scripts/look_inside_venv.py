"""Answers of the python of .venv to scripts/doctor.py, as JSON: `packages` or `device`."""

import importlib.util
import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"


def pins(lock: str) -> dict[str, SpecifierSet]:
    """Packages that a lock pins for this Python and machine, each with its version."""
    # Lines of hashes are indented.
    lines = [line.rstrip(" \\") for line in lock.splitlines() if line and line[0] not in "# "]
    wanted = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): each.specifier for each in wanted if _applies(each, frozenset())}


def differences(wanted: str, lock: dict[str, SpecifierSet]) -> tuple[int, list[str]]:
    """Number of packages that `wanted` needs in all, and a clause for each that is missing or differs from the lock.

    It follows the requirements and not the lock: the small torch needs none of CUDA's packages, which the lock pins.
    """
    todo, seen, clauses = [Requirement(wanted)], set(), set()
    while todo:
        each = todo.pop()
        name, extras = canonicalize_name(each.name), frozenset(each.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        pin = lock.get(name, SpecifierSet())
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            clauses.add(f"want {name}{pin}, got none")
            continue
        if not pin.contains(found.version):
            clauses.add(f"want {name}{pin}, got {found.version}")
        todo += [need for need in map(Requirement, found.requires or []) if _applies(need, extras)]
    return len({name for name, _ in seen}), sorted(clauses)


def _applies(need: Requirement, extras: frozenset[str]) -> bool:
    return need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras or {""})


def packages() -> dict[str, Any]:
    """Compare graft's packages with the lock, and tell the file that `import graft` imports."""
    count, clauses = differences("graft[all]", pins(LOCK.read_text(encoding="utf-8")))
    spec = importlib.util.find_spec("graft")
    return {"packages": count, "differences": clauses, "graft": spec.origin if spec else None}


def device() -> dict[str, Any]:
    """Device that a stage would use, and the CUDA version that torch was built for."""
    import torch

    from graft.networks.runtime import make_runtime

    picked = make_runtime(0).device
    threads = torch.get_num_threads()
    text = f"{picked}, {threads} thread" + "s" * (threads > 1)
    if picked.type == "cuda":
        properties = torch.cuda.get_device_properties(picked)
        text = f"{picked}, {properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    return {"kind": picked.type, "device": text, "cuda": torch.version.cuda}


if __name__ == "__main__":
    print(json.dumps({"packages": packages, "device": device}[sys.argv[1]]()))
