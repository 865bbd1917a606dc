"""Stages of the built-in example on one CUDA device, with very short training: compared with the CPU, and killed.

Both copies of the project start from the same data and one backbone, pretrained on the CPU: backbones of two devices
differ, and then everything after them does. What must agree is compared with a tolerance. What rounding may change, the
scores of short training and a verdict from two seeds, is only reported. Then fine-tuning is killed with SIGKILL before
random steps, with a checkpoint after each step, until it ends. Its files must equal those of an undisturbed run.

It needs neither DVC nor Great Expectations: the commands of dvc.yaml run as written, without validate_data.
"""

import hashlib
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from gpu_clock import Table, run

from graft.files import file_sha256, write_record
from graft.params.pipeline import Params
from graft.records.validation import Stamp
from graft.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[1]
BEFORE = ("prepare_data", "pretrain_source")
AFTER = ("gather_companions", "extract_features", "measure_shift", "select_strategy", "finetune_target",
    "train_scratch", "train_variants", "check_transfer")  # fmt: skip
SHORT: dict[str, dict[str, Any]] = {
    "pretrain_source": {"epochs": 2},
    "extract_features": {"sample_images": 100},
    "measure_shift": {"n_permutations": 199},
    "select_strategy": {"folds": 2, "overrule": "full"},  # without it there might be no step to be killed at
    "training": {"budget": "smoke", "epochs": 4},
    "finetune_target": {"rates": [0.01]},
    "train_scratch": {"rates": [0.01], "long_factor": 2},
    "check_transfer": {"on_negative": "warn"},
}
SAME_BYTES = ("data/catalogs/source.csv", "data/catalogs/target.csv", "data/store/source.npy", "data/store/target.npy",
    "data/catalogs/unlabeled.csv", "data/store/unlabeled.npy", "data/records/catalog.json",
    "data/records/preprocessing.json")  # fmt: skip
TRAINED = ("models/finetuned", "models/records/training.json", "models/records/training_curves.csv")
N_KILLS = 3
# Tolerances: relative to the norm of all features; relative to MMD^2; of p, two permutations of 199.
FEATURES_APART, MMD2_APART, P_APART = 1e-5, 1e-3, 0.0101
KILLED_AT = """
import os, runpy, signal, sys
from graft.training import checkpoints, steps

checkpoints.SECONDS_BETWEEN, checkpoints.SHARE_OF_TIME = 0.0, 1e9
left, n_taken, take_step = int(sys.argv[1]), 0, steps.take_step


def counted(*given):
    global n_taken
    if n_taken == left:
        os.kill(os.getpid(), signal.SIGKILL)
    n_taken += 1
    take_step(*given)


steps.take_step = counted
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
print(n_taken)
"""
"""a stage script as it is, but for a checkpoint after every step, and a kill before the step that is named"""


class Held(NamedTuple):
    """Comparison of one result of two runs."""

    what: str
    here: str
    there: str
    agrees: bool | None
    """None where it need not agree"""


def stages(device: torch.device) -> None:
    """Print both tables, for one project on the device.

    Raises:
        RuntimeError: something that must agree does not, or a killed training did not continue.
    """
    with tempfile.TemporaryDirectory() as folder:
        here, there = Path(folder) / "processor", Path(folder) / "device"
        faults = [*records(here, there, device.type), *resume(there, device.type)]
    if faults:
        raise RuntimeError(f"stages: {' '.join(faults)}")


def records(here: Path, there: Path, device: str) -> list[str]:
    """Compare GPU and CPU, record by record; a sentence where something differs that must agree."""
    through(BEFORE[:1], {here: "cpu", there: device})
    for project in (here, there):
        stamp(project)
    through(BEFORE[1:], {here: "cpu", there: device})
    unequal = differing(here, there, SAME_BYTES)
    shutil.rmtree(there / "models/pretrained")
    shutil.copytree(here / "models/pretrained", there / "models/pretrained")
    through(AFTER, {here: "cpu", there: device})
    found = [Held("catalogue and store", "", ", ".join(unequal) or "the same bytes", not unequal), *held(here, there)]
    print("\n| GPU against CPU, built-in example, very short training | CPU | GPU | agree |\n|---|---|---|---|")
    for each in found:
        agree = {True: "yes", False: "NO", None: "need not"}[each.agrees]
        print(f"| {each.what} | {each.here} | {each.there} | {agree} |", flush=True)
    broken = [each.what for each in found if each.agrees is False]
    return [f"Want the GPU to agree with the CPU, got others of {', '.join(broken)}."] if broken else []


def stamp(project: Path) -> None:
    """Write what the stages ask of validate_data, which is not run here."""
    hashes = {each.stem: file_sha256(each) for each in (project / "data/catalogs").glob("*.csv")}
    for name in ("validated", "validated_target"):
        write_record(Stamp(ok=True, catalogs=hashes), project / f"data/records/{name}.json")


