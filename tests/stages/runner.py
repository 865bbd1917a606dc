"""A training stage as its script runs it, but with a checkpoint after every step, which it counts in the file `steps`.

It is a script, and not run by name, so that worker processes, which import their parent's script, do the same.
"""

import runpy
import signal
import sys
from pathlib import Path
from unittest import mock

from graft import stage
from graft.training import checkpoints
from graft.training.optimisation import take_step

COUNT = Path("steps")
checkpoints.SECONDS_BETWEEN, checkpoints.SHARE_OF_TIME = 0.0, 1e9


def counted(*given: object) -> None:
    """Take a step and add a byte to the file."""
    with COUNT.open("ab") as file:
        file.write(b".")
    take_step(*given)  # type: ignore[arg-type]


mock.patch("graft.training.steps.take_step", counted).start()

if __name__ == "__main__":
    # a shell's background job ignores Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = sys.argv[1:]
    stage.run(runpy.run_path(sys.argv[0])["main"])
