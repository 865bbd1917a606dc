"""graft on one CUDA device, within eight minutes: what must hold there, and how fast it is.

    python bench/gpu.py [part ...] [--smoke]

Each part is a process of its own under a limit of time, and prints Markdown tables for docs/benchmarks.md under the
name of the card: gpu_<file>.py beside this file has them. A part that fails or takes too long does not stop the others;
the last table says how each ended, and the exit code is 1 where one failed. It needs this repository, torch, timm and
pytest with their needs, and neither DVC, Great Expectations nor a network. `--smoke` tries the script on the processor.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

BENCH = Path(__file__).resolve().parent
SMOKE_TIMES = 20
"""as long may a part take on the processor"""


class Part(NamedTuple):
    """A table of a file, and seconds that it may take; all parts together stay under eight minutes."""

    file: str
    limit_s: int


PARTS = {
    "tests": Part("gpu_tests.py", 60),
    "shift": Part("gpu_shift.py", 45),
    "full": Part("gpu_training.py", 75),
    "idle": Part("gpu_idle.py", 50),
    "stages": Part("gpu_stages.py", 120),
    "overhead": Part("gpu_training.py", 30),
    "top": Part("gpu_training.py", 30),
    "features": Part("gpu_features.py", 30),
    "augmentation": Part("gpu_features.py", 20),
}
"""first what tells most: whoever has less time names some"""


def ended(command: Sequence[str], limit_s: float) -> str:
    """How a part ended; it goes with all its processes once its time is over."""
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            code = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = None
        except BaseException:  # a stop from the keyboard reaches this session alone
            os.killpg(process.pid, signal.SIGKILL)
            raise
        if code is None:
            os.killpg(process.pid, signal.SIGKILL)
            return f"FAILED: over {limit_s:.0f} s"
    return "ok" if code == 0 else f"FAILED: exit code {code}"


def told(smoke: bool) -> str:
    """The card and what runs on it."""
    import torch

    if not smoke and not torch.cuda.is_available():
        raise SystemExit("bench/gpu.py: want a CUDA device, got none. Run it where there is one, or try --smoke.")
    card = "a trial on the processor" if smoke else torch.cuda.get_device_name()
    return f"{card}, torch {torch.__version__}, CUDA {torch.version.cuda}, {os.cpu_count()} processor cores"


def main() -> None:
    """Run the parts, and exit 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all where none is named")
    parser.add_argument("--smoke", action="store_true", help="a trial on the processor; its figures mean nothing")
    args = parser.parse_args()
    if unknown := [each for each in args.parts if each not in PARTS]:
        parser.error(f"want parts among {', '.join(PARTS)}, got {', '.join(unknown)}.")
    print(told(args.smoke), flush=True)
    endings = {}
    for name in args.parts or PARTS:
        start, part = time.monotonic(), PARTS[name]
        command = [sys.executable, str(BENCH / part.file), name, *(["--smoke"] if args.smoke else [])]
        how = ended(command, part.limit_s * (SMOKE_TIMES if args.smoke else 1))
        endings[name] = (time.monotonic() - start, how)
    print("\n| part | s | limit, s | ended |\n|---|---:|---:|---|")
    for name, (taken, how) in endings.items():
        print(f"| {name} | {taken:.0f} | {PARTS[name].limit_s} | {how} |")
    print(f"| all | {sum(taken for taken, _ in endings.values()):.0f} | 480 | |", flush=True)
    sys.exit(any(how != "ok" for _, how in endings.values()))


if __name__ == "__main__":
    main()
