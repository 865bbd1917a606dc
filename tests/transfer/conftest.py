from pathlib import Path

import numpy as np
import pytest
import torch

from graft.networks.networks import build_network
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import SMALL_CNN
from graft.params.pipeline import Params
from graft.records.common import Split
from graft.records.strategy import ProbeScore, StrategyRecord
from graft.store.catalogue import CatalogRow, write_catalog
from graft.training import checkpoints
from graft.training.optimisation import take_step
from graft.transfer.arms.target_data import TargetData, target_data
from graft.transfer.finetuning.task import Backbone
from graft.yaml_files import read_yaml
from tests.examples import catalog_row
from tests.networks.runtimes import ON_CPU
from tests.transfer.killed import KilledError

ROOT = Path(__file__).resolve().parents[2]


def tiny_params(**sections: dict[str, object]) -> Params:
    """params.yaml with runs of two epochs and two seeds; sections given are merged in.

    Where values of gradual or surgical are among them, that strategy is the one that params name.
    """
    values = read_yaml(ROOT / "params.yaml")
    small: dict[str, dict[str, object]] = {
        "training": {"budget": 2, "epochs": 2, "batch_size": 8},
        "finetune_target": {"rates": [0.001, 0.01]},
        "train_scratch": {"rates": [0.001, 0.01], "long_factor": 2},
        "pretrain_source": {"epochs": 2, "batch_size": 8},
    }
    for name, section in (*small.items(), *sections.items()):
        values[name].update(section)
    named = {"surgical_blocks": "surgical", "unfreeze": "gradual"}
    for key in named.keys() & {key for key, value in values["finetune_target"].items() if value}:
        values["select_strategy"]["overrule"] = named[key]
    return Params.model_validate(values)


VALUES_OF: dict[str, dict[str, object]] = {
    "gradual": {"unfreeze": {"kind": "plateau", "patience": 2}},
    "surgical": {"surgical_blocks": ["block2"]},
}
"""what finetune_target holds under strategies that need values of their own"""


def tiny_catalog() -> tuple[CatalogRow, ...]:
    rows = []
    for index in range(40):
        split: Split = "train" if index < 24 else "val" if index < 32 else "test"
        rows.append(catalog_row(f"{index}.png", label="ab"[index % 2], split=split, sha256=f"{index:064x}", row=index))
    return tuple(rows)


def tiny_images() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    noise = np.random.default_rng(0).integers(0, 100, (40, 32, 32, 3))
    return (noise + 100 * (np.arange(40) % 2).reshape(-1, 1, 1, 1)).astype(np.uint8)


def write_companions(folder: Path, rows: tuple[CatalogRow, ...] = ()) -> None:
    """Labelled images of the source, which the arms learn from where the target has no labels to train on.

    What techniques of the transfer arm read has no rows.
    """
    write_catalog(rows, folder / "labelled.csv")
    np.save(folder / "labelled.npy", tiny_images()[[each.row for each in rows]])
    write_catalog((), folder / "companions.csv")
    for name in ("companions", "unlabelled"):
        np.save(folder / f"{name}.npy", tiny_images()[:0])


@pytest.fixture
def data() -> TargetData:
    return tiny_data()


def tiny_data() -> TargetData:
    return target_data(tiny_catalog(), tiny_images(), SMALL_CNN, tiny_params().recipes["digits"], ON_CPU)


@pytest.fixture
def backbone() -> Backbone:
    return tiny_backbone()


def tiny_backbone() -> Backbone:
    torch.manual_seed(0)
    network = build_network("small_cnn", 2, SMALL_CNN).eval()
    return Backbone(network, "small_cnn", outputs_of(network, tiny_images()).features)


def strategy(choice: str) -> StrategyRecord:
    return StrategyRecord.model_validate(
        {
            "n_train": 24,
            "n_classes": 2,
            "n_per_class": 12,
            "similarity": "unknown",
            "votes": (),
            "conflict": False,
            "probe": ProbeScore(mean=0.9, standard_error=0.01, setting="C=0.1"),
            "probe_c": 0.1,
            "knn": ProbeScore(mean=0.9, standard_error=0.01, setting="k=5"),
            "weights": {},
            "candidates": (),
            "choice": choice,
            "techniques": (),
            "runner_up": None,
            "overruled": False,
            "reasons": (),
            "would_change": (),
        }
    )


@pytest.fixture
def steps_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts steps of the optimizer; where its first entry reaches its second, it kills. Every step is a checkpoint."""
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path / "checkpoints")
    monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE_OF_TIME", 1e9)
    taken = [0, 10**9]

    def counted(*given: object) -> None:
        if taken[0] == taken[1]:
            raise KilledError
        taken[0] += 1
        take_step(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("graft.training.steps.take_step", counted)
    return taken
