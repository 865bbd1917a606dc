"""The stage: killed for good it goes on to the same bytes, with one process or two."""

from pathlib import Path

import numpy as np
import pytest
from dvc.utils.serialize import dumps_yaml
from tests.examples import backbone_card, write_stamp
from tests.stages.killing import command, finished, killed
from tests.transfer.conftest import (
    strategy,
    tiny_backbone,
    tiny_catalog,
    tiny_data,
    tiny_images,
    tiny_params,
    write_companions,
)

from graft.files import write_record
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.saving import save_network
from graft.store.catalogue import write_catalog
from graft.transfer.control import train_scratch
from graft.transfer.finetuning.finetune import finetune_target
from graft.transfer.finetuning.task import TransferTask

pytestmark = pytest.mark.exact

INPUTS = {
    "params": "params.yaml",
    "stamp": "validated.json",
    "strategy": "strategy.json",
    "backbone": "backbone.safetensors",
    "card": "card.json",
    "target-catalog": "target.csv",
    "target-images": "target.npy",
    "target-features": "features.npy",
    "labelled-catalog": "labelled.csv",
    "labelled-images": "labelled.npy",
    "companion-catalog": "companions.csv",
    "companion-images": "companions.npy",
    "unlabelled-images": "unlabelled.npy",
    "training": "training.json",
    "scratch": "scratch.json",
}
OUTPUTS = {"weights": "models/variants", "record": "models/records/variants.json"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stages before would leave, with a rate an arm."""
    folder = tmp_path_factory.mktemp("inputs")
    one: dict[str, object] = {"rates": [0.01]}
    params = tiny_params(training={"budget": 2, "epochs": 2}, finetune_target=one, train_scratch=one)
    backbone, data = tiny_backbone(), tiny_data()
    task = TransferTask(backbone, data, strategy("top_blocks"), params)
    write_record(finetune_target(task, folder / "transfer", folder / "half_transfer"), folder / "training.json")
    write_record(train_scratch(data, params, folder / "scratch", folder / "half_scratch"), folder / "scratch.json")
    thorough = tiny_params(training={"budget": "thorough", "epochs": 2}, finetune_target=one, train_scratch=one)
    (folder / "params.yaml").write_text(dumps_yaml(thorough.model_dump(mode="json")), encoding="utf-8")
    write_record(task.strategy, folder / "strategy.json")
    save_network(backbone.network, "small_cnn", folder / "backbone.safetensors")
    write_record(backbone_card(preprocessing=SMALL_CNN), folder / "card.json")
    write_catalog(tiny_catalog(), folder / "target.csv")
    write_companions(folder)
    write_stamp(folder)
    np.save(folder / "target.npy", tiny_images())
    np.save(folder / "features.npy", backbone.features)
    return folder


def of(inputs: Path, n_processes: int = 1) -> list[str]:
    paths = {**{name: inputs / file for name, file in INPUTS.items()}, **OUTPUTS}
    return command("train_variants", paths, n_processes)


def _made(folder: Path) -> dict[str, bytes]:
    files = [folder / OUTPUTS["record"], *(folder / OUTPUTS["weights"]).iterdir()]
    return {file.name: file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def whole(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A run that nobody disturbed, and its steps."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, finished(of(inputs), folder)


@pytest.mark.parametrize(("n_processes", "kills"), [(1, (0, 9)), (2, (3,))])
def test_a_killed_stage_ends_in_the_bytes_of_an_undisturbed_one(
    inputs: Path, whole: tuple[Path, int], tmp_path: Path, n_processes: int, kills: tuple[int, ...]
) -> None:
    for n_ended in kills:
        killed(of(inputs, n_processes), tmp_path, n_ended)
    assert 0 < finished(of(inputs, n_processes), tmp_path) < whole[1]
    made = _made(tmp_path)
    assert made == _made(whole[0])
    # small; three shares of two arms, shuffled weights and a reset block with two seeds; record and heads
    assert len(made) == 1 + (3 * 2 + 1 + 1) * 2 + 2


def test_a_finished_stage_leaves_no_checkpoint(whole: tuple[Path, int]) -> None:
    assert list((whole[0] / "models/checkpoints").rglob("*.pt")) == []
