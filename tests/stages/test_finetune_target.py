"""The stage: killed for good it goes on to the same bytes, never two at once; what it leaves when it is done."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from dvc.utils.serialize import dumps_yaml
from tests.examples import backbone_card, write_stamp
from tests.stages.killing import command, finished, gone, halted, interrupted, killed
from tests.transfer.conftest import strategy, tiny_catalog, tiny_images, tiny_params, write_companions

from graft.files import write_record
from graft.networks.networks import build_network
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.saving import save_network
from graft.store.catalogue import write_catalog

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
}
OUTPUTS = {
    "weights": "models/finetuned",
    "record": "models/records/training.json",
    "curves": "models/records/curves.csv",
    "sheet": "models/augmented.npy",
}
MADE = (
    "models/finetuned/seed_0.safetensors",
    "models/finetuned/seed_1.safetensors",
    *(file for name, file in OUTPUTS.items() if name != "weights"),
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stages before would leave."""
    folder = tmp_path_factory.mktemp("inputs")
    torch.manual_seed(0)
    network = build_network("small_cnn", 2, SMALL_CNN).eval()
    params = tiny_params(training={"epochs": 6}, finetune_target={"unfreeze": "schedule"})
    (folder / "params.yaml").write_text(dumps_yaml(params.model_dump(mode="json")), encoding="utf-8")
    write_record(strategy("gradual"), folder / "strategy.json")
    save_network(network, "small_cnn", folder / "backbone.safetensors")
    write_record(backbone_card(preprocessing=SMALL_CNN), folder / "card.json")
    write_catalog(tiny_catalog(), folder / "target.csv")
    write_companions(folder)
    write_stamp(folder)
    np.save(folder / "target.npy", tiny_images())
    np.save(folder / "features.npy", outputs_of(network, tiny_images()).features)
    return folder


def of(inputs: Path, n_processes: int = 1) -> list[str]:
    paths = {**{name: inputs / file for name, file in INPUTS.items()}, **OUTPUTS}
    return command("finetune_target", paths, n_processes)


@pytest.fixture(scope="module")
def whole(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A run that nobody disturbed, and its steps."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, finished(of(inputs), folder)


def test_a_killed_stage_ends_in_the_bytes_of_an_undisturbed_one(
    inputs: Path, whole: tuple[Path, int], tmp_path: Path
) -> None:
    for n_ended in (0, 1):
        killed(of(inputs), tmp_path, n_ended)
    assert finished(of(inputs), tmp_path) < whole[1]
    assert {name: (tmp_path / name).read_bytes() for name in MADE} == {
        name: (whole[0] / name).read_bytes() for name in MADE
    }


@pytest.fixture(scope="module")
def tormented(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, tuple[int, str]]:
    """Two processes that got Ctrl-C, were killed and then went on: their files, the last steps, what Ctrl-C gave."""
    folder = tmp_path_factory.mktemp("tormented")
    told = interrupted(of(inputs, 2), folder)
    killed(of(inputs, 2), folder, 1)
    return folder, finished(of(inputs, 2), folder), told


def test_two_processes_killed_again_and_again_end_in_the_bytes_of_one(
    whole: tuple[Path, int], tormented: tuple[Path, int, tuple[int, str]]
) -> None:
    assert 0 < tormented[1] < whole[1]
    assert {name: (tormented[0] / name).read_bytes() for name in MADE} == {
        name: (whole[0] / name).read_bytes() for name in MADE
    }


def test_ctrl_c_ends_two_processes_with_one_sentence(tormented: tuple[Path, int, tuple[int, str]]) -> None:
    code, said = tormented[2]
    assert code == 130
    assert "finetune_target: want to run to the end, got stopped by Ctrl-C." in said
    assert "Traceback" not in said


def test_a_second_trainer_is_turned_away(inputs: Path, tmp_path: Path) -> None:
    process = halted(of(inputs), tmp_path)
    try:
        second = subprocess.run(of(inputs), cwd=tmp_path, capture_output=True, text=True)
    finally:
        process.kill()
        gone(process)
    assert second.returncode == 1
    assert "finetune_target: want to train alone, got another process" in second.stderr


def test_a_finished_stage_leaves_no_checkpoint_and_trains_every_step_again(
    inputs: Path, whole: tuple[Path, int]
) -> None:
    folder, n_steps = whole
    assert list((folder / "models/checkpoints").rglob("*.pt")) == []
    assert finished(of(inputs), folder) == n_steps > 0


def test_sheet_and_curves_stand_beside_the_record(whole: tuple[Path, int]) -> None:
    assert np.load(whole[0] / OUTPUTS["sheet"]).shape == (6, 6, 32, 32, 3)
    lines = (whole[0] / OUTPUTS["curves"]).read_text().splitlines()
    assert lines[0] == "seed,epoch,steps,phase,train_loss,val_loss,val_accuracy"
    assert len(lines) == 1 + 2 * 6
