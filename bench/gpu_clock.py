"""Shared code of the parts of gpu.py: the device, its clock, images on it, and the command line.

`--smoke` runs a part on the CPU with few and small images, which only shows that the script runs.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from itertools import pairwise

import torch
from training_run import data

from graft.networks.runtime import make_deterministic
from graft.training.batches import Samples, samples_on

Table = Callable[[torch.device], None]


class Watch:
    """Clock for stretches of steps; it waits for the device only at the end of a stretch."""

    def __init__(self, device: torch.device, every: int) -> None:
        self.device, self.every, self.n_steps = device, every, 0
        self.marks: list[float] = []

    def __call__(self, *_: object) -> None:
        """Count a step."""
        self.n_steps += 1
        if self.n_steps % self.every == 0:
            wait(self.device)
            self.marks.append(time.perf_counter())

    def seconds_a_step(self) -> float:
        """Median over all stretches except the first two, in which kernels are chosen and memory is allocated."""
        return statistics.median(b - a for a, b in pairwise(self.marks[2:])) / self.every


def wait(device: torch.device) -> None:
    """Wait until the device has finished its work; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(run: Callable[[], object], device: torch.device, repeats: int = 3) -> float:
    """Median seconds of several runs, after one that is not counted."""
    found = []
    for _ in range(repeats + 1):
        wait(device)
        start = time.perf_counter()
        run()
        wait(device)
        found.append(time.perf_counter() - start)
    return statistics.median(found[1:])


def forget_peak(device: torch.device) -> None:
    """Free unused memory of the device, and reset its peak."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_gib(device: torch.device) -> float:
    """Peak memory of tensors since forget_peak; 0 on a CPU, which does not measure it."""
    return torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else 0.0


def samples(side_px: int, n: int, device: torch.device) -> Samples:
    """Random images, taken to the device from a store's array as a stage does it."""
    images, labels = data(side_px, n)
    return samples_on(device, images.permute(0, 2, 3, 1).contiguous().numpy(), labels.numpy())


def run(tables: Mapping[str, Table], doc: str | None) -> None:
    """Run the tables named on the command line, deterministically like the stages.

    Raises:
        SystemExit: there is no CUDA device, and a trial run was not asked for.
    """
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("tables", nargs="*", metavar="table", help=f"of {', '.join(tables)}; all where none is named")
    parser.add_argument("--smoke", action="store_true", help="a trial on the processor; its figures mean nothing")
    args = parser.parse_args()
    if unknown := set(args.tables) - set(tables):
        parser.error(f"want tables among {', '.join(tables)}, got {', '.join(sorted(unknown))}.")
    if not args.smoke and not torch.cuda.is_available():
        raise SystemExit("bench/gpu.py: want a CUDA device, got none. Run it where there is one, or try --smoke.")
    make_deterministic(0)
    for name in args.tables or tables:
        tables[name](torch.device("cpu" if args.smoke else "cuda"))
