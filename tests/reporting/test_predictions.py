from pathlib import Path

import pytest

from graft.reporting.predictions import read_predictions


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
