"""Trainings of bench/adaptation.py in several processes, each kept in a file, so that they can be cut and continued.

Processes claim trainings by making a file, and need no answer from their parent: one that dies takes only its own
training along. Those on a CUDA device begin with the large networks, those on the processor with the small ones. What
fails on CUDA is tried again on the processor.
"""

import io
import json
import multiprocessing
import os
import re
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.files import write_whole
from graft.transfer.arms.workers import _die_with

# a forked process could not use CUDA
SPAWN = multiprocessing.get_context("spawn")
SECONDS_BETWEEN_LOOKS = 0.2


class Job(NamedTuple):
    """A training by its name; all fields together are the name of its file."""

    part: str
    task: str
    method: str
    seed: int
    candidate: str
    """rate or strength among which a seed of a method chooses; `-` where there is none"""
    large: bool = False
    """whether it is for a GPU rather than for a processor"""
    needs: str = ""
    """name of the training that must have ended before"""
    timed: bool = False
    """whether its CPU time counts, so that it runs on a processor alone"""

    @property
    def name(self) -> str:
        """Name of its file."""
        whole = "_".join((self.part, self.task, self.method, f"s{self.seed}", self.candidate))
        return re.sub(r"[^\w.-]+", "-", whole)


class Result(NamedTuple):
    """What a training leaves."""

    facts: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


# trains a job on a device, with the folder of the results, and says what it leaves
Train = Callable[[Job, str, Path], Result]
Results = dict[Job, Result]


def done(jobs: Iterable[Job], folder: Path) -> Results:
    """Results of the trainings that have ended."""
    files = {job: folder / f"{job.name}.npz" for job in jobs}
    return {job: read(file) for job, file in files.items() if file.is_file()}


def read(file: Path) -> Result:
    """Result in a file."""
    with np.load(file) as content:
        arrays = {name: content[name] for name in content.files if name != "facts"}
        return Result(json.loads(str(content["facts"])), arrays)


def keep(result: Result, file: Path) -> None:
    """Write a result, whole or not at all."""
    content = io.BytesIO()
    np.savez_compressed(content, facts=np.array(json.dumps(result.facts)), **result.arrays)
    write_whole(file, content.getvalue())


def run(jobs: Sequence[Job], train: Train, folder: Path, devices: Sequence[str], limit_s: float) -> list[str]:
    """Run the trainings that have not ended, until the limit; return the last line of each failure.

    Args:
        jobs: in the order in which they are wanted, those that others need first.
        train: picklable.
        folder: of the results.
        devices: one for each process.
        limit_s: seconds after which processes are killed; what has ended by then is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    due = time.monotonic() + limit_s
    with tempfile.TemporaryDirectory() as claims:
        # where a training fails on this device, it fails for good
        last = "cpu" if "cpu" in devices else devices[0]
        args = [(jobs, train, folder, Path(claims), (device, last), os.getpid()) for device in devices]
        team = [SPAWN.Process(target=_work, args=each, daemon=True) for each in args]
        for each in team:
            each.start()
        # all of them are looked at, because one that has died is gone for the others only then
        while sum(each.is_alive() for each in team) and time.monotonic() < due:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        for each in team:
            each.kill()
            each.join()
        return [file.read_text() for file in sorted(Path(claims).glob("*.failed-*"))]


def in_one_file(folder: Path, jobs: Iterable[Job], file: Path) -> None:
    """Put the files of all results into one, which `out_of_one_file` takes apart again."""
    files = [each for job in jobs if (each := folder / f"{job.name}.npz").is_file()]
    content = io.BytesIO()
    np.savez(content, **{each.stem: np.frombuffer(each.read_bytes(), dtype=np.uint8) for each in files})
    write_whole(file, content.getvalue())


def out_of_one_file(file: Path, folder: Path) -> None:
    """Write the files of all results that another machine put into one."""
    folder.mkdir(parents=True, exist_ok=True)
    with np.load(file) as content:
        for name in content.files:
            write_whole(folder / f"{name}.npz", content[name].tobytes())


def _work(jobs: Sequence[Job], train: Train, folder: Path, claims: Path, devices: tuple[str, str], parent: int) -> None:
    """Claim one training after another until none is left."""
    _die_with(parent)
    device, last = devices
    # large ones come first on a GPU and last on a processor; the order is else that of the caller
    waiting = sorted(jobs, key=lambda job: job.large != (device != "cpu"))
    waiting = [job for job in waiting if device == "cpu" or not job.timed]
    while waiting:
        gone = {file.name for file in claims.glob("*.failed-*")} | {file.name for file in folder.glob("*.npz")}
        waiting = [job for job in waiting if not _is_over(job, gone, claims, devices)]
        ready = [job for job in waiting if not job.needs or f"{job.needs}.npz" in gone]
        job = next((each for each in ready if _claimed(each, claims)), None)
        if job is None:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            continue
        try:
            keep(train(job, device, folder), folder / f"{job.name}.npz")
        except Exception as error:
            text = f"{job.name} on {device}: {type(error).__name__}: {error}\n{traceback.format_exc()}"
            (claims / f"{job.name}.failed-{device}").write_text(text)
            if device != last:
                (claims / job.name).unlink()


def _is_over(job: Job, gone: set[str], claims: Path, devices: tuple[str, str]) -> bool:
    """Whether a training has its result, failed on this device, is lost with its process, or can never begin."""
    device, last = devices
    if gone & {f"{job.name}.npz", f"{job.name}.failed-{device}", f"{job.needs}.failed-{last}"}:
        return True
    return any(_is_dead(claims / name) for name in (job.name, job.needs) if name and f"{name}.npz" not in gone)


def _is_dead(claim: Path) -> bool:
    """Whether the process that claimed a training has died."""
    if not claim.is_file() or not (pid := claim.read_text()):
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    return False


def _claimed(job: Job, claims: Path) -> bool:
    try:
        with (claims / job.name).open("x") as claim:
            claim.write(str(os.getpid()))
    except FileExistsError:
        return False
    return True
