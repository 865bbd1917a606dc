"""Curves as CSV."""

import csv
from pathlib import Path

import pytest

from graft.records.training import Epoch, PhaseRecord, RunRecord
from graft.transfer.arms import results
from graft.transfer.arms.results import seconds_a_step, write_curves


def _run(seed: int, lengths: dict[str, int]) -> RunRecord:
    n = sum(lengths.values())
    return RunRecord(
        seed=seed,
        rate=0.1,
        best_epoch=n,
        val_accuracy=0.9,
        val_loss=0.1,
        n_images_seen=32 * n,
        weights_sha256="0",
        curve=tuple(
            Epoch(epoch=k + 1, steps=4 * k + 4, train_loss=1 / (k + 1), val_loss=0.5, val_accuracy=0.75)
            for k in range(n)
        ),
        phases=tuple(
            PhaseRecord(name=name, trained=(), epochs=k, val_accuracy=0.9, rolled_back=False, frozen_sha256=None)
            for name, k in lengths.items()
        ),
    )


def _lines(runs: list[RunRecord], tmp_path: Path) -> list[dict[str, str]]:
    write_curves(runs, tmp_path / "curves.csv")
    with (tmp_path / "curves.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_epoch_of_every_seed_has_a_line_with_its_phase(tmp_path: Path) -> None:
    lines = _lines([_run(0, {"top 1 of 2": 1, "top 2 of 2": 2}), _run(1, {"full": 1})], tmp_path)
    assert [(line["seed"], line["epoch"], line["phase"]) for line in lines] == [
        ("0", "1", "top 1 of 2"),
        ("0", "2", "top 2 of 2"),
        ("0", "3", "top 2 of 2"),
        ("1", "1", "full"),
    ]
    assert [line["train_loss"] for line in lines[:3]] == ["1", "0.5", "0.333333"]
    assert lines[0]["val_accuracy"] == "0.75"


def test_where_nothing_was_trained_by_steps_the_head_stands_alone(tmp_path: Path) -> None:
    assert _lines([_run(0, {})], tmp_path) == []


def test_seconds_a_step_are_those_of_the_images_that_one_step_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """8 images a step: half of the images were timed, at 0.5 s an image."""
    monkeypatch.setattr(results, "read_timing", lambda folder, run: (8.0, 16))
    assert seconds_a_step([_run(0, {"full": 1}), _run(1, {"full": 1})], tmp_path) == {"seconds_a_step": 4.0}


def test_a_head_that_was_fitted_took_no_step(tmp_path: Path) -> None:
    assert seconds_a_step([_run(0, {})], tmp_path) == {}
