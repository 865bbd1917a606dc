"""A training stage as its script runs it, stopped in its midst."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

STAGES = Path(__file__).parents[2] / "stages"
RUNNER = """
import runpy, sys
from graft.training import checkpoints, steps

checkpoints.SECONDS_BETWEEN, checkpoints.SHARE_OF_TIME = 0.0, 1e9
taken, take_step = [0], steps.take_step


def counted(*given):
    taken[0] += 1
    take_step(*given)


steps.take_step = counted
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
print(taken[0])
"""
"""the stage script as it is, but for a checkpoint after every step; at its end it says how many steps it took"""


def command(stage: str, paths: Mapping[str, object]) -> list[str]:
    """The command of a stage by its options."""
    options = [part for name, path in paths.items() for part in (f"--{name}", str(path))]
    return [sys.executable, "-c", RUNNER, str(STAGES / f"{stage}.py"), *options]


def finished(command: list[str], folder: Path) -> int:
    """Run the stage to its end; the steps that it took."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def halted(command: list[str], folder: Path, n_ended: int = 0) -> "subprocess.Popen[bytes]":
    """A stage that was stopped in the midst of a run, after so many runs have ended, and still holds its lock."""
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
    while True:
        states = [each.stem for each in (folder / "models/checkpoints").rglob("*.pt")]
        ended = [each for each in states if each.endswith("-ended")]
        if len(ended) >= n_ended and len(states) > len(ended):
            process.send_signal(signal.SIGSTOP)
            return process
        assert process.poll() is None
        time.sleep(0.005)


def killed(command: list[str], folder: Path, n_ended: int = 0) -> None:
    """Kill the stage for good in the midst of a run, after so many have ended."""
    process = halted(command, folder, n_ended)
    process.kill()
    process.wait()
