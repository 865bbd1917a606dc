from typing import Any

import numpy as np
import pytest

from graft.statistics.features.probe import (
    C_GRID,
    head_logits,
    held_out_probabilities,
    knn_accuracy,
    linear_head,
    probe_accuracy,
)
from graft.statistics.groups import grouped_folds


def _data(n: int = 120, c: int = 3, spread: float = 3.0) -> tuple[Any, Any]:
    generator = np.random.default_rng(0)
    labels = np.arange(n) % c
    features = generator.normal(size=(n, 5)) + spread * np.eye(5)[labels]
    return features.astype(np.float32), labels


@pytest.mark.parametrize("c", [2, 3])
def test_head_minimises_regularised_cross_entropy_of_standardised_features(c: int) -> None:
    features, labels = _data(c=c)
    strength = 0.5
    head = linear_head(features, labels, strength, c)
    mean, scale = features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64)
    weight, bias = head.weight * scale, head.bias + head.weight @ mean

    # two classes share one weight vector in scikit-learn, w = w1 - w0, penalised once
    def objective(weight: Any, bias: Any) -> float:
        logits = ((features - mean) / scale) @ weight.T + bias
        nll = np.sum(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels])
        penalty = np.sum((weight[1] - weight[0]) ** 2) if c == 2 else np.sum(weight**2)
        return float(strength * nll + penalty / 2)

    best = objective(weight, bias)
    generator = np.random.default_rng(1)
    for _ in range(50):
        step = generator.normal(size=weight.shape) * 0.01
        assert objective(weight + step, bias + generator.normal(size=bias.shape) * 0.01) > best - 1e-3


def test_constant_feature_does_no_harm() -> None:
    features, labels = _data()
    features[:, 4] = 7
    head = linear_head(features, labels, 1.0, 3)
    assert np.isfinite(head.weight).all()
    assert np.mean(head_logits(head, features).argmax(1) == labels) > 0.8


def test_absent_class_is_never_predicted() -> None:
    features, labels = _data()
    head = linear_head(features[labels != 1], labels[labels != 1], 1.0, 3)
    assert 1 not in head_logits(head, features).argmax(1)


def test_probe_and_neighbours_find_classes_far_apart() -> None:
    features, labels = _data(spread=10)
    names = np.array([str(i) for i in range(len(labels))])
    assert probe_accuracy(features, labels, grouped_folds(labels, names, 5, 0)).mean > 0.95
    assert knn_accuracy(features, labels, grouped_folds(labels, names, 5, 0)).mean > 0.95


def test_noise_is_at_chance() -> None:
    features, labels = _data(n=300, spread=0)
    names = np.array([str(i) for i in range(len(labels))])
    assert 0.2 < probe_accuracy(features, labels, grouped_folds(labels, names, 5, 0)).mean < 0.47


def test_groups_are_never_on_both_sides_of_a_fold() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(40) % 2, 5)
    groups = np.repeat([str(i) for i in range(40)], 5)
    features = np.repeat(generator.normal(size=(40, 4)), 5, axis=0).astype(np.float32)  # copies within a group
    grouped = knn_accuracy(features, labels, grouped_folds(labels, groups, 5, 0)).mean
    alone = knn_accuracy(features, labels, grouped_folds(labels, np.array([str(i) for i in range(200)]), 5, 0)).mean
    assert alone > 0.95  # a copy in the train fold gives the answer away
    assert grouped < 0.75


def test_the_strongest_regularisation_within_one_standard_error_of_the_best_is_chosen() -> None:
    rng, labels, names = np.random.default_rng(2), np.arange(90) % 3, np.arange(90).astype(np.str_)
    features = (rng.normal(size=(90, 30)) + 0.8 * np.eye(30)[labels]).astype(np.float32)
    means, errors = {}, {}
    for c in C_GRID:  # from the strongest to the weakest
        right = []
        for train, held in grouped_folds(labels, names, 5, 0):
            logits = head_logits(linear_head(features[train], labels[train], c, 3), features[held])
            right.append(np.mean(logits.argmax(axis=1) == labels[held]))
        means[c], errors[c] = np.mean(right), np.std(right, ddof=1) / np.sqrt(5)
    best = max(C_GRID, key=lambda c: means[c])
    chosen = next(c for c in C_GRID if means[c] >= means[best] - errors[best])
    assert C_GRID[0] < chosen < best
    assert tuple(probe_accuracy(features, labels, grouped_folds(labels, names, 5, 0))) == (
        chosen,
        means[chosen],
        errors[chosen],
    )


def test_neighbours_go_from_many_to_one() -> None:
    features, labels = _data(spread=10)
    names = np.array([str(i) for i in range(len(labels))])
    assert knn_accuracy(features, labels, grouped_folds(labels, names, 5, 0)).setting == 20


def test_a_class_with_one_image_is_an_error_of_one_sentence() -> None:
    features, labels = _data(n=9)
    labels[:] = [0, 0, 0, 0, 1, 1, 1, 1, 2]
    with pytest.raises(ValueError, match=r"want at least 2 images .* of every class for cross-validation, got 1"):
        probe_accuracy(features, labels, grouped_folds(labels, np.array(list("abcdefghi")), 5, 0))


def test_held_out_probabilities_are_those_of_a_head_that_has_not_seen_the_row() -> None:
    features, labels = _data()
    folds = grouped_folds(labels, np.array([str(i) for i in range(len(labels))]), 4, 0)
    found = held_out_probabilities(features, labels, 0.5, folds)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    train, held = folds[2]
    logits = head_logits(linear_head(features[train], labels[train], 0.5, 3), features[held])
    np.testing.assert_allclose(found[held], np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))


def test_a_fold_that_lacks_a_class_gives_equal_probabilities() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [3, 35])
    features = rng.standard_normal((38, 4)).astype(np.float32) + labels[:, None]
    lacking, whole = np.arange(3), np.arange(3, 38)
    mixed = np.array([0, 1, *range(3, 20)])
    other = np.array([2, *range(20, 38)])
    said = held_out_probabilities(features, labels, 1.0, [(whole, lacking)])
    np.testing.assert_array_equal(said[lacking], 0.5)
    said = held_out_probabilities(features, labels, 1.0, [(mixed, other), (other, mixed)])
    assert (np.abs(said - 0.5) > 1e-6).all()


@pytest.mark.parametrize(("balanced", "expected"), [(False, np.log(3)), (True, 0.0)])
def test_classes_weigh_the_same_in_a_balanced_head(balanced: bool, expected: float) -> None:
    """Features that say nothing leave the bias alone, which is the logarithm of how much the classes count."""
    head = linear_head(np.zeros((40, 2), np.float32), np.repeat([0, 1], [30, 10]), 1.0, 2, balanced=balanced)
    assert head.bias[0] - head.bias[1] == pytest.approx(expected, abs=1e-3)
