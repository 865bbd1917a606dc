"""The verdict of the whole pipeline on real sets of images, and from a source that is far away.

    python bench/verdict_real_pipeline.py [table ...]

The pipeline runs until its verdict in a copy of this project, once for each set, with one thread and one process.
Images and weights are those of ../shared/data. Nothing but `SETS`, `SHORT` and `RATES` differs from params.yaml.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from dvc.utils.serialize import dumps_yaml
from strategies import by_class, copy_project
from values_run import Split
from verdict_real import HEADER, RULE, cells, run
from verdict_real_run import DATA, Change, Found, weights_of, with_values

from graft.files import read_record
from graft.records.verdict import VerdictRecord

NETWORK = "mobilenet_v2"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "GRAFT_PROCESSES": "1", "DVC_NO_ANALYTICS": "1"}
SHORT: Change = {
    "prepare_data.dataset": "folders",
    "validate_data.on_near_duplicates": "warn",
    "validate_data.on_undecodable": "quarantine",
    "extract_features.sample_images": 50,
    "training.budget": 3,
    "training.epochs": 6,
    "finetune_target.rates": [0.003, 0.01],
    "train_scratch.rates": [0.003, 0.01],
}
# of published weights
RATES: Change = {"finetune_target.rates": [0.0003, 0.001]}


class Set(NamedTuple):
    """A target, and how it is read."""

    target: str
    split: Split
    """images of a class to learn from, to choose by and to test on"""
    size_px: int
    augmentation: str
    source: str | None = None
    """set that small_cnn is trained on; None: mobilenet_v2 with its ImageNet weights"""


SETS = {
    "far": Set("mnist", Split(20, 15, 100), 32, "digits", "cifar10"),
    "usps": Set("usps", Split(20, 15, 100), 32, "digits"),
    "mnist": Set("mnist", Split(20, 15, 100), 32, "digits"),
    "hymenoptera": Set("hymenoptera", Split(40, 20, 130), 64, "photographs"),
}
OF_SOURCE = Split(200, 50, 50)


def pipeline(name: str) -> None:
    """Print the verdict on one set; nothing overrules the strategy."""
    how = SETS[name]
    with tempfile.TemporaryDirectory() as made:
        project, start = Path(made), cpu_s()
        copy_project(project)
        n = copy_split(DATA / how.target, project / "data/raw/target", how.split)
        if how.source is not None:
            copy_split(DATA / how.source, project / "data/raw/source", OF_SOURCE)
        record = verdict_of(project, how)
    print(f"| target | source | px | train images | test images | seeds | strategy chosen | {HEADER} CPU min |")
    print(f"|---|---|---:|---:|---:|---:|---|{RULE}---:|", flush=True)
    found = Found(record.transfer.estimate, record.scratch.estimate, record.difference, record.verdict)
    about = f"{how.target} | {how.source or 'ImageNet'} | {how.size_px} | {n} | {record.n_images} | {record.n_seeds}"
    print(
        f"| {about} | {record.strategy} | {cells(found)} {(cpu_s() - start) / 60:.0f} |\n{record.sentence}", flush=True
    )


TABLES: Mapping[str, Callable[[], None]] = {name: partial(pipeline, name) for name in SETS}


def copy_split(folder: Path, to: Path, split: Split) -> int:
    """Copy images, drawn with a fixed seed, to `<split>/<class>/`, and return the number of those in train."""
    edges = [0, *np.cumsum(split)]
    for name, files in by_class(folder).items():
        order = np.random.default_rng(0).permutation(len(files))
        for part, (a, b) in zip(Split._fields, pairwise(edges), strict=True):
            (to / part / name).mkdir(parents=True)
            for place in order[a:b]:
                shutil.copy(files[place], to / part / name / f"{files[place].parent.parent.name}-{files[place].name}")
    return len(list(to.glob("train/*/*")))


def verdict_of(project: Path, how: Set) -> VerdictRecord:
    """Run the pipeline of a copy until its verdict."""
    change = {**SHORT, "images.size_px": how.size_px, "training.augmentation": how.augmentation}
    params = with_values({**change, **(weights_of(NETWORK) | RATES if how.source is None else {})})
    (project / "params.yaml").write_text(dumps_yaml(params), encoding="utf-8")
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(project / "src")}
    command = ["dvc", "repro", "-q", "check_transfer"]
    subprocess.run(command, cwd=project, env=environment, check=True, stdout=sys.stderr)
    return read_record(VerdictRecord, project / "models/records/verdict.json")


def cpu_s() -> float:
    """CPU seconds of all processes that this one has waited for."""
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    run(TABLES, __doc__)
