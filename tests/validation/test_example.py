import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from graft.validation.example import TARGET_TRAIN, TARGET_VAL, write_example


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    write_example(folder, seed=0)
    return folder


def content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.png")
    }


def test_same_seed_same_bytes_and_another_seed_others(example: Path, tmp_path: Path) -> None:
    write_example(tmp_path / "again", seed=0)
    write_example(tmp_path / "other", seed=1)
    assert content(tmp_path / "again") == content(example)
    assert content(tmp_path / "other") != content(example)


def test_every_digit_stands_in_exactly_one_place(example: Path) -> None:
    hashes = content(example)
    assert len(hashes) == len(load_digits().target) == 1797
    assert len(set(hashes.values())) == 1797


def test_no_digit_of_the_target_stands_in_the_source(example: Path) -> None:
    """Each source file is one scikit-learn digit; those left over are as many as the target has files."""
    bundled = load_digits()
    size = (32, 32)
    drawn = {
        np.asarray(
            Image.fromarray((digit * 255 / 16).round().astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
        ).tobytes(): int(label)
        for digit, label in zip(bundled.images, bundled.target, strict=True)
    }
    used = Counter()  # type: Counter[int]
    for path in (example / "source").rglob("*.png"):
        label = drawn.pop(np.asarray(Image.open(path))[:, :, 0].tobytes())
        assert label == int(path.parent.name)
        used[label] += 1
    left = Counter(drawn.values())
    assert left == Counter(int(path.parent.name) for path in (example / "target").rglob("*.png"))


def test_sizes_of_the_splits(example: Path) -> None:
    for digit in range(10):
        n = {
            (domain, split): len(list((example / domain / split / str(digit)).iterdir()))
            for domain in ("source", "target")
            for split in ("train", "val", "test")
        }
        assert (n["target", "train"], n["target", "val"]) == (TARGET_TRAIN, TARGET_VAL)
        assert 50 <= n["target", "test"] <= 70
        assert n["source", "val"] == n["source", "test"] == 9
        assert 69 <= n["source", "train"] <= 75


def test_source_is_grey_on_black_and_target_is_in_colour(example: Path) -> None:
    source = np.stack([np.asarray(Image.open(path)) for path in (example / "source/val").rglob("*.png")])
    target = np.stack([np.asarray(Image.open(path)) for path in (example / "target/val").rglob("*.png")])
    assert source.shape[1:] == target.shape[1:] == (32, 32, 3)
    assert np.ptp(source, axis=-1).max() == 0
    assert source[:, :, 0].max(axis=(1, 2)).mean() < 30  # the left margin is black
    assert np.ptp(target, axis=-1).mean() > 10
