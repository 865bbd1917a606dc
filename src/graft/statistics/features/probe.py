"""Linear probe and nearest neighbours on cached features."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Labels = NDArray[np.int64]
# Positions of the training rows and of the held-out rows, for each fold.
Folds = Sequence[tuple[Labels, Labels]]
C_GRID = (0.001, 0.01, 0.1, 1.0, 10.0)
K_GRID = (1, 5, 20)


class CrossValidated(NamedTuple):
    """Cross-validated accuracy at the chosen setting."""

    setting: float
    """regularisation strength of the probe, or number of neighbours"""
    mean: float
    """mean accuracy over folds"""
    standard_error: float
    """standard error of the mean over folds"""


class LinearHead(NamedTuple):
    """Linear classifier on raw features."""

    weight: NDArray[np.float64]
    """(c, d) weights"""
    bias: NDArray[np.float64]
    """(c,) biases"""


def linear_head(features: Array, labels: Labels, c: float, n_classes: int, *, balanced: bool = False) -> LinearHead:
    """Fit an L2-regularised multinomial logistic regression, with the standardisation of features folded in.

    Args:
        features: (n, d) features.
        labels: (n,) class numbers, at least two different; an absent class gets the bias -inf.
        c: inverse regularisation strength, above 0.
        n_classes: number of classes.
        balanced: whether all classes that are present weigh the same, however many images they have.
    """
    from sklearn.linear_model import LogisticRegression

    mean, scale = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    # A feature that hardly varies would be scaled up to noise.
    scale = np.where(scale > 1e-6 * max(scale.max(), 1e-12), scale, 1.0)
    weights = "balanced" if balanced else None
    model = LogisticRegression(C=c, max_iter=2000, tol=1e-5, class_weight=weights)
    model.fit((features - mean) / scale, labels)
    weight, bias = model.coef_, model.intercept_
    # scikit-learn gives one row for two classes: (1, d) to (2, d).
    if len(model.classes_) == 2:
        weight, bias = np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    head = LinearHead(np.zeros((n_classes, features.shape[1])), np.full(n_classes, -np.inf))
    head.weight[model.classes_] = weight / scale
    head.bias[model.classes_] = bias - (weight / scale) @ mean
    return head


def head_logits(head: LinearHead, features: Array) -> NDArray[np.float64]:
    """Logits, (n, c), of features, (n, d)."""
    logits: NDArray[np.float64] = features.astype(np.float64) @ head.weight.T + head.bias
    return logits


def held_out_probabilities(
    features: Array, labels: Labels, c: float, folds: list[tuple[Labels, Labels]]
) -> NDArray[np.float64]:
    """Class probabilities, (n, c), from a linear head that has not seen the row nor its group.

    Where groups contain several classes, a fold may leave no row of a class to learn from. The head would then rule out
    that class only because it has not seen it. The rows of such a fold get equal probabilities, which carry no
    information.

    Args:
        features: (n, d) features.
        labels: (n,) class numbers.
        c: inverse regularisation strength, above 0.
        folds: result of `grouped_folds`, which holds out every row once.
    """
    from scipy.special import softmax

    n_classes = int(labels.max()) + 1
    probabilities = np.full((len(labels), n_classes), 1 / n_classes)
    for train, held in folds:
        if len(np.unique(labels[train])) < len(np.unique(labels)):
            continue
        logits = head_logits(linear_head(features[train], labels[train], c, n_classes), features[held])
        probabilities[held] = softmax(logits, axis=1)
    return probabilities


def probe_accuracy(features: Array, labels: Labels, folds: Folds) -> CrossValidated:
    """Cross-validated accuracy of a linear probe; the strongest penalty within one standard error is chosen."""

    def predict(c: float, train: Labels, held: Labels) -> Labels:
        head = linear_head(features[train], labels[train], c, n_classes=int(labels.max()) + 1)
        predicted: Labels = head_logits(head, features[held]).argmax(axis=1)
        return predicted

    return _cross_validated(C_GRID, predict, labels, folds)


def knn_accuracy(features: Array, labels: Labels, folds: Folds) -> CrossValidated:
    """Cross-validated accuracy of nearest neighbours by cosine; the largest k within one standard error is chosen."""
    from sklearn.neighbors import KNeighborsClassifier

    def predict(k: float, train: Labels, held: Labels) -> Labels:
        model = KNeighborsClassifier(n_neighbors=min(int(k), len(train)), metric="cosine")
        predicted: Labels = model.fit(features[train], labels[train]).predict(features[held])
        return predicted

    return _cross_validated(tuple(reversed(K_GRID)), predict, labels, folds)


def _cross_validated(
    settings: tuple[float, ...],
    predict: Callable[[float, Labels, Labels], Labels],
    labels: Labels,
    folds: Folds,
) -> CrossValidated:
    """First (simplest) setting whose mean accuracy is within one standard error of the best mean."""
    scores = np.array(
        [[np.mean(predict(each, train, held) == labels[held]) for train, held in folds] for each in settings]
    )
    # (settings, folds) to (settings,)
    means, errors = scores.mean(axis=1), scores.std(axis=1, ddof=1) / np.sqrt(len(folds))
    best = int(means.argmax())
    chosen = int(np.flatnonzero(means >= means[best] - errors[best])[0])
    return CrossValidated(settings[chosen], float(means[chosen]), float(errors[chosen]))
