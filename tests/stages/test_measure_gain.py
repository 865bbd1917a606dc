"""The stage: it reads what check_transfer wrote, and the source, and predicts nothing of the target again."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.examples import backbone_card, catalog_record, catalog_row, training_record, verdict_record, write_stamp
from tests.house import ROOT
from tests.transfer.conftest import tiny_catalog, tiny_images

from graft.files import read_record, write_record
from graft.networks.networks import build_network, with_new_head
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.saving import save_network
from graft.records.gain import GainRecord
from graft.records.variants import VariantsRecord
from graft.store.catalogue import write_catalog
from graft.store.predictions import write_logits

MAIN = runpy.run_path(str(ROOT / "stages" / "measure_gain.py"))["main"]
FILES = {
    "stamp": "validated.json",
    "training": "training.json",
    "scratch": "scratch.json",
    "variants": "variants.json",
    "verdict": "verdict.json",
    "catalog": "catalog.json",
    "target-catalog": "target.csv",
    "logits": "logits.npz",
    "backbone": "backbone.safetensors",
    "card": "card.json",
    "weights": "finetuned",
    "source-catalog": "source.csv",
    "source-images": "source.npy",
    "record": "gain.json",
}
N_SOURCE = 9


def arguments(folder: Path, **others: Path) -> list[str]:
    paths = {name: folder / file for name, file in FILES.items()} | {k.replace("_", "-"): v for k, v in others.items()}
    return [part for name, path in paths.items() for part in (f"--{name}", str(path))]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of each arm on eight test images; a source of nine test images in three classes."""
    folder = tmp_path_factory.mktemp("gain")
    source = [
        catalog_row(f"{i}.png", label="xyz"[i % 3], split="test", sha256=f"{i + 99:064x}", row=i)
        for i in range(N_SOURCE)
    ]
    write_catalog(source, folder / "source.csv")
    np.save(folder / "source.npy", tiny_images()[:N_SOURCE])
    write_catalog(tiny_catalog(), folder / "target.csv")
    write_stamp(folder)
    write_record(catalog_record("folders"), folder / "catalog.json")
    write_record(backbone_card(preprocessing=SMALL_CNN, origin="pretrain"), folder / "card.json")
    write_record(verdict_record("POSITIVE"), folder / "verdict.json")
    write_record(VariantsRecord(variants=(), left_out=("Nothing with fewer labels.",)), folder / "variants.json")
    run = training_record().runs[0]
    for arm, name in (("transfer", "training"), ("scratch", "scratch")):
        runs = tuple(run.model_copy(update={"seed": seed}) for seed in (0, 1))
        write_record(training_record().model_copy(update={"arm": arm, "runs": runs}), folder / f"{name}.json")
    test = [row for row in tiny_catalog() if row.split == "test"]
    labels = np.array(["ab".index(row.label) for row in test])
    logits = {
        f"{arm}_{seed}": np.eye(2, dtype=np.float32)[labels] for arm in ("transfer", "scratch") for seed in (0, 1)
    }
    write_logits(logits, np.array([row.sha256 for row in test]), labels, folder / "logits.npz")
    torch.manual_seed(0)
    network = build_network("small_cnn", 3, SMALL_CNN)
    save_network(network, "small_cnn", folder / "backbone.safetensors")
    with torch.no_grad():
        next(network.blocks["block4"].parameters()).mul_(-1)
    for seed in (0, 1):
        save_network(with_new_head(network, 2), "small_cnn", folder / f"finetuned/seed_{seed}.safetensors")
    return folder


@pytest.fixture(scope="module")
def gain(inputs: Path) -> GainRecord:
    MAIN(arguments(inputs))
    return read_record(GainRecord, inputs / "gain.json")


def test_classes_are_those_of_the_target(gain: GainRecord) -> None:
    assert [(each.name, each.n_images, each.transfer) for each in gain.classes.scores] == [("a", 4, 1.0), ("b", 4, 1.0)]


def test_forgetting_is_measured_on_the_held_out_source(gain: GainRecord) -> None:
    forgetting = gain.forgetting
    assert (forgetting.state, forgetting.split, forgetting.n_images) == ("measured", "test", N_SOURCE)
    assert [each.seed for each in forgetting.seeds] == [0, 1]


def test_what_was_left_out_is_said(gain: GainRecord) -> None:
    assert gain.labels.sentence == "Nothing with fewer labels."


def test_the_record_names_what_it_was_made_from(gain: GainRecord) -> None:
    assert sorted(gain.made_from) == ["scratch", "training", "variants", "verdict"]


def test_the_same_files_give_the_same_bytes(inputs: Path, tmp_path: Path, gain: GainRecord) -> None:
    MAIN(arguments(inputs, record=tmp_path / "again.json"))
    assert (tmp_path / "again.json").read_bytes() == (inputs / "gain.json").read_bytes()


def test_published_weights_ask_nothing_of_the_source(inputs: Path, tmp_path: Path) -> None:
    write_record(backbone_card(preprocessing=SMALL_CNN, origin="torchvision X"), tmp_path / "card.json")
    MAIN(arguments(inputs, card=tmp_path / "card.json", source_images=tmp_path / "none", record=tmp_path / "gain.json"))
    assert read_record(GainRecord, tmp_path / "gain.json").forgetting.state == "unknown"


def test_logits_of_other_images_are_refused(inputs: Path, tmp_path: Path) -> None:
    zeros = {f"{arm}_{seed}": np.zeros((8, 2), np.float32) for arm in ("transfer", "scratch") for seed in (0, 1)}
    other = np.array([f"{place:064x}" for place in range(8)])
    write_logits(zeros, other, np.zeros(8, dtype=np.int64), tmp_path / "logits.npz")
    with pytest.raises(ValueError, match="want logits of the test split, got those of other images"):
        MAIN(arguments(inputs, logits=tmp_path / "logits.npz"))
