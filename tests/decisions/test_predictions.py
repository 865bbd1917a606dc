from pathlib import Path

import numpy as np
from tests.examples import training_record

from graft.decisions.predictions import write_predictions
from graft.decisions.verdict import JudgedArm
from graft.reporting.predictions import read_predictions
from graft.store import Labelled

TEST = Labelled(
    rows=np.arange(3),
    labels=np.array([0, 1, 2]),
    groups=np.array(["c", "a", "b"]),
    sha256=np.array(["c" * 64, "a" * 64, "b" * 64]),
)


def _arms() -> tuple[JudgedArm, JudgedArm]:
    transfer = training_record()
    scratch = transfer.model_copy(update={"arm": "scratch"})
    return JudgedArm(transfer, np.array([[0, 1, 1]])), JudgedArm(scratch, np.array([[2, 2, 2]]))


def test_rows_are_sorted_by_image_and_columns_named_by_arm_and_seed(tmp_path: Path) -> None:
    write_predictions(_arms(), TEST, tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_text().splitlines() == [
        "image,label,transfer_0,scratch_0",
        "aaaaaaaaaaaa,1,1,2",
        "bbbbbbbbbbbb,2,1,2",
        "cccccccccccc,0,0,2",
    ]


def test_the_report_reads_what_the_check_writes(tmp_path: Path) -> None:
    write_predictions(_arms(), TEST, tmp_path / "p.csv")
    predictions = read_predictions(tmp_path / "p.csv", 3)
    assert predictions.of("transfer", 0).tolist() == [1, 1, 0]
    assert predictions.of("scratch", 0).tolist() == [2, 2, 2]


def test_ten_thousand_images_and_ten_columns_stay_under_a_mebibyte(tmp_path: Path) -> None:
    n, k = 10_000, 5
    run = training_record().runs[0]
    runs = tuple(run.model_copy(update={"seed": seed}) for seed in range(k))
    transfer = training_record().model_copy(update={"runs": runs})
    scratch = transfer.model_copy(update={"arm": "scratch"})
    predicted = np.full((k, n), 999)  # a thousand classes
    names = np.array([f"{index:064d}" for index in range(n)])
    test = Labelled(np.arange(n), np.full(n, 999), names, names)
    write_predictions((JudgedArm(transfer, predicted), JudgedArm(scratch, predicted)), test, tmp_path / "p.csv")
    assert (tmp_path / "p.csv").stat().st_size < 2**20
