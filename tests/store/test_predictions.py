from pathlib import Path

import numpy as np
import pytest

from graft.store.catalogue import Labelled
from graft.store.predictions import read_predictions, write_predictions

TEST = Labelled(
    rows=np.arange(3),
    labels=np.array([0, 1, 2]),
    groups=np.array(["c", "a", "b"]),
    sha256=np.array(["c" * 64, "a" * 64, "b" * 64]),
)


PREDICTED = {"transfer_0": np.array([0, 1, 1]), "scratch_0": np.array([2, 2, 2])}


def test_rows_are_sorted_by_image_and_columns_named_by_arm_and_seed(tmp_path: Path) -> None:
    write_predictions(PREDICTED, TEST, tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_text().splitlines() == [
        "image,label,transfer_0,scratch_0",
        "aaaaaaaaaaaa,1,1,2",
        "bbbbbbbbbbbb,2,1,2",
        "cccccccccccc,0,0,2",
    ]


def test_the_report_reads_what_the_check_writes(tmp_path: Path) -> None:
    write_predictions(PREDICTED, TEST, tmp_path / "p.csv")
    predictions = read_predictions(tmp_path / "p.csv", 3)
    assert predictions.of("transfer", 0).tolist() == [1, 1, 0]
    assert predictions.of("scratch", 0).tolist() == [2, 2, 2]


def test_ten_thousand_images_and_ten_columns_stay_under_a_mebibyte(tmp_path: Path) -> None:
    n = 10_000
    predicted = {f"{arm}_{seed}": np.full(n, 999) for arm in ("transfer", "scratch") for seed in range(5)}
    names = np.array([f"{index:064d}" for index in range(n)])
    write_predictions(predicted, Labelled(np.arange(n), np.full(n, 999), names, names), tmp_path / "p.csv")
    assert (tmp_path / "p.csv").stat().st_size < 2**20


def test_a_file_is_read_as_arms_and_seeds(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text("image,label,transfer_3,scratch_3,transfer_7,scratch_7\nab,1,0,1,2,1\ncd,2,2,2,2,0\n")
    read = read_predictions(path, 3)
    assert read.images == ("ab", "cd")
    assert read.labels.tolist() == [1, 2]
    assert read.seeds == {"transfer": (3, 7), "scratch": (3, 7)}
    assert read.of("transfer", 7).tolist() == [2, 2]
    assert read.of("scratch", 7).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "want columns image, label"),
        ("image,label,transfer_0,scratch_0\n", "0 of 0 rows"),
        ("image,truth,transfer_0,scratch_0\nab,0,0,0\n", "got image, truth"),
        ("image,label,transfer_0,scratch_0\nab,0,0\n", "0 of 1 rows"),
        ("image,label,transfer_0\nab,0,0\n", "want columns scratch_0"),
        ("image,label,transfer_0,scratch_0\nab,0,3,0\n", "transfer_0: want class numbers 0 to 2, got '3'"),
        ("image,label,transfer_0,scratch_0\nab,-1,0,0\n", "label: want class numbers 0 to 2, got '-1'"),
    ],
)
def test_a_broken_file_gets_its_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        read_predictions(path, 3)


def test_an_absent_file_names_the_stage_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="dvc repro check_transfer"):
        read_predictions(tmp_path / "none.csv", 3)
