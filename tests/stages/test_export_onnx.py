"""The stage: it exports the arm and the seed that the verdict names, and no other."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.examples import backbone_card, catalog_record, training_record, verdict_record, write_stamp
from tests.house import ROOT
from tests.transfer.conftest import tiny_catalog, tiny_images

from graft.files import read_record, write_record
from graft.networks.networks import build_network
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.saving import save_network
from graft.records.cards import ModelCard
from graft.records.common import Arm
from graft.store.catalogue import write_catalog

MAIN = runpy.run_path(str(ROOT / "stages" / "export_onnx.py"))["main"]
FILES = {
    "stamp": "validated.json",
    "verdict": "verdict.json",
    "training": "training.json",
    "scratch": "scratch.json",
    "transfer-weights": "finetuned",
    "scratch-weights": "control",
    "catalog": "catalog.json",
    "card": "card.json",
    "target-catalog": "target.csv",
    "target-images": "target.npy",
    "unlabeled-images": "unlabeled.npy",
    "final": "final",
    "record": "export.json",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two arms of two seeds. Only the weights of seed 1 are there, so that no other can be exported."""
    folder = tmp_path_factory.mktemp("export")
    write_catalog(tiny_catalog(), folder / "target.csv")
    np.save(folder / "target.npy", tiny_images())
    np.save(folder / "unlabeled.npy", tiny_images()[:0])
    write_stamp(folder)
    write_record(catalog_record("folders").model_copy(update={"preprocessing": SMALL_CNN}), folder / "catalog.json")
    write_record(backbone_card(), folder / "card.json")
    run = training_record().runs[0]
    for arm in ("transfer", "scratch"):
        runs = tuple(run.model_copy(update={"seed": seed, "weights_sha256": f"{arm} {seed}"}) for seed in (0, 1))
        record = training_record().model_copy(update={"arm": arm, "runs": runs})
        write_record(record, folder / FILES["training" if arm == "transfer" else "scratch"])
        torch.manual_seed(arm == "scratch")
        network = build_network("small_cnn", 2, SMALL_CNN)
        save_network(network, "small_cnn", folder / FILES[f"{arm}-weights"] / "seed_1.safetensors")
    return folder


@pytest.mark.parametrize("arm", ["transfer", "scratch"])
def test_the_arm_and_the_seed_of_the_verdict_ship(trained: Path, arm: Arm) -> None:
    write_record(verdict_record("EQUIVALENT", ships=arm, ships_seed=1), trained / "verdict.json")
    MAIN([part for name, file in FILES.items() for part in (f"--{name}", str(trained / file))])
    card = read_record(ModelCard, trained / "final" / "card.json")
    assert (card.arm, card.seed, card.weights_sha256, card.verdict) == (arm, 1, f"{arm} 1", "EQUIVALENT")
    assert (card.origin == "random start") is (arm == "scratch")
