"""A data set whose target has no labels to train on, and all stages of the pipeline over it, in this process."""

import runpy
import shlex
from contextlib import chdir
from pathlib import Path

import numpy as np
from dvc.utils.serialize import dumps_yaml
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from tests.house import ROOT

from graft.yaml_files import read_yaml

STAGES = read_yaml(ROOT / "dvc.yaml")["stages"]
CLASSES = ("one", "two", "zero")
DIGITS = (1, 2, 0)
N_SOURCE, N_UNLABELLED, N_TEST = 30, 40, 8
SMALL: dict[str, dict[str, object]] = {
    "prepare_data": {"dataset": "folders"},
    "pretrain_source": {"epochs": 2},
    "extract_features": {"sample_images": 60},
    "measure_shift": {"n_permutations": 200},
    "training": {"budget": "smoke", "epochs": 2},
    "finetune_target": {
        "rates": [0.003, 0.03],
        "adapting": {"kind": "coral", "strength": 1.0},
        "choose_by": "information_maximisation",
    },
    "train_scratch": {"rates": [0.01, 0.1], "long_factor": 2},
}


def write_images(folder: Path, with_test: bool) -> None:
    """Digits on black as the source; on grey, and darker, as the target, of which at most test images have labels."""
    digits = load_digits()
    for name, digit in zip(CLASSES, DIGITS, strict=True):
        every = 16 * digits.images[digits.target == digit][: N_SOURCE + N_UNLABELLED + N_TEST]
        source, rest = every[:N_SOURCE], 100 + every[N_SOURCE:] / 2
        _write(source, folder / "data/raw/source" / name)
        _write(rest[:N_UNLABELLED], folder / "data/raw/target_unlabeled", f"{digit}-")
        if with_test:
            _write(rest[N_UNLABELLED:], folder / "data/raw/target/test" / name)


def write_params(folder: Path, **sections: dict[str, object]) -> None:
    """params.yaml for short runs; sections given are merged in."""
    values = read_yaml(ROOT / "params.yaml")
    for name, section in (*SMALL.items(), *sections.items()):
        values[name].update(section)
    (folder / "params.yaml").write_text(dumps_yaml(values), encoding="utf-8")


def run_stages(folder: Path, *, to: str = "gate_release") -> None:
    """Run every stage as dvc.yaml does, up to one, in its order there."""
    with chdir(folder):
        for name, stage in STAGES.items():
            words = shlex.split(stage["cmd"])
            script = next(place for place, word in enumerate(words) if word.endswith(".py"))
            runpy.run_path(str(ROOT / words[script]))["main"](words[script + 1 :])
            if name == to:
                return


def _write(images: NDArray[np.float64], folder: Path, prefix: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for place, image in enumerate(images):
        picture = Image.fromarray(image.clip(0, 255).astype(np.uint8)).resize((32, 32), Image.Resampling.NEAREST)
        picture.convert("RGB").save(folder / f"{prefix}{place}.png")
