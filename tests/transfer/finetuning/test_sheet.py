"""The contact sheet of what training saw."""

from pathlib import Path

import numpy as np
from tests.networks.runtimes import ON_CPU
from tests.transfer.conftest import tiny_catalog, tiny_images, tiny_params

from graft.networks.preprocessing import SMALL_CNN
from graft.transfer.arms.arms import TargetData, target_data
from graft.transfer.finetuning.sheet import write_sheet


def test_each_row_starts_with_a_train_image_as_it_is(data: TargetData, tmp_path: Path) -> None:
    write_sheet(data, 0, tmp_path / "sheet.npy")
    sheet = np.load(tmp_path / "sheet.npy")
    assert (sheet.shape, sheet.dtype) == ((6, 6, 32, 32, 3), np.uint8)
    train = tiny_images()[data.train_rows]
    assert all((row[0] == train).all(axis=(1, 2, 3)).any() for row in sheet)
    assert len({row[0].tobytes() for row in sheet}) == 6


def test_the_other_views_are_varied(data: TargetData, tmp_path: Path) -> None:
    write_sheet(data, 0, tmp_path / "sheet.npy")
    sheet = np.load(tmp_path / "sheet.npy")
    assert len({view.tobytes() for row in sheet for view in row}) > 30


def test_the_same_seed_writes_the_same_bytes(data: TargetData, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_sheet(data, seed, tmp_path / name)
    one, same, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert one == same != other


def test_few_images_make_a_small_sheet(tmp_path: Path) -> None:
    few = [row for row in tiny_catalog() if row.split != "train" or row.row < 4]
    data = target_data(few, tiny_images(), SMALL_CNN, tiny_params().recipes["digits"], ON_CPU)
    write_sheet(data, 0, tmp_path / "sheet.npy")
    assert len(np.load(tmp_path / "sheet.npy")) == 4
