import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.house import ROOT

from graft.images import decode
from graft.preparation.found import Found
from graft.preparation.value_range import recognised_bits
from graft.records.common import Preprocessing

SMALL = Preprocessing(resize_px=18, crop_px=16, mean=(0, 0, 0), std=(1, 1, 1), interpolation="bilinear")
FAULT = ROOT.parent / "shared/data/faults/04-12bit"


def files(folder: Path, tops: Sequence[int]) -> tuple[Found, ...]:
    """16-bit files with these largest values."""
    for number, top in enumerate(tops):
        values = np.linspace(0, top, 64, dtype=np.uint16).reshape(8, 8)
        Image.fromarray(values).save(folder / f"{number}.png")
    return tuple(Found(f"{number}.png", "cat", None) for number in range(len(tops)))


def bits_of(folder: Path, tops: Sequence[int]) -> int | None:
    return recognised_bits(folder, files(folder, tops), SMALL)


@pytest.mark.parametrize(
    ("highest", "bits"),
    [
        (0, 16),
        (200, 8),
        (255, 8),
        (600, 10),
        (1023, 10),
        (2048, 12),
        (4095, 12),
        (9000, 14),
        (16383, 14),
        (16384, 16),
        (65535, 16),
    ],
)
def test_the_brightest_value_determines_the_range(tmp_path: Path, highest: int, bits: int) -> None:
    assert bits_of(tmp_path, [highest // 2, highest, *[highest * 3 // 4] * 3]) == bits


@pytest.mark.parametrize(
    ("tops", "why"),
    [
        ([3] * 6, r"which takes 2 bits, as in a dark set"),
        ([300] * 6, r"which takes 9 bits, as in a dark set"),
        ([2047] * 6, r"which takes 11 bits, as in a dark set"),
        ([5000] * 6, r"which takes 13 bits, as in a dark set"),
        ([4095] * 4, r"too few to tell"),
        ([4095] * 6 + [65535], r"while half of them stay at 4,095 or below"),
        ([16383] * 4 + [65535] * 3, r"while half of them stay at 16,383 or below"),
    ],
)
def test_an_ambiguous_range_is_refused_with_the_reason_and_the_key(tmp_path: Path, tops: list[int], why: str) -> None:
    sentence = (
        rf"{tmp_path.name}: want 16-bit grey files .+ with a largest value of {max(tops):,} in \d\.png, {why}\. Set"
    )
    with pytest.raises(ValueError, match=sentence):
        bits_of(tmp_path, tops)


def test_one_file_of_the_whole_range_is_enough(tmp_path: Path) -> None:
    assert bits_of(tmp_path, [40_000]) == 16


def test_the_bits_from_params_are_used_without_a_check(tmp_path: Path) -> None:
    chosen = SMALL.model_copy(update={"value_bits": 13})
    assert recognised_bits(tmp_path, (Found("nowhere.png", "cat", None),), chosen) == 13


def test_without_files_of_16_bits_no_pixel_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = np.zeros((8, 8, 3), np.uint8)
    for name in ("a.png", "b.jpg", "c.bmp"):
        Image.fromarray(plain).save(tmp_path / name)

    def forbid(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(decode, "brightest", forbid)
    found = tuple(Found(name, "cat", None) for name in ("a.png", "b.jpg", "c.bmp"))
    assert recognised_bits(tmp_path, found, SMALL) is None


def test_unreadable_files_are_ignored_and_nothing_hangs(tmp_path: Path) -> None:
    found = files(tmp_path, [4095] * 5)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "0.png").read_bytes()[:60])
    with (tmp_path / "large.tif").open("wb") as file:
        file.write(b"II*\0")
        file.truncate(50_000_000_000)
    broken = tuple(Found(name, "cat", None) for name in ("pipe.png", "gone.png", "half.png", "large.tif"))
    assert recognised_bits(tmp_path, (*found, *broken), SMALL) == 12


@pytest.mark.real_data
@pytest.mark.skipif(not FAULT.is_dir(), reason=f"{FAULT} is absent")
def test_real_12_bit_pictures_are_recognised(tmp_path: Path) -> None:
    names = [f"{copy}{name}.png" for copy in range(3) for name in ("ants", "bees")]
    for name in names:
        shutil.copy(FAULT / name[1:], tmp_path / name)
    assert recognised_bits(tmp_path, tuple(Found(name, "cat", None) for name in names), SMALL) == 12
