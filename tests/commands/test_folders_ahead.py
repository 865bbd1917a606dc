from pathlib import Path
from typing import Any

import pytest
from tests.start.folders import classes, picture
from tests.transfer.conftest import tiny_params

from graft.commands.folders_ahead import check_folders

CORAL = {"kind": "coral", "strength": 1.0}
IM = "information_maximisation"


def _check(raw: Path, dataset: str = "folders", **arm: Any) -> None:
    params = tiny_params(prepare_data={"dataset": dataset}, training={"batch_size": 4}, finetune_target=arm)
    check_folders(params, raw)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A source of 20 images, and 7 images of the target without labels."""
    classes(tmp_path / "source", 10)
    for number in range(7):
        picture(tmp_path / f"target_unlabeled/{number}.png")
    return tmp_path


def test_without_labels_a_missing_choice_is_said_before_any_training(raw: Path) -> None:
    with pytest.raises(ValueError, match=r"choose_by: want .* where the target has no labels, got null"):
        _check(raw)
    _check(raw, choose_by=IM)
    classes(raw / "target/test", 5)
    with pytest.raises(ValueError, match="where the target has no labels"):
        _check(raw)


def test_a_choice_without_labels_is_refused_where_there_are_labels(raw: Path) -> None:
    classes(raw / "target", 5)
    with pytest.raises(ValueError, match="want null where the target has labels"):
        _check(raw, choose_by=IM)
    with pytest.raises(ValueError, match="want null where the target has labels"):
        _check(raw / "none", "example", choose_by=IM)
    _check(raw)
    _check(raw, "example")


def test_too_few_images_to_adapt_with_are_said_before_any_training(raw: Path) -> None:
    with pytest.raises(ValueError, match="want at least 8 images to train on in data/raw/target_unlabeled for coral"):
        _check(raw, choose_by=IM, adapting=CORAL)
    picture(raw / "target_unlabeled/7.png")
    _check(raw, choose_by=IM, adapting=CORAL)


def test_labels_of_the_target_need_no_unlabelled_images_but_a_source_to_adapt_from(raw: Path) -> None:
    classes(raw / "target", 5)
    _check(raw, adapting=CORAL)
    (raw / "source").rename(raw / "elsewhere")
    with pytest.raises(ValueError, match=r"want at least 8 images to train on in data/raw/source for coral.* got 0"):
        _check(raw, adapting=CORAL)


def test_images_that_dvc_stands_for_and_folders_that_are_wrong_are_left_to_the_stage(raw: Path) -> None:
    (raw / "target.dvc").write_text("outs: []")
    _check(raw)
    (raw / "target.dvc").unlink()
    picture(raw / "source/loose.png")
    _check(raw)
