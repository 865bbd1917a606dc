import numpy as np
from tests.transfer.conftest import tiny_catalog, tiny_images, tiny_params

from graft.transfer.arms.arms import TargetData, seeds_of, seen_by


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


def test_seeds_follow_the_seed_of_the_run() -> None:
    assert seeds_of(10, tiny_params().training) == [10, 11]
