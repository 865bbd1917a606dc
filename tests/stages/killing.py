"""A training stage as its script runs it, stopped in its midst."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

STAGES = Path(__file__).parents[2] / "stages"
RUNNER = Path(__file__).parent / "runner.py"


def command(stage: str, paths: Mapping[str, object], n_processes: int = 1) -> list[str]:
    """The command of a stage by its options."""
    options = [part for name, path in paths.items() for part in (f"--{name}", str(path))]
    script = STAGES / f"{stage}.py"
    return ["env", f"GRAFT_PROCESSES={n_processes}", sys.executable, str(RUNNER), str(script), *options]


def finished(command: list[str], folder: Path) -> int:
    """Run the stage to its end; the steps that it took."""
    count = folder / "steps"
    count.unlink(missing_ok=True)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return count.stat().st_size


def running(command: list[str], folder: Path, n_ended: int = 0) -> "subprocess.Popen[bytes]":
    """A stage in the midst of a run, after so many runs have ended; it leads a process group, as under a terminal."""
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, start_new_session=True)
    while True:
        states = [each.stem for each in (folder / "models/checkpoints").rglob("*.pt")]
        ended = [each for each in states if each.endswith("-ended")]
        if len(ended) >= n_ended and len(states) > len(ended):
            return process
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def halted(command: list[str], folder: Path, n_ended: int = 0) -> "subprocess.Popen[bytes]":
    """A stage that was stopped in the midst of a run, and still holds its lock."""
    process = running(command, folder, n_ended)
    process.send_signal(signal.SIGSTOP)
    return process


def killed(command: list[str], folder: Path, n_ended: int = 0) -> None:
    """Kill the stage for good in the midst of a run; return when it and all its workers are gone."""
    process = halted(command, folder, n_ended)
    process.kill()
    gone(process)


def interrupted(command: list[str], folder: Path, n_ended: int = 0) -> tuple[int, str]:
    """Exit code and words of a stage after Ctrl-C in the midst of a run, which all of its processes get."""
    process = running(command, folder, n_ended)
    os.killpg(process.pid, signal.SIGINT)
    said = gone(process)
    return process.returncode, said


def gone(process: "subprocess.Popen[bytes]") -> str:
    """What the stage said on stderr, once no process is left that could write to it."""
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode is not None
    return said
