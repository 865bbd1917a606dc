from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from graft.statistics.features import separability
from graft.statistics.features.separability import FOLDS, PENALTY, Sample, held_out_scores
from graft.statistics.two_sample.domain_classifier import DomainClassifier, domain_classifier

Floats = NDArray[np.float64]


def _judge(source: Floats, target: Floats, groups: tuple[NDArray[Any], NDArray[Any]] | None = None) -> DomainClassifier:
    found = domain_classifier(source, target, groups=groups, confidence=0.95, seed=0)
    assert found is not None
    return found


def test_distant_domains_are_always_told_apart() -> None:
    rng = np.random.default_rng(0)
    found = _judge(rng.normal(size=(60, 5)), rng.normal(size=(200, 5)) + 5)
    assert found.error < 0.01
    assert found.a_distance > 1.95
    assert found.auc.low > 0.9


def test_equal_domains_are_told_apart_only_by_chance() -> None:
    rng = np.random.default_rng(0)
    found = _judge(rng.normal(size=(800, 5)), rng.normal(size=(200, 5)))
    assert found.error == pytest.approx(0.5, abs=0.06)
    assert found.a_distance == pytest.approx(0, abs=0.24)
    assert found.auc.low < 0.5


def test_the_error_is_that_of_weighted_ridge_regression() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(60, 4)), rng.normal(size=(25, 4)) + 0.8
    names = np.split(np.arange(85).astype(np.str_), [60])
    samples = [Sample(rows, each, np.zeros(len(rows))) for rows, each in zip((source, target), names, strict=True)]
    held_out = held_out_scores(*samples, seed=0)
    assert held_out is not None
    side, fold = np.repeat([0, 1], [60, 25]), held_out.cells  # one stratum: cells are folds
    pooled = np.concatenate([source, target])
    rows, wrong = (pooled - pooled.mean(axis=0)) / pooled.std(axis=0), np.zeros(85)
    for held in range(FOLDS):
        seen = fold != held
        weight = 0.5 / np.bincount(side[seen])[side[seen]]
        fitted = Ridge(alpha=PENALTY).fit(rows[seen], 2 * side[seen] - 1, sample_weight=weight)
        wrong[~seen] = (fitted.predict(rows[~seen]) > 0) != side[~seen]
    expected = (wrong[:60].mean() + wrong[60:].mean()) / 2
    found = _judge(source, target)
    assert found.error == pytest.approx(expected)
    assert found.a_distance == pytest.approx(2 - 4 * expected)


def test_the_area_is_that_of_separability() -> None:
    rng = np.random.default_rng(0)
    sides = rng.normal(size=(60, 4)), rng.normal(size=(25, 4)) + 0.3
    groups = np.array([f"a{i}" for i in range(60)]), np.array([f"b{i}" for i in range(25)])
    first, second = (Sample(rows, names, np.zeros(len(rows))) for rows, names in zip(sides, groups, strict=True))
    assert _judge(*sides, groups).auc == separability.separability(first, second, confidence=0.95, seed=0)


def test_copies_within_a_group_do_not_give_the_domain_away() -> None:
    rng = np.random.default_rng(0)
    source, target = (np.repeat(rng.normal(size=(15, 20)), 20, axis=0) for _ in range(2))
    groups = np.arange(300) // 20, 15 + np.arange(300) // 20
    assert _judge(source, target).a_distance > 0.8
    assert _judge(source, target, groups).a_distance < 0.6


def test_every_group_weighs_the_same_in_fit_and_error() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 30, 65)
    groups = np.repeat(np.arange(65), sizes)
    side = (groups >= 40).astype(np.int64)
    rows = rng.normal(size=(65, 4))[groups] + 0.5 * side[:, None] + 0.3 * rng.normal(size=(len(groups), 4))
    names = np.split(groups.astype(np.str_), [int(sizes[:40].sum())])
    parts = np.split(rows, [len(names[0])])
    held_out = held_out_scores(
        *(Sample(*each, np.zeros(len(each[0]))) for each in zip(parts, names, strict=True)), seed=0
    )
    assert held_out is not None
    weight, fold = 1 / sizes[groups], held_out.cells
    centred = rows - np.average(rows, axis=0, weights=weight)
    scaled, wrong = centred / np.sqrt(np.average(centred**2, axis=0, weights=weight)), np.zeros(len(rows))
    for held in range(FOLDS):
        seen = fold != held
        of_seen = 0.5 * weight[seen] / np.bincount(side[seen], weights=weight[seen])[side[seen]]
        fitted = Ridge(alpha=PENALTY).fit(scaled[seen], 2 * side[seen] - 1, sample_weight=of_seen)
        wrong[~seen] = (fitted.predict(scaled[~seen]) > 0) != side[~seen]
    expected = np.mean([np.average(wrong[side == each], weights=weight[side == each]) for each in (0, 1)])
    assert _judge(parts[0], parts[1], (names[0], names[1])).error == pytest.approx(expected)


def test_too_few_rows_give_no_answer() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 3))
    assert domain_classifier(rows, rows[:9], confidence=0.95, seed=0) is None
