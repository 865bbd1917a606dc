"""Training killed by SIGKILL at random moments: the same weights at the end, no orphan, and never a second trainer?

    python bench/resume.py [--kills 20] [--stage finetune_target] [--processes 2]

The built-in example runs in a copy of this project up to the stage before. Then the stage's own command of dvc.yaml
runs once undisturbed in one process, and again and again in several, with `kill -9` of the stage at a random moment,
until it has been killed so often; each time it ends, its weights, record and curves are compared byte for byte, and it
starts anew. After every kill its workers must be gone. While it runs, a second one is started now and then, which must
be turned away.
"""

import argparse
import hashlib
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from graft.yaml_files import read_yaml

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH))
from strategies import copy_project  # noqa: E402  (this folder is no package)

WEIGHTS = {"finetune_target": "models/finetuned", "train_scratch": "models/scratch"}
RECORDS = {
    "finetune_target": ("models/records/training.json", "models/records/training_curves.csv"),
    "train_scratch": ("models/records/scratch.json", "models/records/scratch_curves.csv"),
}


def main() -> None:
    """Print one line a finished run and a table at the end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--stage", choices=list(WEIGHTS), default="finetune_target")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(project / "src"), "PATH": path}
        copy_project(project)
        before = {"finetune_target": "select_strategy", "train_scratch": "validate_data"}[args.stage]
        subprocess.run(["dvc", "repro", "-q", before], cwd=project, env=environment, check=True, stdout=sys.stderr)
        stages: dict[str, Any] = read_yaml(project / "dvc.yaml")["stages"]
        command = shlex.split(stages[args.stage]["cmd"].removeprefix("exec "))
        torment(project, command, environment, args.stage, args.kills, args.processes)


def torment(
    project: Path, command: list[str], environment: dict[str, str], stage: str, n_kills: int, n_processes: int
) -> None:
    """Kill the stage so often, compare all that ends."""
    start = time.monotonic()
    one = {**environment, "GRAFT_PROCESSES": "1"}
    environment = {**environment, "GRAFT_PROCESSES": str(n_processes)}
    subprocess.run(command, cwd=project, env=one, check=True, capture_output=True)
    whole, seconds = digests(project, stage), time.monotonic() - start
    killed = equal = different = turned_away = orphans = 0
    draw = random.Random(0)
    while killed < n_kills or different + equal == 0:
        with subprocess.Popen(
            command, cwd=project, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
        ) as process:
            if killed % 5 == 2 and killed < n_kills:
                turned_away += second_is_turned_away(project, command, environment, stage)
            try:
                process.wait(timeout=draw.uniform(1, seconds / 2) if killed < n_kills else None)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed, orphans = killed + 1, orphans + outlived(process.pid)
                continue
        assert process.returncode == 0, "a run that nobody killed failed"
        same = digests(project, stage) == whole
        equal, different = equal + same, different + (not same)
        print(f"ended after {killed} kills, {'equal' if same else 'DIFFERENT'}", flush=True)
        for name in (WEIGHTS[stage], *RECORDS[stage]):
            path = project / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    print(
        "\n| stage | processes | undisturbed in one, s | kills | workers that outlived one | ended equal to the byte "
        "| ended different | second trainers turned away |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    counts = f"{killed} | {orphans} | {equal} | {different} | {turned_away}"
    print(f"| {stage} | {n_processes} | {seconds:.0f} | {counts} |")


def outlived(group: int) -> bool:
    """Whether a process of the group is left 20 seconds after its leader was killed."""
    # a worker that is still loading torch sees that its parent is dead when it has loaded
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    os.killpg(group, signal.SIGKILL)
    return True


def second_is_turned_away(project: Path, command: list[str], environment: dict[str, str], stage: str) -> bool:
    """Start the stage beside itself once the first holds the lock; whether it gives up with a sentence."""
    lock = project / "models/checkpoints" / f"{stage}.lock"
    while not held(lock):
        time.sleep(0.2)
    second = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert second.returncode == 1, "two trainers ran at once"
    assert "want to train alone" in second.stderr, second.stderr
    return True


def held(lock: Path) -> bool:
    """Whether another process has the lock."""
    import fcntl

    if not lock.is_file():
        return False
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


def digests(project: Path, stage: str) -> dict[str, str]:
    """Hash of every file that the stage writes."""
    files = [*sorted((project / WEIGHTS[stage]).iterdir()), *(project / name for name in RECORDS[stage])]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


if __name__ == "__main__":
    main()
