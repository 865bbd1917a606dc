"""Intervals of scores for many seeds and for one, against scipy and by hand."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from graft.decisions.gain.scoring import Scoring, difference_of, n_units, part_of, score_of
from graft.records.common import Metric


def images(n: int, metric: Metric = "accuracy", level: float = 0.05, per_group: int = 1, c: int = 4) -> Scoring:
    names = np.array([f"{place // per_group:04}" for place in range(n)])
    return Scoring(np.arange(n) % c, names, metric, level)


def test_with_one_seed_the_interval_is_that_of_the_images() -> None:
    rng = np.random.default_rng(0)
    ours, others = rng.random((1, 200)) < 0.8, rng.random((1, 200)) < 0.6
    found = difference_of(ours, others, images(200))
    second = ttest_1samp(ours[0].astype(float) - others[0], 0)
    low, high = second.confidence_interval(0.95)
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert found.p == pytest.approx(second.pvalue)


def test_with_one_seed_groups_are_the_units() -> None:
    right = np.repeat(np.random.default_rng(0).random((1, 50)) < 0.7, 4, axis=1)
    by_group = score_of(right, images(200, per_group=4))
    assert by_group.model_dump() == pytest.approx(score_of(right[:, ::4], images(50)).model_dump())


@pytest.mark.parametrize("k", [1, 4])
def test_p_is_the_level_at_which_the_interval_ends_at_zero(k: int) -> None:
    rng = np.random.default_rng(1)
    ours, others = rng.random((k, 90)) < 0.75, rng.random((k, 90)) < 0.7
    p = difference_of(ours, others, images(90)).p
    at_p = difference_of(ours, others, images(90, level=p)).interval
    assert min(abs(at_p.low), abs(at_p.high)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("k", [1, 3])
def test_where_nothing_varies_p_is_that_of_the_unseen_share(k: int) -> None:
    ours = np.ones((k, 20), dtype=bool)
    assert difference_of(ours, ours, images(20)).p == 1
    others = np.zeros((k, 20), dtype=bool)
    assert difference_of(ours, others, images(20)).p == 0


@pytest.mark.parametrize("k", [1, 5])
def test_balanced_accuracy_is_the_mean_of_the_classes(k: int) -> None:
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    names = np.array([f"{place:03}" for place in range(100)])
    right = np.random.default_rng(2).random((k, 100)) < 0.3 + 0.2 * labels
    found = score_of(right, Scoring(labels, names, "balanced_accuracy", 0.05))
    assert found.estimate == pytest.approx(np.mean([right[:, labels == each].mean() for each in range(3)]))


def test_with_one_seed_the_mix_of_classes_adds_no_variance_to_balanced_accuracy() -> None:
    labels = np.repeat([0, 1], [50, 50])
    right = (labels == 0)[None].repeat(1, axis=0)
    names = np.array([f"{place:03}" for place in range(100)])
    balanced = score_of(right, Scoring(labels, names, "balanced_accuracy", 0.05))
    assert (balanced.low, balanced.high) == (0.5, 0.5)


def test_an_arm_that_is_always_right_may_be_wrong_on_other_images() -> None:
    found = score_of(np.ones((1, 30), dtype=bool), images(30))
    assert found.low == pytest.approx(0.05 ** (1 / 30))
    assert found.high == 1


def test_a_part_keeps_its_labels_and_its_groups() -> None:
    on = images(40, per_group=10)
    part = part_of(on, on.labels == 1)
    assert set(part.labels.tolist()) == {1}
    assert n_units(part) == 4
