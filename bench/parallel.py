"""The control of the built-in example in one process and in several: how much faster, and are the bytes the same?

    python bench/parallel.py [--processes 2] [--repeats 3]

The built-in example runs in a copy of this project up to the stage before. Then the command of train_scratch in
dvc.yaml runs with GRAFT_PROCESSES=1 and with more, in turn, so that a slow spell of the machine meets both; all
weights, records and curves are compared byte for byte with those of the first run. To be run on an idle machine: the
load of the machine before each run stands in the last column.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from graft.yaml_files import read_yaml

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH))
from resume import digests  # noqa: E402  (this folder is no package)
from strategies import copy_project  # noqa: E402

STAGE = "train_scratch"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PYTHONPATH": str(project / "src"), "PATH": path}
        environment.pop("OMP_NUM_THREADS", None)
        copy_project(project)
        subprocess.run(["dvc", "repro", "-q", "validate_data"], cwd=project, env=environment, check=True)
        stages: dict[str, Any] = read_yaml(project / "dvc.yaml")["stages"]
        command = shlex.split(stages[STAGE]["cmd"].removeprefix("exec "))
        report(measured(project, command, environment, (1, args.processes), args.repeats))


def measured(
    project: Path, command: list[str], environment: dict[str, str], processes: tuple[int, int], repeats: int
) -> dict[int, list[tuple[float, float, bool]]]:
    """Seconds, load of the machine before, and whether the bytes are those of the first run, by number of processes."""
    found: dict[int, list[tuple[float, float, bool]]] = {n: [] for n in processes}
    first: dict[str, str] | None = None
    for _ in range(repeats):
        for n in processes:
            load, start = os.getloadavg()[0], time.monotonic()
            several = {**environment, "GRAFT_PROCESSES": str(n)}
            subprocess.run(command, cwd=project, env=several, check=True, capture_output=True)
            seconds, made = time.monotonic() - start, digests(project, STAGE)
            first = first or made
            found[n].append((seconds, load, made == first))
            print(f"{n} processes: {seconds:.1f} s", file=sys.stderr, flush=True)
    return found


def report(found: dict[int, list[tuple[float, float, bool]]]) -> None:
    """Print one line for each number of processes."""
    one = median(seconds for seconds, _, _ in found[1])
    print("| processes | train_scratch, s | median | times faster | equal to the byte | load before |")
    print("|---:|---|---:|---:|---|---|")
    for n, runs in found.items():
        middle = median(seconds for seconds, _, _ in runs)
        every = ", ".join(f"{seconds:.1f}" for seconds, _, _ in runs)
        loads = ", ".join(f"{load:.1f}" for _, load, _ in runs)
        same = "yes" if all(equal for _, _, equal in runs) else "NO"
        print(f"| {n} | {every} | {middle:.1f} | {one / middle:.2f} | {same} | {loads} |")


if __name__ == "__main__":
    main()
