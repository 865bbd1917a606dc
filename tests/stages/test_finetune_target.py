"""The stage: killed for good it goes on to the same bytes, never two at once; what it leaves when it is done."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tests.examples import backbone_card
from tests.transfer.conftest import strategy, tiny_catalog, tiny_images, tiny_params

from graft.files import write_record
from graft.learning.networks import build_network
from graft.learning.preprocessing import SMALL_CNN
from graft.learning.saving import save_network
from graft.learning.scores import outputs_of
from graft.store import write_catalog

STAGE = Path(__file__).parents[2] / "stages" / "finetune_target.py"
INPUTS = {
    "params": "params.yaml",
    "strategy": "strategy.json",
    "backbone": "backbone.safetensors",
    "card": "card.json",
    "target-catalog": "target.csv",
    "target-images": "target.npy",
    "target-features": "features.npy",
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
RUNNER = """
import runpy, sys
from graft.learning import checkpoints, steps

checkpoints.SECONDS_BETWEEN, checkpoints.SHARE_OF_TIME = 0.0, 1e9
taken, take_step = [0], steps.take_step


def counted(*given):
    taken[0] += 1
    take_step(*given)


steps.take_step = counted
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
print(taken[0])
"""
"""the stage script as it is, but for a checkpoint after every step; at its end it says how many steps it took"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stages before would leave."""
    folder = tmp_path_factory.mktemp("inputs")
    torch.manual_seed(0)
    network = build_network("small_cnn", 2).eval()
    params = tiny_params(training={"epochs": 6}, finetune_target={"unfreeze": "schedule"})
    (folder / "params.yaml").write_text(yaml.safe_dump(params.model_dump(mode="json")), encoding="utf-8")
    write_record(strategy("gradual"), folder / "strategy.json")
    save_network(network, "small_cnn", folder / "backbone.safetensors")
    write_record(backbone_card(preprocessing=SMALL_CNN), folder / "card.json")
    write_catalog(tiny_catalog(), folder / "target.csv")
    np.save(folder / "target.npy", tiny_images())
    np.save(folder / "features.npy", outputs_of(network, tiny_images(), SMALL_CNN).features)
    return folder


def command(inputs: Path) -> list[str]:
    paths = {name: str(inputs / file) for name, file in INPUTS.items()} | OUTPUTS
    options = [part for name, path in paths.items() for part in (f"--{name}", path)]
    return [sys.executable, "-c", RUNNER, str(STAGE), *options]


def finished(inputs: Path, folder: Path) -> int:
    """Run the stage to its end; the steps that it took."""
    done = subprocess.run(command(inputs), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def halted(inputs: Path, folder: Path, n_ended: int) -> "subprocess.Popen[bytes]":
    """A stage that was stopped in the midst of a run, after so many runs have ended, and still holds its lock."""
    process = subprocess.Popen(command(inputs), cwd=folder, stderr=subprocess.DEVNULL)
    while True:
        states = [each.stem for each in (folder / "models/checkpoints").glob("finetune_target/*/*.pt")]
        ended = [each for each in states if each.endswith("-ended")]
        if len(ended) >= n_ended and len(states) > len(ended):
            process.send_signal(signal.SIGSTOP)
            return process
        assert process.poll() is None
        time.sleep(0.005)


@pytest.fixture(scope="module")
def whole(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A run that nobody disturbed, and its steps."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, finished(inputs, folder)


def test_a_killed_stage_ends_in_the_bytes_of_an_undisturbed_one(
    inputs: Path, whole: tuple[Path, int], tmp_path: Path
) -> None:
    for n_ended in (0, 1):
        process = halted(inputs, tmp_path, n_ended)
        process.kill()
        process.wait()
    assert finished(inputs, tmp_path) < whole[1]
    assert {name: (tmp_path / name).read_bytes() for name in MADE} == {
        name: (whole[0] / name).read_bytes() for name in MADE
    }


def test_a_second_trainer_is_turned_away(inputs: Path, tmp_path: Path) -> None:
    process = halted(inputs, tmp_path, 0)
    try:
        second = subprocess.run(command(inputs), cwd=tmp_path, capture_output=True, text=True)
    finally:
        process.kill()
        process.wait()
    assert second.returncode == 1
    assert "finetune_target: want to train alone, got another process" in second.stderr


def test_a_finished_stage_leaves_no_checkpoint_and_trains_every_step_again(
    inputs: Path, whole: tuple[Path, int]
) -> None:
    folder, n_steps = whole
    assert list((folder / "models/checkpoints").rglob("*.pt")) == []
    assert finished(inputs, folder) == n_steps > 0


def test_sheet_and_curves_stand_beside_the_record(whole: tuple[Path, int]) -> None:
    assert np.load(whole[0] / OUTPUTS["sheet"]).shape == (6, 6, 32, 32, 3)
    lines = (whole[0] / OUTPUTS["curves"]).read_text().splitlines()
    assert lines[0] == "seed,epoch,phase,train_loss,val_loss,val_accuracy"
    assert len(lines) == 1 + 2 * 6
