import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from graft.training.batches import balanced_rows, batch_rows, class_weights, samples_on, subsample


def test_an_epoch_holds_every_row_once() -> None:
    rows = torch.cat(batch_rows(103, 32, torch.Generator().manual_seed(0)))
    assert sorted(rows.tolist()) == list(range(103))


def test_no_batch_holds_a_single_image() -> None:
    sizes = [len(rows) for rows in batch_rows(65, 32, torch.Generator().manual_seed(0))]
    assert sizes == [22, 22, 21]


@pytest.mark.parametrize(("n", "batch_size"), [(5, 2), (3, 2), (9, 4), (2, 2)])
def test_even_small_batches_hold_two_images(n: int, batch_size: int) -> None:
    assert min(len(rows) for rows in batch_rows(n, batch_size, torch.Generator())) >= 2


def test_samples_put_channels_first() -> None:
    images = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    samples = samples_on(torch.device("cpu"), images, np.array([0, 1]))
    assert samples.images.shape == (2, 3, 4, 4)
    assert samples.images[1, 2, 3, 0] == images[1, 3, 0, 2]


def singles(labels: NDArray[np.int64]) -> NDArray[np.str_]:
    return np.arange(len(labels)).astype(np.str_)


def test_subsample_keeps_the_share_of_every_class() -> None:
    labels = np.repeat([0, 1, 3], [10, 20, 1])
    kept = labels[subsample(labels, singles(labels), 0.9, seed=0)]
    assert np.bincount(kept).tolist() == [9, 18, 0, 1]


def test_subsample_keeps_an_image_of_a_small_class() -> None:
    labels = np.repeat([0, 1, 2], [40, 4, 1])
    assert np.bincount(labels[subsample(labels, singles(labels), 0.1, seed=0)]).tolist() == [4, 1, 1]


def test_subsample_depends_on_its_seed() -> None:
    labels = np.repeat([0, 1], 50)
    once, again, other = (subsample(labels, singles(labels), 0.9, seed) for seed in (3, 3, 4))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


@pytest.mark.parametrize("size", [2, 5, 10])
def test_subsample_leaves_out_whole_groups_as_many_as_the_share_allows(size: int) -> None:
    """Each group has images of one class, or of both."""
    labels, groups = np.repeat([0, 1], 100), (np.arange(200) // size).astype(np.str_)
    for named in (groups, np.tile(groups[:100], 2)):
        seen = subsample(labels, named, 0.8, seed=0)
        left_out = np.setdiff1d(np.arange(200), seen)
        assert not set(named[seen]) & set(named[left_out])
        assert np.bincount(labels[left_out]).tolist() == [20, 20]


def test_subsample_leaves_out_no_group_that_is_larger_than_what_may_be_left_out() -> None:
    labels = np.repeat([0, 1], 10)
    groups = np.where(np.arange(20) < 4, "large", np.arange(20).astype(np.str_))
    assert {0, 1, 2, 3} <= set(subsample(labels, groups, 0.8, seed=0).tolist())


SKEWED = torch.tensor([0] * 80 + [2] * 15 + [5] * 5)


def _balanced(seed: int = 0) -> list[torch.Tensor]:
    return balanced_rows(SKEWED, 32, torch.Generator().manual_seed(seed))


def test_balanced_rows_show_each_class_equally_often() -> None:
    labels = SKEWED[torch.cat(_balanced())]
    assert len(labels) == len(SKEWED)
    assert sorted(torch.bincount(labels)[[0, 2, 5]].tolist()) == [33, 33, 34]


def test_the_row_left_over_goes_to_each_class_equally_often() -> None:
    one_more = {int(torch.bincount(SKEWED[torch.cat(_balanced(seed))]).argmax()) for seed in range(30)}
    assert one_more == {0, 2, 5}


def test_balanced_rows_repeat_no_image_before_all_of_its_class_have_come() -> None:
    times = torch.bincount(torch.cat(_balanced()), minlength=len(SKEWED))
    for label in (0, 2, 5):
        assert times[label == SKEWED].max() - times[label == SKEWED].min() == 1


def test_over_many_epochs_every_image_of_a_large_class_comes_equally_often() -> None:
    times = torch.bincount(torch.cat([torch.cat(_balanced(seed)) for seed in range(300)]), minlength=len(SKEWED))
    expected = 300 * (100 / 3) / 80
    assert (times[SKEWED == 0] - expected).abs().max() < 4.5 * np.sqrt(expected)


def test_balanced_batches_are_shuffled_and_of_nearly_equal_size() -> None:
    batches = _balanced()
    assert [len(rows) for rows in batches] == [25, 25, 25, 25]
    assert all(len(torch.unique(SKEWED[rows])) == 3 for rows in batches)


def test_balanced_rows_depend_on_their_generator() -> None:
    assert torch.equal(torch.cat(_balanced(3)), torch.cat(_balanced(3)))
    assert not torch.equal(torch.cat(_balanced(3)), torch.cat(_balanced(4)))


def test_class_weights_are_inverse_frequencies_with_mean_one_over_images() -> None:
    weights = class_weights(SKEWED, 7)
    assert weights[SKEWED].mean() == pytest.approx(1)
    assert weights[0] * 80 == pytest.approx(float(weights[2] * 15))
    assert weights[2] * 15 == pytest.approx(float(weights[5] * 5))


def test_a_class_without_images_weighs_nothing() -> None:
    assert class_weights(SKEWED, 7)[[1, 3, 4, 6]].tolist() == [0, 0, 0, 0]


def test_images_too_large_for_a_gpu_are_refused_with_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graft.training.batches.free_bytes", lambda device: 2**30)
    many = np.broadcast_to(np.uint8(0), (2**11, 2**10, 2**9, 3))  # takes no memory here
    with pytest.raises(
        ValueError, match=r"^images: want all of them in 1\.0 GiB of the GPU.s free memory, got 3\.0 GiB"
    ):
        samples_on(torch.device("cuda"), many, np.zeros(2**11, np.int64))
