"""The target's data, and the contact sheet of what training may see of it."""

from pathlib import Path

import numpy as np
from tests.networks.runtimes import ON_CPU
from tests.transfer.conftest import tiny_catalog, tiny_images, tiny_params, write_companions

from graft.networks.preprocessing import SMALL_CNN
from graft.store.catalogue import CatalogRow, write_catalog
from graft.transfer.arms.target_data import (
    Labels,
    TargetData,
    left_out_by,
    read_data,
    seen_by,
    target_data,
    write_sheet,
)


def test_the_test_split_is_not_among_the_data(data: TargetData) -> None:
    test_rows = {row.row for row in tiny_catalog() if row.split == "test"}
    assert not test_rows & {*data.train_rows.tolist(), *data.val_rows.tolist()}
    assert len(data.train.labels) == 24
    assert len(data.val.labels) == 8


def test_images_stand_beside_their_labels(data: TargetData) -> None:
    images = tiny_images()
    for index, row in enumerate(data.train_rows):
        assert np.array_equal(data.train.images[index].permute(1, 2, 0).numpy(), images[row])
        assert data.train.labels[index] == row % 2


def test_another_seed_sees_another_subsample(data: TargetData) -> None:
    training = tiny_params().training
    assert not np.array_equal(seen_by(data, training, 1), seen_by(data, training, 2))


def test_a_seed_leaves_out_what_it_does_not_see(data: TargetData) -> None:
    training = tiny_params(training={"subsample": 0.5}).training
    seen, left_out = seen_by(data, training, 1), left_out_by(data, training, 1)
    assert len(left_out) == 12
    assert sorted([*seen, *left_out]) == list(range(24))


def test_no_image_is_left_out_of_whose_group_another_is_seen(data: TargetData) -> None:
    training = tiny_params(training={"subsample": 0.5}).training
    grouped = data._replace(train_groups=(np.arange(24) // 4).astype(np.str_))
    seen, left_out = seen_by(grouped, training, 1), left_out_by(grouped, training, 1)
    assert len(left_out) > 0
    assert not set(seen // 4) & set(left_out // 4)


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


def _read(folder: Path, target: tuple[CatalogRow, ...]) -> TargetData:
    """The data of a target, beside a source of 16 train and 8 validation images."""
    write_catalog(target, folder / "target.csv")
    np.save(folder / "target.npy", tiny_images())
    source = [row for row in tiny_catalog() if row.split != "test" and row.row >= 8]
    write_companions(folder, tuple(row._replace(row=place) for place, row in enumerate(source)))
    own, beside = (Labels(folder / f"{name}.csv", folder / f"{name}.npy") for name in ("target", "labelled"))
    return read_data(own, beside, SMALL_CNN, tiny_params().recipes["digits"], ON_CPU)


def test_the_target_s_labels_are_learned_from_where_there_are_some_to_train_on(tmp_path: Path) -> None:
    found = _read(tmp_path, tiny_catalog())
    assert (found.labels_from, len(found.train.labels), len(found.val.labels)) == ("target", 24, 8)


def test_the_source_s_are_learned_from_where_the_target_has_a_test_split_alone(tmp_path: Path) -> None:
    found = _read(tmp_path, tuple(row for row in tiny_catalog() if row.split == "test"))
    assert (found.labels_from, len(found.train.labels), len(found.val.labels)) == ("source", 16, 8)
    assert found.classes == ("a", "b")
