"""A copy of the repository in which the pipeline can run: on the built-in example, with very short training."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from dvc.utils.serialize import dumps_yaml

from graft.yaml_files import read_yaml
from tests.house import ROOT

STAGES: tuple[str, ...] = tuple(read_yaml(ROOT / "dvc.yaml")["stages"])
"""in the order of dvc.yaml"""

RECORDS = (
    "data/records/catalog.json",
    "data/records/preprocessing.json",
    "data/records/validation.json",
    "data/records/validated.json",
    "data/records/validated_target.json",
    "data/records/shift.json",
    "models/records/strategy.json",
    "models/records/checks.json",
    "models/records/training.json",
    "models/records/scratch.json",
    "models/records/variants.json",
    "models/records/looks.json",
    "models/records/verdict.json",
    "models/records/gain.json",
    "models/records/export.json",
    "models/records/release.json",
    "models/records/gate.json",
    "models/records/predictions.csv",
    "reports/metrics.json",
    "reports/report.md",
)

IDENTITY = {f"GIT_{who}_{what}": "reader@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}

SHORT = {
    "pretrain_source": {"epochs": 2},
    "extract_features": {"sample_images": 100},
    "measure_shift": {"n_permutations": 99},
    "select_strategy": {"folds": 2},
    "training": {"budget": 2, "epochs": 2},
    "finetune_target": {"rates": [0.01]},
    "train_scratch": {"rates": [0.01], "long_factor": 2},
    "check_transfer": {"on_negative": "warn"},
}


def dvc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run dvc in a copy, with this environment's packages; dvc.yaml sees to it that stages run the copy's code."""
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment())


def environment() -> dict[str, str]:
    """Variables as in the shell of a reader who activated this environment, which was made for another folder."""
    variables = {**os.environ, **IDENTITY, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    variables.pop("PYTHONPATH", None)
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # __pycache__ must not count, so it must be there
    variables.pop("GRAFT_MODEL", None)  # the copy's own model is served
    return variables


def rerun(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The stages that a `dvc repro` ran."""
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"Running stage '(\w+)'", done.stdout)


def changed(folder: Path) -> set[str]:
    """The stages with a dep, a param or an output that is not as in dvc.lock: those that run next, whatever follows."""
    done = dvc(folder, "status", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return set(json.loads(done.stdout))


def copied(folder: Path, without: set[str]) -> None:
    """Copy the repository as git would clone it, but for some files."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file() and name not in without:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)


def run_once(folder: Path) -> None:
    """Copy the repository without its results, and run its pipeline."""
    copied(folder, without={*RECORDS, "dvc.lock"})
    params = read_yaml(folder / "params.yaml")
    for name, section in SHORT.items():
        params[name].update(section)
    (folder / "params.yaml").write_text(dumps_yaml(params))
    order = rerun(dvc(folder, "repro"))
    assert sorted(order) == sorted(STAGES)
    assert order.index("validate_data") < order.index("pretrain_source")  # no training on data that has faults
