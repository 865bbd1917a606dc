import json
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple, get_args

import pytest
from pydantic import ValidationError

from graft.files import UNSEEN, read_record, to_json, write_record, write_whole
from graft.params.both_arms import Strategy
from graft.records.catalog import Quarantined
from graft.records.common import Record, StrategyName
from graft.records.training import Epoch


class _Outer(Record):
    points: tuple[Epoch, ...]


RECORD = Epoch(epoch=1, steps=8, train_loss=0.123456789, val_loss=1e-9, val_accuracy=2 / 3)


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_record(RECORD, tmp_path / "deep" / "record.json")
    assert read_record(Epoch, tmp_path / "deep" / "record.json").epoch == 1


class _Point(NamedTuple):
    """A result as statistics returns it, with one attribute that the record does not have."""

    epoch: int
    steps: int
    train_loss: float
    val_loss: float
    val_accuracy: float
    spread: float


def test_a_result_fills_a_record_by_the_names_of_its_attributes() -> None:
    assert Epoch.model_validate(_Point(1, 8, 0.123456789, 1e-9, 2 / 3, 0.1)) == RECORD


def test_a_result_fills_the_records_inside_a_record() -> None:
    assert _Outer.model_validate(SimpleNamespace(points=(_Point(1, 8, 0.123456789, 1e-9, 2 / 3, 0.1),))).points == (
        RECORD,
    )


def test_floats_keep_six_significant_digits() -> None:
    assert json.loads(to_json(RECORD)) == {
        "epoch": 1,
        "steps": 8,
        "train_loss": 0.123457,
        "val_loss": 1e-9,
        "val_accuracy": 0.666667,
        "unlabelled_score": None,
    }


def test_records_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RECORD.epoch = 2  # type: ignore[misc]


def test_unknown_key_is_an_error(tmp_path: Path) -> None:
    scores = '"train_loss": 1, "val_loss": 1, "val_accuracy": 1'
    (tmp_path / "r.json").write_text(f'{{"epoch": 1, "steps": 1, {scores}, "new": 1}}')
    with pytest.raises(ValueError, match=r"want a Epoch, got new: .*Run `dvc repro`"):
        read_record(Epoch, tmp_path / "r.json")


def test_an_absent_record_is_an_error_that_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"want a Epoch, got no file\. Run `dvc repro`"):
        read_record(Epoch, tmp_path / "r.json")


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def fail(self: Path, target: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_written_file_has_ordinary_permissions(tmp_path: Path) -> None:
    write_whole(tmp_path / "ours", b"")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_invisible_characters_of_names_are_escaped_and_come_back(tmp_path: Path) -> None:
    record = Quarantined(path="a\x9b\u202e\x7f\n\U000e0041.png", reason="кошка 👩\u200d🔬")
    write_record(record, tmp_path / "r.json")
    text = (tmp_path / "r.json").read_text(encoding="utf-8")
    assert not UNSEEN.search(text.replace("\n", ""))
    assert "кошка 👩\u200d🔬" in text
    assert read_record(Quarantined, tmp_path / "r.json") == record


def test_the_names_of_strategies_are_those_of_params_and_the_control() -> None:
    assert set(get_args(StrategyName)) == {*get_args(Strategy), "scratch"}
