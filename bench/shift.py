"""Two-sample test against its peers: speed, memory, agreement with exact permutations, false alarms and power.

The peers are in an environment of their own. Every run is a process of its own, on the same files, with one thread:

    uv venv PEERS && uv pip install --python PEERS/bin/python 'alibi-detect[torch]' torchdrift evidently
    python bench/shift.py PEERS/bin/python

It prints Markdown tables. Seconds are CPU seconds of the process (user and system). Memory is the peak above the memory
of the process with its libraries and the data loaded. `--tables` selects tables.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Run = Callable[..., dict[str, Any]]

PEERS = ("alibi-detect", "torchdrift")
RUNNER = Path(__file__).with_name("shift_run.py")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def speed(run: Run, repeats: int) -> None:
    """Compare every method at 2,000 rows per side and 1,000 permutations."""
    data = normal(1, 2000, 512, 0.02)
    own = ("graft one bandwidth", "graft family", "graft one bandwidth, tensors", "graft one bandwidth, exact")
    found = {name: run(name, *data, 1000, repeats) for name in (*own, "GEMM floor float32", *PEERS)}
    print("\nn = m = 2,000, d = 512, 1,000 permutations\n")
    print("| method | CPU s | extra MiB | alibi-detect / it | torchdrift / it | p |\n|---|---:|---:|---:|---:|---:|")
    for name, each in found.items():
        ratios = " | ".join(f"{found[peer]['cpu'] / each['cpu']:.0f}" for peer in PEERS)
        print(f"| {name} | {each['cpu']:.3g} | {each['mib']:.0f} | {ratios} | {each['p'][0]} |")


def medium(run: Run, repeats: int) -> None:
    """Compare 10,000 rows per side with the matrix products alone."""
    size_table(run, 10_000, repeats)


def large(run: Run, repeats: int) -> None:
    """Compare 50,000 rows per side with the matrix products alone."""
    size_table(run, 50_000, repeats)


def size_table(run: Run, n: int, repeats: int) -> None:
    """Print time and memory at this number of rows per side."""
    data = normal(1, n, 512, 0.005)
    names = (
        "GEMM floor float32",
        "GEMM floor bfloat16",
        "graft one bandwidth",
        "graft one bandwidth, tensors",
        "graft family",
    )
    found = {name: run(name, *data, 1000, repeats) for name in names}
    print(f"\nn = m = {n:,}, d = 512, 1,000 permutations\n")
    print("| method | CPU s | of float32 floor | of bfloat16 floor | extra MiB |\n|---|---:|---:|---:|---:|")
    for name, each in found.items():
        ratios = " | ".join(
            f"{each['cpu'] / found[f'GEMM floor {kind}']['cpu']:.2f}" for kind in ("float32", "bfloat16")
        )
        print(f"| {name} | {each['cpu']:.3g} | {ratios} | {each['mib']:.0f} |")


def agreement(run: Run, repeats: int) -> None:
    """Compare bins, and another draw of exact permutations, with exact permutations."""
    print("\n100 data sets each, n = m = 1,000, d = 64\n")
    print("| data | kernels | permutations | compared with exact | mean abs. difference of p | same decision at 0.05 |")
    print("|---|---|---:|---|---:|---:|")
    null, near = ("null", normal(100, 1000, 64, 0.0)), ("near the threshold, 0.025 sd", normal(100, 1000, 64, 0.025))
    cases = [(data, kernels, 999) for data in (null, near) for kernels in ("one bandwidth", "family")]
    for (words, data), kernels, n in [*cases, (near, "one bandwidth", 9999)]:
        exact = np.array(run(f"graft {kernels}, exact", *data, n, 1)["p"])
        others = {
            "bins": run(f"graft {kernels}", *data, n, 1),
            "bins, tensors": run(f"graft {kernels}, tensors", *data, n, 1),
            "exact, other draw": run(f"graft {kernels}, exact", *data, n, 1, seed=1000),
        }
        for name, each in others.items():
            p = np.array(each["p"])
            same = np.mean((p <= 0.05) == (exact <= 0.05))
            print(f"| {words} | {kernels} | {n:,} | {name} | {np.abs(p - exact).mean():.3f} | {same:.2f} |")


def alarms(run: Run, repeats: int) -> None:
    """Print how often each method reports a shift, with and without one, on the same draws."""
    n_draws = 300
    draws = {
        "no shift": normal(n_draws, 200, 32, 0.0),
        "0.08 sd in every coordinate": normal(n_draws, 200, 32, 0.08),
        "correlation within nine clusters": grids(n_draws, 300),
    }
    peers = (*PEERS, "evidently default", "evidently bootstrap", "evidently bootstrap 0.95")
    print(f"\nShare of {n_draws} draws with p <= 0.05 (an alarm, for Evidently), 200 permutations, SE <= 0.03\n")
    print("| method | " + " | ".join(draws) + " | p = 0 without shift |\n|---" + "|---:" * (len(draws) + 1) + "|")
    for name in ("graft family", "graft one bandwidth", *peers):
        found = [np.array(run(name, *data, 200, 1)["p"]) for data in draws.values()]
        zeros = "-" if name.startswith("evidently") else f"{np.mean(found[0] == 0):.3f}"
        print(f"| {name} | " + " | ".join(f"{np.mean(p <= 0.05):.3f}" for p in found) + f" | {zeros} |")


def normal(k: int, n: int, d: int, shift: float) -> tuple[Floats, Floats]:
    """Make k draws of n normal rows per side; the target is moved by this many standard deviations in every feature."""
    rng = np.random.default_rng((k, n, d, int(shift * 1e6)))
    source, target = (rng.standard_normal((k, n, d), dtype=np.float32) for _ in range(2))
    return source, target + np.float32(shift)


def grids(k: int, n: int) -> tuple[Floats, Floats]:
    """Make k draws of a 3 x 3 grid of unit Gaussians eight deviations apart, against the same with correlation 0.8."""
    rng = np.random.default_rng(k)
    within = [rng.multivariate_normal((0, 0), ((1, r), (r, 1)), (k, n)) for r in (0.0, 0.8)]
    source, target = (each + 8.0 * rng.integers(0, 3, (k, n, 2)) for each in within)
    return source.astype(np.float32), target.astype(np.float32)


def runner(peers: str) -> Run:
    """Function that runs a method in a process of its own, several times, and takes the median of time and memory."""

    def run(name: str, source: Floats, target: Floats, n: int, repeats: int, seed: int = 0) -> dict[str, Any]:
        python = sys.executable if name.startswith(("graft", "GEMM")) else peers
        times = repeats if python == sys.executable else 1
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "source.npy", source)
            np.save(Path(folder) / "target.npy", target)
            command = [python, "-W", "ignore", str(RUNNER), name, folder, str(n), str(seed)]
            outputs = [
                subprocess.run(
                    command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **ONE_THREAD}
                ).stdout
                for _ in range(times)
            ]
        found = [json.loads(output.splitlines()[-1]) for output in outputs]
        medians = {key: statistics.median(each[key] for each in found) for key in ("cpu", "wall", "mib")}
        return {**medians, "p": found[0]["p"]}

    return run


TABLES = {each.__name__: each for each in (speed, medium, large, agreement, alarms)}


def main() -> None:
    """Print the selected tables."""
    parser = argparse.ArgumentParser(description="Two-sample test against its peers.")
    parser.add_argument("peers", help="python of the peers' environment")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--repeats", type=int, default=3, help="runs of each own method; peers run once")
    options = parser.parse_args()
    for name in options.tables:
        TABLES[name](runner(options.peers), options.repeats)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