def held(here: Path, there: Path) -> Iterator[Held]:
    """Compare what the stages after the backbone wrote in both projects."""
    for domain in ("source", "target"):
        one, other = (np.load(each / f"data/features/{domain}.npy") for each in (here, there))
        apart = float(np.linalg.norm(one - other) / np.linalg.norm(one))
        yield Held(f"features of the {domain}, apart", "", f"{apart:.1e}", apart <= FEATURES_APART)
    one, other = (_record(each, "data/records/shift.json") for each in (here, there))
    mmd2, mmd2_there = (each["test"]["mmd2"] for each in (one, other))
    yield Held("MMD^2", f"{mmd2:.6f}", f"{mmd2_there:.6f}", abs(mmd2 - mmd2_there) <= MMD2_APART * abs(mmd2))
    p, p_there = ([each["test"]["p_value"], *(of["p_value"] for of in each["classes"])] for each in (one, other))
    apart = max(abs(a - b) for a, b in zip(p, p_there, strict=True))
    yield Held("p of the shift test", f"{p[0]:.3f}", f"{p_there[0]:.3f}", abs(p[0] - p_there[0]) <= P_APART)
    yield Held("p of each class, farthest apart", "", f"{apart:.3f}", apart <= P_APART)
    yield Held("similarity", one["similarity"], other["similarity"], None)
    yield from _told(here, there)


def _told(here: Path, there: Path) -> Iterator[Held]:
    """Results of training on each device in its own precision, float32 on the CPU and bfloat16 on the GPU."""
    one, other = (_record(each, "models/records/verdict.json") for each in (here, there))
    for arm in ("transfer", "scratch"):
        shown = [f"{each['scores'][0][arm]['estimate']:.1%}" for each in (one, other)]
        yield Held(f"score of the {arm} arm", *shown, None)
    yield Held("verdict", one["verdict"], other["verdict"], None)


def resume(project: Path, device: str) -> list[str]:
    """Kill at random steps, resume, and compare with an undisturbed run by hash; a sentence where they differ."""
    n_steps = trained(project, device)
    whole = digests(project)
    for name in TRAINED:
        _remove(project / name)
    draw = random.Random(0)
    before = [draw.randrange(1, n_steps // (N_KILLS + 1)) for _ in range(N_KILLS)]
    ended = [n for n in before if trained(project, device, n)]
    last = trained(project, device)
    same = digests(project) == whole
    print(
        "\n| steps undisturbed | steps before each kill | steps after the last | the same files |\n|---:|---|---:|---|"
    )
    print(f"| {n_steps} | {', '.join(map(str, before))} | {last} | {'yes' if same else 'NO'} |", flush=True)
    well = same and not ended and 0 < last < n_steps
    return [] if well else ["Want a killed training to go on to the same files, got others, a run anew or no kill."]


def through(stages: Sequence[str], projects: dict[Path, str]) -> None:
    """Run stages in several projects at the same time, each on its device; a missing project is created.

    Raises:
        RuntimeError: a stage failed.
    """
    for project in projects:
        if not project.is_dir() or not any(project.iterdir()):
            copy_project(project)
    for stage in stages:
        running = [_started(stage, project, device) for project, device in projects.items()]
        for device, process in zip(projects.values(), running, strict=True):
            said = process.communicate()[1]
            if process.returncode:
                raise RuntimeError(f"{stage} on {device}: want it to end well, got\n{said[-2000:]}")


def _started(stage: str, project: Path, device: str) -> "subprocess.Popen[str]":
    given = {"cwd": project, "env": environment(project, device), "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command(stage), **given)


def trained(project: Path, device: str, before_step: int = -1) -> int:
    """Number of steps of fine-tuning; 0 where it was killed before the given step."""
    argv = [sys.executable, "-c", KILLED_AT, str(before_step), *command("finetune_target")[1:]]
    done = subprocess.run(argv, cwd=project, env=environment(project, device), capture_output=True, text=True)
    if done.returncode not in (0, -9):
        raise RuntimeError(f"finetune_target on {device}: want it to end well, got\n{done.stderr[-2000:]}")
    return int(done.stdout) if done.returncode == 0 else 0


def command(stage: str) -> list[str]:
    """Command of a stage in dvc.yaml, run by this Python."""
    words = shlex.split(read_yaml(ROOT / "dvc.yaml")["stages"][stage]["cmd"])
    return [sys.executable, *words[words.index("python") + 1 :]]


def environment(project: Path, device: str) -> dict[str, str]:
    """Environment of a stage: the project's own code before packages from elsewhere, its device, one thread.

    One process: the steps that `trained` counts are those of its own process.
    """
    paths = [str(project / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "GRAFT_DEVICE": device,
        "OMP_NUM_THREADS": "1",
        "GRAFT_PROCESSES": "1",
    }


def copy_project(project: Path) -> None:
    """Copy the code, and write params.yaml with short training; neither git nor DVC is needed."""
    for name in ("src", "stages"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    (project / "data/raw").mkdir(parents=True)
    params = read_yaml(ROOT / "params.yaml")
    for name, section in SHORT.items():
        params[name].update(section)
    (project / "params.yaml").write_text(Params.model_validate(params).model_dump_json(), encoding="utf-8")


def differing(here: Path, there: Path, names: Sequence[str]) -> list[str]:
    """Files that are not equal to the byte."""
    return [name for name in names if (here / name).read_bytes() != (there / name).read_bytes()]


def digests(project: Path) -> dict[str, str]:
    """Hash of every file that fine-tuning writes."""
    named = [project / name for name in TRAINED]
    files = [file for each in named for file in (sorted(each.iterdir()) if each.is_dir() else [each])]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _record(project: Path, name: str) -> Any:
    return json.loads((project / name).read_text(encoding="utf-8"))


def _remove(path: Path) -> None:
    remove: Callable[[Path], object] = shutil.rmtree if path.is_dir() else os.remove
    remove(path)


TABLES: dict[str, Table] = {"stages": stages}

if __name__ == "__main__":
    run(TABLES, __doc__)
