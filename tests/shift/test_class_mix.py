import numpy as np
import pytest
from numpy.typing import NDArray

from graft.shift.class_mix import held_out_calls, target_shares

Features = NDArray[np.float32]
Labels = NDArray[np.int64]


def _draw(n: int, shares: tuple[float, ...], seed: int) -> tuple[Features, Labels]:
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.choice(3, n, p=shares))
    return (rng.normal(size=(n, 4)) + 1.5 * np.eye(3, 4)[labels]).astype(np.float32), labels


def test_shares_are_recovered_where_the_predictions_alone_are_wrong() -> None:
    features, labels = _draw(900, (0.4, 0.4, 0.2), 0)
    target, _ = _draw(900, (0.05, 0.15, 0.8), 1)
    found = target_shares(features, labels, (np.arange(900), np.arange(900)), target, c=0.1, confidence=0.95, seed=0)
    assert found is not None
    np.testing.assert_allclose(found.shares, (0.05, 0.15, 0.8), atol=0.08)
    assert np.all((found.low <= (0.05, 0.15, 0.8)) & (found.high >= (0.05, 0.15, 0.8)))


def test_one_large_group_widens_the_intervals() -> None:
    features, labels = _draw(600, (0.4, 0.4, 0.2), 0)
    target, _ = _draw(300, (0.2, 0.3, 0.5), 1)
    names = np.arange(300)
    widths = []
    for groups in (names, np.maximum(names - 200, 0)):  # 201 of the 300 images are one patient's
        found = target_shares(features, labels, (np.arange(600), groups), target, c=0.1, confidence=0.95, seed=0)
        assert found is not None
        widths.append(found.high - found.low)
    assert np.all(widths[1] > 2 * widths[0])


def test_calls_are_made_by_probes_that_have_not_seen_the_row_nor_its_group() -> None:
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(size=(20, 60)), 6, axis=0).astype(np.float32)
    labels, groups = np.repeat(np.arange(20) % 2, 6), np.arange(120) // 6
    assert np.mean(held_out_calls(features, labels, np.arange(120), c=10.0, seed=0) == labels) > 0.95
    assert np.mean(held_out_calls(features, labels, groups, c=10.0, seed=0) == labels) < 0.8


def test_a_rare_class_is_never_held_out_whole_where_its_images_are_independent() -> None:
    labels = np.repeat([0, 1], [38, 2])
    features = (np.random.default_rng(0).normal(size=(40, 4)) + 9 * labels[:, None]).astype(np.float32)
    for seed in range(10):
        assert held_out_calls(features, labels, np.arange(40), c=1.0, seed=seed).tolist() == labels.tolist()


def test_a_fold_that_leaves_one_class_to_learn_from_calls_that_class() -> None:
    """Twelve patients, of whom two have the rare class too, dealt to the same fold by one seed of many."""
    groups, labels = np.repeat(np.arange(12), 5), np.zeros(60, dtype=np.int64)
    labels[[3, 33]] = 1
    features = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    calls = [held_out_calls(features, labels, groups, c=0.1, seed=seed)[[3, 33]].tolist() for seed in range(30)]
    assert [0, 0] in calls


def test_a_class_of_one_group_is_refused() -> None:
    features, labels = _draw(60, (0.4, 0.4, 0.2), 0)
    groups = np.where(labels == 2, -1, np.arange(60))
    with pytest.raises(
        ValueError, match=r"^labels, groups: want at least 2 images \(or groups\) of every class.+ got 1\. Add"
    ):
        target_shares(features, labels, (groups, np.arange(60)), features, c=0.1, confidence=0.95, seed=0)
