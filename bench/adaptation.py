"""Keeping what was learned, adapting to the target, tuning little: what each is worth, and what it costs.

    python bench/adaptation.py --data ../shared/data --results /tmp/adaptation [--part NAME ...]

Prints one table for each part, with 95 % intervals over seeds and test images. Every training is kept in a file of the
folder of results, so that the benchmark can be cut and continued. `--limit` ends it after so many seconds and prints
what there is; `--quick` takes half of the images and three seeds, for a processor; `--smoke` tries everything in about
a minute, and its figures mean nothing.

On another machine: `--pack FILE.npz` puts the data sets into one file, `--data FILE.npz` reads it, `--collect FOLDER`
puts the results of each part into one file, and `--add FILE ...` puts these into the folder of results here.
"""

import argparse
import os

# before torch is imported
if __name__ == "__main__":
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import adaptation_keeping as keeping
import adaptation_little as little
import adaptation_unsupervised as unsupervised
from adaptation_data import pack
from adaptation_pool import Job, Result, done, in_one_file, out_of_one_file, run
from adaptation_training import Options, Origin, pretrain

from graft.networks.runtime import make_deterministic

TABLES = {each.PART: each for each in (unsupervised, keeping, little)}
COST = Path(__file__).with_name("adaptation_cost.py")
PARTS = (*TABLES, little.SECONDS, "cost")


def main() -> None:
    """Train what is missing, and print the tables."""
    args = _arguments()
    if args.pack is not None:
        pack(args.data, args.pack)
        return
    for file in args.add:
        out_of_one_file(file, args.results)
    size = "smoke" if args.smoke else "quick" if args.quick else "whole"
    options, parts = Options(args.data.resolve(), args.weights.resolve(), size), args.part or list(PARTS)
    wanted = {part: jobs_of(part, options) for part in parts if part != "cost"}
    every = [job for jobs in wanted.values() for job in jobs]
    start = time.monotonic()
    failures = [] if args.tables else trained(every, options, args)
    for part in parts:
        if part in TABLES:
            print_table(part, every, options, args.results)
    if args.collect is not None:
        args.collect.mkdir(parents=True, exist_ok=True)
        for part, jobs in wanted.items():
            in_one_file(args.results, jobs, args.collect / f"{part}.npz")
    if "cost" in parts and not args.tables:
        subprocess.run([sys.executable, str(COST), *(["--smoke"] if args.smoke else [])], check=False)
    print_end(every, failures, time.monotonic() - start, args)


def jobs_of(part: str, options: Options) -> list[Job]:
    """Trainings of a part, without backbones."""
    return little.timed_jobs(options) if part == little.SECONDS else TABLES[part].jobs(options)


def train(job: Job, device: str, folder: Path, options: Options) -> Result:
    """Train one job, whatever its part."""
    # before anything runs on the device: cuBLAS reads its setting once
    make_deterministic(job.seed)
    if job.part == "backbone":
        return pretrain(next(each for each in every_origin() if each.job(job.seed) == job), job.seed, device, options)
    room = TABLES[little.PART if job.part == little.SECONDS else job.part]
    return room.train(job, device, options, folder)


def every_origin() -> list[Origin]:
    """What the backbones of all parts are trained on."""
    return [origin for room in TABLES.values() for origin in room.origins()]


def trained(jobs: list[Job], options: Options, args: argparse.Namespace) -> list[str]:
    """Run the trainings, those of backbones first; return the failures."""
    seeds = range(options.n_seeds)
    needed = {job.needs for job in jobs}
    backbones = {job for each in every_origin() for seed in seeds if (job := each.job(seed)) and job.name in needed}
    # seeds one after another: where the limit comes first, all tables have fewer seeds, and none lacks a method
    ordered = [*sorted(backbones), *sorted(jobs, key=lambda job: job.seed)]
    devices = [args.device] * args.processes + ["cpu"] * args.beside
    return run(ordered, partial(train, options=options), args.results, devices, args.limit)


def print_table(part: str, jobs: list[Job], options: Options, folder: Path) -> None:
    """Print the table of a part from the results that there are."""
    of_part = [job for job in jobs if job.part in (part, little.SECONDS)]
    results = done(of_part, folder)
    print(f"\n{part}: {len(results)} of {len(of_part)} trainings\n")
    print(TABLES[part].report(results, options), flush=True)


def print_end(jobs: list[Job], failures: list[str], seconds: float, args: argparse.Namespace) -> None:
    """Print failures, devices and time; whole traces go to a file."""
    devices = Counter(result.facts["device"] for result in done(jobs, args.results).values())
    print(f"\n{len(failures)} failures; trainings by device: {dict(devices)}; {seconds:.0f} s")
    for each in failures:
        print(each.splitlines()[0], file=sys.stderr)
    (args.results / "failures.txt").write_text("\n".join(failures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=shared, help="data folder, or the file made by --pack")
    parser.add_argument("--weights", type=Path, default=shared / "weights/mobilenet_v2.pth")
    parser.add_argument("--results", type=Path, default=Path("/tmp/graft-adaptation"))
    parser.add_argument("--part", nargs="+", choices=PARTS, help="all where none is named")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), help="on the device")
    parser.add_argument("--beside", type=int, default=0, help="processes on the processor beside those on a GPU")
    parser.add_argument("--limit", type=float, default=float("inf"), help="seconds")
    parser.add_argument("--tables", action="store_true", help="train nothing, print tables of what there is")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--pack", type=Path)
    parser.add_argument("--collect", type=Path)
    parser.add_argument("--add", type=Path, nargs="+", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    main()
