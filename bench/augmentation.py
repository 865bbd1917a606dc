"""Augmentation of a batch against its peers: CPU time, and whether each image gets a draw of its own.

The peers are in an environment of their own. Every run is a process of its own with one thread:

    uv venv PEERS && uv pip install --python PEERS/bin/python torch torchvision kornia
    python bench/augmentation.py PEERS/bin/python

Each method takes 32 uint8 images and returns 32 normalised float images, by the recipes `photographs` and `strong` of
params.yaml or the nearest equivalent of the peer. It prints a Markdown table. Milliseconds are CPU time of the process
(user and system), median of the repeats. The last column is relative to a forward and backward step of torchvision's
resnet18 on the same batch in float32.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

RUNNER = Path(__file__).with_name("augmentation_run.py")
OWN = ("graft",)
PEERS = ("kornia", "torchvision, one draw a batch", "torchvision, image by image")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def run(python: str, method: str, recipe: str, side: int, repeats: int) -> dict[str, Any]:
    """Measure a method in a process of its own."""
    command = [python, "-W", "ignore", str(RUNNER), method, recipe, str(side), str(repeats)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **ONE_THREAD})
    answer: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return answer


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Augmentation against its peers.")
    parser.add_argument("peers", help="python of the peers' environment")
    parser.add_argument("--sides", nargs="+", type=int, default=[96, 224], help="pixels")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    print("| px | recipe | method | CPU ms a batch | of graft's | distinct views of 32 copies | of a resnet18 step |")
    print("|---:|---|---|---:|---:|---:|---:|")
    for side in options.sides:
        step = run(sys.executable, "resnet18 step", "none", side, 3)["cpu_ms"]
        for recipe in ("photographs", "strong"):
            pythons = {name: sys.executable if name in OWN else options.peers for name in (*OWN, *PEERS)}
            found = {name: run(python, name, recipe, side, options.repeats) for name, python in pythons.items()}
            for name, each in found.items():
                cpu_ms = each["cpu_ms"]
                ratios = f"{cpu_ms / found['graft']['cpu_ms']:.1f} | {each['distinct']} | {cpu_ms / step:.1%}"
                print(f"| {side} | {recipe} | {name} | {cpu_ms:.0f} | {ratios} |", flush=True)
        print(f"| {side} | - | resnet18 step | {step:.0f} | - | - | 100% |", flush=True)


if __name__ == "__main__":
    main()
