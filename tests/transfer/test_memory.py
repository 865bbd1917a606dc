"""Every training asks for room before its first run."""

from pathlib import Path
from typing import NoReturn

import pytest

from graft.networks.preprocessing import SMALL_CNN
from graft.training import memory
from graft.transfer.arms.processes import Crew
from graft.transfer.arms.target_data import TargetData, target_data
from graft.transfer.companions import Companions
from graft.transfer.control import train_scratch
from graft.transfer.finetuning import finetune
from graft.transfer.finetuning.finetune import finetune_target
from graft.transfer.finetuning.task import Backbone, TransferTask
from graft.transfer.pretraining import make_backbone
from tests.examples import catalog_record
from tests.networks.runtimes import ON_CPU
from tests.transfer.conftest import strategy, tiny_catalog, tiny_images, tiny_params

IMAGES = 50_000
"""bytes: too few for the tiny images, 24 and 8 of 3,072 bytes"""
STEPS = 500_000
"""bytes: enough for the images, and not for a step of eight through small_cnn"""


def _leave(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda device: free)


@pytest.fixture
def no_room(data: TargetData, monkeypatch: pytest.MonkeyPatch) -> None:
    _leave(STEPS, monkeypatch)


@pytest.mark.parametrize("find_rate", [False, True])
def test_the_control_is_refused_before_its_first_run(
    data: TargetData, no_room: None, tmp_path: Path, find_rate: bool
) -> None:
    params = tiny_params(training={"find_rate": find_rate})
    with pytest.raises(ValueError, match=r"^params\.yaml, training\.batch_size: want \d MiB of memory for steps of 8"):
        train_scratch(data, params, tmp_path, tmp_path / "half")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("find_rate", [False, True])
def test_fine_tuning_is_refused_before_its_first_run(
    backbone: Backbone, data: TargetData, no_room: None, tmp_path: Path, find_rate: bool
) -> None:
    task = TransferTask(backbone, data, strategy("full"), tiny_params(training={"find_rate": find_rate}))
    with pytest.raises(ValueError, match=r"^params\.yaml, training\.batch_size: want \d MiB of memory for steps of 8"):
        finetune_target(task, tmp_path, tmp_path / "half")
    assert list(tmp_path.iterdir()) == []


def test_a_head_that_is_fitted_takes_no_steps(
    backbone: Backbone, data: TargetData, no_room: None, tmp_path: Path
) -> None:
    task = TransferTask(backbone, data, strategy("feature_extraction"), tiny_params())
    assert finetune_target(task, tmp_path, tmp_path / "half").in_closed_form


def test_pretraining_is_refused_before_its_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _leave(STEPS, monkeypatch)
    record = catalog_record("folders").model_copy(update={"preprocessing": SMALL_CNN})
    with pytest.raises(ValueError, match=r"^params\.yaml, pretrain_source\.batch_size: want \d MiB .* steps of 8 "):
        make_backbone(tiny_params(), tiny_catalog(), tiny_images(), record, tmp_path / "net.safetensors", ON_CPU)
    _leave(IMAGES, monkeypatch)
    with pytest.raises(ValueError, match=r"^params\.yaml, images\.size_px: want 0 MiB of memory for 24 images of 32"):
        make_backbone(tiny_params(), tiny_catalog(), tiny_images(), record, tmp_path / "net.safetensors", ON_CPU)


def test_images_of_the_target_are_refused_before_they_are_taken(
    backbone: Backbone, data: TargetData, monkeypatch: pytest.MonkeyPatch
) -> None:
    _leave(IMAGES, monkeypatch)
    with pytest.raises(ValueError, match=r"^params\.yaml, images\.size_px: want 0 MiB of memory for 32 images of 32"):
        target_data(tiny_catalog(), tiny_images(), SMALL_CNN, data.recipe, ON_CPU)


def test_each_process_needs_room_for_the_companions(
    data: TargetData, backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every worker reads all images of the source and all unlabelled ones anew."""
    needed = list[int]()

    def watch(runs: object, half_done: Path, train: object, crew: Crew, *others: object) -> NoReturn:
        needed.append(crew.n_bytes)
        raise InterruptedError

    monkeypatch.setattr(finetune, "train_all", watch)
    task = TransferTask(backbone, data, strategy("full"), tiny_params())
    more = task._replace(companions=Companions(source=data.train, unlabelled=data.val.images))
    for each in (task, more):
        with pytest.raises(InterruptedError):
            finetune.finetune_target(each, tmp_path, tmp_path)
    assert needed[1] - needed[0] == data.train.images.nbytes + data.val.images.nbytes
