"""Comparison of strategies on real images: accuracy on images that none of them saw, and seconds of training.

    python bench/strategies.py WEIGHTS FOLDER [FOLDER ...]

WEIGHTS is a state dict of torchvision's mobilenet_v2; a FOLDER has `<split>/<class>/<image>`. The whole pipeline runs
in a copy of this project, once for each strategy (`select_strategy.overrule`), on at most IMAGES_PER_CLASS images of
each class. Every strategy and the control try equally many rates on validation, and all are tested on the same images.
It uses one thread, so that two of these benchmarks can run at the same time.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from dvc.utils.serialize import dumps_yaml

from graft.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[1]
# what finetune_target holds under the strategies that need values of their own
VALUES_OF: dict[str, dict[str, Any]] = {
    "gradual": {"unfreeze": {"kind": "plateau", "patience": 2}},
    "surgical": {"surgical_blocks": ["stem", "block1"]},
}
STRATEGIES = ("feature_extraction", "top_blocks", "full", "gradual", "surgical", "norms")
IMAGES_PER_CLASS = {"hymenoptera": 200, "cifar10": 80}
SIZE_PX = {"hymenoptera": 96, "cifar10": 64}
EPOCHS = 6
RATES = [0.001, 0.005]
N_SEEDS = 3


def main() -> None:
    """Print one table for each folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("weights", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    args = parser.parse_args()
    for folder in args.folders:
        with tempfile.TemporaryDirectory() as project:
            compare(Path(project), args.weights.resolve(), folder)


def compare(project: Path, weights: Path, folder: Path) -> None:
    """Print one table of all strategies on one folder of images."""
    copy_project(project)
    environment = {**os.environ, "PYTHONPATH": str(project / "src"), "OMP_NUM_THREADS": "1"}
    n = copy_images(folder, project / "data/raw/target", IMAGES_PER_CLASS[folder.name])
    print(f"\n{folder.name}: {n} images, mobilenet_v2 at {SIZE_PX[folder.name]} px, {EPOCHS} epochs, {N_SEEDS} seeds\n")
    print("| strategy | test accuracy | interval | difference from scratch | interval | training, CPU s |")
    print("|---|---:|---|---:|---|---:|", flush=True)
    for strategy in STRATEGIES:
        write_params(project, weights, folder.name, strategy)
        before = os.times()
        subprocess.run(
            ["dvc", "repro", "-q", "check_transfer"], cwd=project, env=environment, check=True, stdout=sys.stderr
        )
        after = os.times()
        verdict = json.loads((project / "models/records/verdict.json").read_text(encoding="utf-8"))
        seconds = after.children_user + after.children_system - before.children_user - before.children_system
        print(row(strategy, verdict, seconds), flush=True)
    accuracy = verdict["scores"][0]["scratch"]
    print(
        f"| scratch | {accuracy['estimate']:.1%} | {accuracy['low']:.1%} to {accuracy['high']:.1%} | | | |", flush=True
    )


def row(strategy: str, verdict: dict[str, Any], seconds: float) -> str:
    """Line of the table; the seconds of the first strategy include the shared stages and the control."""
    accuracy, gain = verdict["scores"][0]["transfer"], verdict["scores"][0]["difference"]
    return (
        f"| {strategy} | {accuracy['estimate']:.1%} | {accuracy['low']:.1%} to {accuracy['high']:.1%} | "
        f"{100 * gain['estimate']:+.1f} | {100 * gain['low']:+.1f} to {100 * gain['high']:+.1f} | {seconds:.0f} |"
    )


def copy_project(project: Path) -> None:
    """Copy the tracked files of this project into a repository of DVC without git."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith(("data/records", "models/records", "dvc.lock", ".dvc")):
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, project / name)
    subprocess.run(["dvc", "init", "-q", "--no-scm"], cwd=project, check=True)


def copy_images(folder: Path, to: Path, n_per_class: int) -> int:
    """Copy at most n images of each class over all splits, drawn with a fixed seed, and return their number."""
    found = by_class(folder)
    for name, files in found.items():
        (to / name).mkdir(parents=True)
        for place in np.random.default_rng(0).permutation(len(files))[:n_per_class]:
            shutil.copy(files[place], to / name / f"{files[place].parent.parent.name}-{files[place].name}")
    return sum(min(len(files), n_per_class) for files in found.values())


def by_class(folder: Path) -> dict[str, list[Path]]:
    """All files below a folder by the name of the folder that each is in."""
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            found.setdefault(file.parent.name, []).append(file)
    return found


def write_params(project: Path, weights: Path, name: str, strategy: str) -> None:
    """Write params.yaml of this project with the changes of this benchmark."""
    path = project / "params.yaml"
    params = read_yaml(ROOT / "params.yaml")
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    params["network"].update(name="mobilenet_v2", weights="file", weights_file=str(weights), weights_sha256=sha256)
    params["images"]["size_px"] = SIZE_PX[name]
    params["prepare_data"]["dataset"] = "folders"
    params["validate_data"].update(on_near_duplicates="warn", on_undecodable="quarantine")
    params["select_strategy"]["overrule"] = strategy
    params["training"].update(budget=N_SEEDS, epochs=EPOCHS, augmentation="photographs")
    params["finetune_target"].update(rates=RATES, **VALUES_OF.get(strategy, {}))
    params["train_scratch"].update(rates=RATES, long_factor=2)
    path.write_text(dumps_yaml(params), encoding="utf-8")


if __name__ == "__main__":
    main()
