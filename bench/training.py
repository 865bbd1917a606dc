"""Training against its peers: overhead of the loop, images per second, the frozen prefix, and feature extraction.

The peers are in an environment of their own. Every run is a process of its own, on the same images, with one thread:

    uv venv PEERS && uv pip install --python PEERS/bin/python torchvision timm fastai transformers accelerate lightning
    python bench/training.py PEERS/bin/python

It prints Markdown tables of CPU seconds (user and system) of the process: medians over repeats that are interleaved, so
that a busy minute affects all ways. `--tables` selects tables.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

RUNNER = Path(__file__).with_name("training_run.py")
OWN = ("graft", "bare", "naive", "features")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
Run = Callable[[str, str, int, int, str], dict[str, Any]]
Way = tuple[str, str]
"""name and precision"""


def overhead(run: Run, repeats: int) -> None:
    """Measure a network so small that only the loop counts."""
    ways: list[Way] = [(name, "float32") for name in ("graft", "bare", "timm", "HF Trainer", "fastai", "Lightning")]
    found = interleaved(run, ways, ("tiny", 8, 12_800), repeats)
    floor = found["bare", "float32"]
    print("\nOverhead a step, two linear layers, batch 32\n")
    print("| loop | ms a step | above the bare mathematics, ms |\n|---|---:|---:|")
    for (name, _), seconds in found.items():
        print(f"| {name} | {1000 * seconds:.2f} | {1000 * (seconds - floor):.2f} |")


def full(run: Run, repeats: int) -> None:
    """Measure training of all blocks of resnet18."""
    for size_px, n in ((96, 512), (224, 160)):
        ways: list[Way] = [
            ("graft", "float32"),
            ("timm", "float32"),
            ("graft", "bfloat16"),
            ("timm", "bfloat16"),
            ("HF Trainer", "float32"),
            ("fastai", "float32"),
            ("Lightning", "float32"),
        ]
        found = interleaved(run, ways, ("resnet18", size_px, n), repeats)
        table(f"Full fine-tuning, resnet18 at {size_px} px, batch 32", found, ("timm", "float32"))


def top(run: Run, repeats: int) -> None:
    """Measure training of only the top block and the head of resnet18."""
    ways: list[Way] = [
        ("bare top block", "float32"),
        ("graft top block", "float32"),
        ("graft top block", "bfloat16"),
        ("graft top block, kept activations", "float32"),
        ("graft top block, kept activations", "bfloat16"),
    ]
    for size_px, n in ((96, 512), (224, 160)):
        found = interleaved(run, ways, ("resnet18", size_px, n), repeats)
        table(f"Top block of resnet18 at {size_px} px, batch 32", found, ("bare top block", "float32"))


def features(run: Run, repeats: int) -> None:
    """Measure training of a head on a frozen backbone, 1,000 images and 20 epochs."""
    ways: list[Way] = [
        ("naive head", "float32"),
        ("naive head, tutorial", "float32"),
        ("features", "float32"),
        ("features, 4 views", "float32"),
    ]
    found = interleaved(run, ways, ("resnet18", 96, 1000), 1)
    naive, tutorial = found["naive head", "float32"], found["naive head, tutorial", "float32"]
    print("\nHead of a frozen resnet18 at 96 px, 1,000 images, 20 epochs\n")
    print("| way | CPU s | naive / it | tutorial / it |\n|---|---:|---:|---:|")
    for (name, _), seconds in found.items():
        print(f"| {name} | {seconds:.1f} | {naive / seconds:.1f} | {tutorial / seconds:.1f} |")


def table(title: str, found: dict[Way, float], reference: Way) -> None:
    """Print images per CPU second of each way, absolute and relative to the reference."""
    print(f"\n{title}\n\n| loop | precision | images a CPU second | of {reference[0]} |\n|---|---|---:|---:|")
    for (name, precision), seconds in found.items():
        print(f"| {name} | {precision} | {32 / seconds:.1f} | {found[reference] / seconds:.2f} |")


def interleaved(run: Run, ways: Sequence[Way], given: tuple[str, int, int], repeats: int) -> dict[Way, float]:
    """Median seconds of each way over rounds in which every way runs once."""
    rounds = [{way: run(way[0], *given, way[1])["seconds"] for way in ways} for _ in range(repeats)]
    return {way: statistics.median(each[way] for each in rounds) for way in ways}


def runner(peers: str) -> Run:
    """Function that runs one way in a process of its own."""

    def run(way: str, network: str, size_px: int, n: int, precision: str) -> dict[str, Any]:
        python = sys.executable if way.startswith(OWN) else peers
        command = [python, "-W", "ignore", str(RUNNER), way, network, str(size_px), str(n), precision]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **ONE_THREAD})
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    return run


TABLES = {"overhead": overhead, "full": full, "top": top, "features": features}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Training against its peers.")
    parser.add_argument("peers", help="python of the environment that holds the peers")
    parser.add_argument("--tables", nargs="*", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    for chosen in args.tables:
        TABLES[chosen](runner(args.peers), args.repeats)
