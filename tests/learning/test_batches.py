import numpy as np
import pytest
import torch

from graft.learning.batches import batch_rows, normalised, samples_on, subsample
from graft.records import Preprocessing

PREPROCESSING = Preprocessing(
    resize_px=4, crop_px=4, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), interpolation="bilinear"
)


def test_an_epoch_holds_every_row_once() -> None:
    rows = torch.cat(batch_rows(103, 32, torch.Generator().manual_seed(0)))
    assert sorted(rows.tolist()) == list(range(103))


def test_no_batch_is_a_lonely_image() -> None:
    sizes = [len(rows) for rows in batch_rows(65, 32, torch.Generator().manual_seed(0))]
    assert sizes == [22, 22, 21]


@pytest.mark.parametrize(("n", "batch_size"), [(5, 2), (3, 2), (9, 4), (2, 2)])
def test_even_small_batches_hold_two_images(n: int, batch_size: int) -> None:
    assert min(len(rows) for rows in batch_rows(n, batch_size, torch.Generator())) >= 2


def test_normalised_is_value_over_255_less_mean_over_deviation() -> None:
    images = torch.tensor([[0, 128, 255]], dtype=torch.uint8).view(1, 3, 1, 1)
    expected = [(0 / 255 - 0.1) / 0.5, (128 / 255 - 0.2) / 0.6, (255 / 255 - 0.3) / 0.7]
    np.testing.assert_allclose(normalised(images, PREPROCESSING).flatten(), expected, rtol=1e-6)


def test_samples_put_channels_first() -> None:
    images = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    samples = samples_on(torch.device("cpu"), images, np.array([0, 1]))
    assert samples.images.shape == (2, 3, 4, 4)
    assert samples.images[1, 2, 3, 0] == images[1, 3, 0, 2]


def test_subsample_keeps_the_share_of_every_class() -> None:
    labels = np.repeat([0, 1, 2], [10, 20, 1])
    kept = labels[subsample(labels, 0.9, seed=0)]
    assert np.bincount(kept).tolist() == [9, 18, 1]


def test_subsample_is_that_of_its_seed() -> None:
    labels = np.repeat([0, 1], 50)
    assert np.array_equal(subsample(labels, 0.9, seed=3), subsample(labels, 0.9, seed=3))
    assert not np.array_equal(subsample(labels, 0.9, seed=3), subsample(labels, 0.9, seed=4))
