"""Labels that are probably wrong: confident learning, with a noise model that decides how many to report."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

# Range of the temperature.
TEMPERATURES = (0.05, 20.0)
# Share of noise at which the search for it starts.
FIRST_NOISE = 0.02
EM_STEPS = 50
# Larger shares of noise cannot be distinguished from a problem for which the probabilities are useless.
MOST_NOISE = 0.3


class Doubts(NamedTuple):
    """Rows whose label is more probably wrong than right, the least probable label first."""

    places: Labels
    """(k,) positions of the rows"""
    suggested: Labels
    """(k,) numbers of the suggested classes"""
    of_label: Floats
    """(k,) calibrated probability of the given label"""
    of_suggested: Floats
    """(k,) calibrated probability of the suggested class"""
    wrong: Floats
    """(k,) probability that the label is wrong, at least 0.5"""


def doubtful_labels(probabilities: NDArray[np.floating[Any]], labels: Labels) -> Doubts:
    """Find rows that confidently belong to another class than their label.

    A row confidently belongs to a class if the probability of that class reaches its threshold: the mean probability of
    the class among the rows with that label. Of several such classes, the most probable counts. A row whose class is
    not its label is a candidate: an off-diagonal entry of the confident joint.

    A candidate is kept if its label is more probably noise than not, by this model: a label is drawn from the row's
    probabilities at one temperature or, in a share e of the rows, from all classes with equal probability. Temperature
    and e have the largest likelihood, with e up to MOST_NOISE. Where a problem is hard and its labels are right, e is
    near 0 and the list is short or empty.

    Args:
        probabilities: (n, c) probabilities, each row from a classifier that has not seen that row nor its group.
        labels: (n,) class numbers, 0 to c - 1.

    Raises:
        ValueError: shapes that do not fit each other.

    Source: the candidates are those of Northcutt, Jiang and Chuang, Confident learning: estimating uncertainty
    in dataset labels, Journal of Artificial Intelligence Research 70 (2021); the temperature is that of Guo and
    others, On calibration of modern neural networks, ICML (2017).
    """
    n = len(probabilities)
    if labels.shape != (n,):
        raise ValueError(
            f"doubtful_labels: want one label for each of {n} rows, got {labels.shape}. Give both in the same order."
        )
    p, wrong = _noise_model(probabilities.astype(np.float64), labels)
    own, suggested = p[np.arange(n), labels], _confident_class(p, labels)
    found = np.flatnonzero((suggested >= 0) & (suggested != labels) & (wrong >= 0.5))
    found = found[np.argsort(own[found], kind="stable")]
    return Doubts(found, suggested[found], own[found], p[found, suggested[found]], wrong[found])


def _noise_model(p: Floats, labels: Labels) -> tuple[Floats, Floats]:
    """Calibrated probabilities, (n, c), and the probability that each label is noise, (n,)."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    if len(labels) == 0:
        return p, np.empty(0)
    logits = np.log(np.maximum(p, np.finfo(np.float64).tiny))
    rows, noise = np.arange(len(labels)), 1 / p.shape[1]

    def loss(log_temperature: float) -> float:
        own = np.exp(log_softmax(logits / np.exp(log_temperature), axis=1)[rows, labels])
        share = _noise_share(own, noise)
        return float(-np.log((1 - share) * own + share * noise).sum())

    best = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded").x
    calibrated: Floats = np.exp(log_softmax(logits / np.exp(best), axis=1))
    own = calibrated[rows, labels]
    return calibrated, _from_noise(own, noise, _noise_share(own, noise))


def _noise_share(own: Floats, noise: float) -> float:
    """Share of labels that are noise, of largest likelihood, by expectation maximisation."""
    share = FIRST_NOISE
    for _ in range(EM_STEPS):
        share = min(float(_from_noise(own, noise, share).mean()), MOST_NOISE)
    return share


def _from_noise(own: Floats, noise: float, share: float) -> Floats:
    """Probability that each label is noise, (n,).

    Args:
        own: (n,) probability of each label.
        noise: probability of a label that is noise, 1 / c.
        share: share of labels that are noise.
    """
    wrong: Floats = share * noise / ((1 - share) * own + share * noise)
    return wrong


def _confident_class(p: Floats, labels: Labels) -> Labels:
    """Class that each row confidently belongs to, (n,); -1 where there is none."""
    c = p.shape[1]
    counts = np.bincount(labels, minlength=c)
    own = p[np.arange(len(labels)), labels]
    # (c,): mean probability of each class among the rows with that label
    thresholds = np.bincount(labels, weights=own, minlength=c) / np.maximum(counts, 1)
    reached = np.where((p >= thresholds) & (counts > 0), p, -1.0)
    return np.where(reached.max(axis=1) >= 0, reached.argmax(axis=1), -1)
