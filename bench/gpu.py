"""graft on one CUDA device, within nine minutes: correctness and speed.

    python bench/gpu.py [part ...] [--smoke]

Each part is a process of its own with a time limit, and prints Markdown tables for docs/benchmarks.md under the name of
the card. The parts are in the gpu_<file>.py beside this file. A part that fails or takes too long does not stop the
others; the last table says how each ended, and the exit code is 1 if one failed. It needs this repository, torch, timm
and pytest with their dependencies, but not DVC, Great Expectations or a network. `--smoke` tries the script on the CPU.
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
# A trial on the CPU may take this many times as long.
SMOKE_TIMES = 20


class Part(NamedTuple):
    """File with the table of this name, and its time limit in seconds; all parts together stay under nine minutes."""

    file: str
    limit_s: int


# The most informative parts come first; whoever has less time names some.
PARTS = {
    "tests": Part("gpu_tests.py", 60),
    "shift": Part("gpu_shift.py", 45),
    "full": Part("gpu_training.py", 75),
    "idle": Part("gpu_idle.py", 65),
    "stages": Part("gpu_stages.py", 180),
    "overhead": Part("gpu_training.py", 30),
    "top": Part("gpu_training.py", 30),
    "features": Part("gpu_features.py", 30),
    "augmentation": Part("gpu_features.py", 20),
}


def ended(command: Sequence[str], limit_s: float) -> str:
    """Run a part and tell how it ended; after the time limit it is killed with all its processes."""
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            code = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = None
        # An interrupt from the keyboard reaches only this session.
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        if code is None:
            os.killpg(process.pid, signal.SIGKILL)
            return f"FAILED: over {limit_s:.0f} s"
    return "ok" if code == 0 else f"FAILED: exit code {code}"


def told(smoke: bool) -> str:
    """Describe the card and the versions on it."""
    import torch

    if not smoke and not torch.cuda.is_available():
        raise SystemExit("bench/gpu.py: want a CUDA device, got none. Run it where there is one, or try --smoke.")
    card = "a trial on the processor" if smoke else torch.cuda.get_device_name()
    return f"{card}, torch {torch.__version__}, CUDA {torch.version.cuda}, {os.cpu_count()} processor cores"


def main() -> None:
    """Run the parts, and exit with 1 if one failed."""
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
    print(f"| all | {sum(taken for taken, _ in endings.values()):.0f} | 540 | |", flush=True)
    sys.exit(any(how != "ok" for _, how in endings.values()))


if __name__ == "__main__":
    main()
