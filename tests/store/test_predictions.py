from pathlib import Path

import numpy as np
import pytest

from graft.files import write_arrays
from graft.store.predictions import head_logits, read_logits, read_predictions, write_logits, write_predictions

SHA256 = np.array(["c" * 64, "a" * 64, "b" * 64])
LABELS = np.array([0, 1, 2])
PREDICTED = {"transfer_0": np.array([0, 1, 1]), "scratch_0": np.array([2, 2, 2])}
LOGITS = {
    name: np.arange(9, dtype=np.float32).reshape(3, 3) * factor
    for name, factor in (("transfer_0", 1), ("scratch_7", 2))
}


def test_rows_are_sorted_by_image_and_columns_named_by_arm_and_seed(tmp_path: Path) -> None:
    write_predictions(PREDICTED, SHA256, LABELS, tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_bytes() == (
        b"image,label,transfer_0,scratch_0\naaaaaaaaaaaa,1,1,2\nbbbbbbbbbbbb,2,1,2\ncccccccccccc,0,0,2\n"
    )


def test_the_report_reads_what_the_check_writes(tmp_path: Path) -> None:
    write_predictions(PREDICTED, SHA256, LABELS, tmp_path / "p.csv")
    predictions = read_predictions(tmp_path / "p.csv", 3)
    assert predictions.of("transfer", 0).tolist() == [1, 1, 0]
    assert predictions.of("scratch", 0).tolist() == [2, 2, 2]


def test_ten_thousand_images_and_ten_columns_stay_under_a_mebibyte(tmp_path: Path) -> None:
    n = 10_000
    predicted = {f"{arm}_{seed}": np.full(n, 999) for arm in ("transfer", "scratch") for seed in range(5)}
    names = np.array([f"{index:064d}" for index in range(n)])
    write_predictions(predicted, names, np.full(n, 999), tmp_path / "p.csv")
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
        ("", "want the columns image, label, got none"),
        ("image,label,transfer_0,scratch_0\n", "want a row for each test image, got none"),
        ("image,truth,transfer_0,scratch_0\nab,0,0,0\n", "want the columns image, label, got image, truth"),
        ("image,label,transfer_0,scratch_0\nab,0,0\n", "line 2: want 4 cells, got 3"),
        ("image,label,transfer_0\nab,0,0\n", "want columns scratch_0"),
        ("image,label,transfer_0,scratch_0\nab,0,3,0\n", "transfer_0: want class numbers 0 to 2, got '3'"),
        ("image,label,transfer_0,scratch_0\nab,-1,0,0\n", "label: want class numbers 0 to 2, got '-1'"),
    ],
)
def test_a_broken_file_is_an_error_that_says_what_is_wrong(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        read_predictions(path, 3)


def test_an_absent_file_names_the_stage_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="dvc repro check_transfer"):
        read_predictions(tmp_path / "none.csv", 3)


def test_logits_come_back_by_run_sorted_by_the_hash_of_their_image(tmp_path: Path) -> None:
    write_logits(LOGITS, SHA256, LABELS, tmp_path / "deep" / "logits.npz")
    read = read_logits(tmp_path / "deep" / "logits.npz")
    assert read.sha256.tolist() == ["a" * 64, "b" * 64, "c" * 64]
    assert read.labels.tolist() == [1, 2, 0]
    assert [*read.by_run] == ["transfer_0", "scratch_7"]
    assert read.by_run["scratch_7"].dtype == np.float32
    assert read.by_run["scratch_7"].tolist() == [[6, 8, 10], [12, 14, 16], [0, 2, 4]]


def test_the_same_logits_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        write_logits(LOGITS, SHA256, LABELS, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_absent_logits_name_the_stage_that_writes_them(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"want logits of the test split, got no file\. .*dvc repro check_transfer"
    ):
        read_logits(tmp_path / "none.npz")


def test_an_archive_without_the_index_is_an_error(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", transfer_0=np.zeros((2, 2)))
    with pytest.raises(
        ValueError, match=r"want the arrays sha256, labels, \.\.\., got transfer_0\. Run `dvc repro check"
    ):
        read_logits(tmp_path / "other.npz")


def test_logits_of_heads_are_weights_times_features_plus_bias(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features, heads = rng.normal(size=(5, 3)).astype(np.float32), rng.normal(size=(2, 4, 4)).astype(np.float32)
    write_arrays({"head10_0": heads[0], "head100_0": heads[1]}, tmp_path / "heads.npz")
    found = head_logits(tmp_path / "heads.npz", features)
    assert list(found) == ["head10_0", "head100_0"]
    for (weight, bias), logits in zip(((head[:, :3], head[:, 3]) for head in heads), found.values(), strict=True):
        assert np.allclose(logits, [weight @ row + bias for row in features], atol=1e-6)


def test_without_heads_there_are_no_logits_of_heads(tmp_path: Path) -> None:
    write_arrays({}, tmp_path / "heads.npz")
    assert head_logits(tmp_path / "heads.npz", np.zeros((5, 3), dtype=np.float32)) == {}
