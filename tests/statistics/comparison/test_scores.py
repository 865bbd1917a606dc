import numpy as np

from graft.statistics.comparison.scores import accuracy_scores, nll_scores


def test_a_right_prediction_scores_one_and_a_wrong_one_zero() -> None:
    scores = accuracy_scores(np.array([[0, 1, 2], [2, 1, 0]]), np.array([0, 1, 1]))
    assert scores.dtype == np.float64
    assert scores.tolist() == [[1, 1, 0], [0, 1, 0]]


def test_the_mean_over_images_is_the_accuracy() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 100)
    predicted = rng.integers(0, 3, (5, 100))
    accuracies = [np.count_nonzero(run == labels) / 100 for run in predicted]
    np.testing.assert_allclose(accuracy_scores(predicted, labels).mean(axis=1), accuracies)


def test_the_loss_is_the_negative_logarithm_of_the_label_s_probability() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 20, 4))
    labels = np.arange(20) % 4
    shares = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    want = [[-np.log(shares[s, i, labels[i]]) for i in range(20)] for s in range(3)]
    np.testing.assert_allclose(nll_scores(logits, labels), want)


def test_large_logits_do_not_overflow() -> None:
    logits = np.array([[[1000.0, 0.0], [-1000.0, 1000.0]]])
    np.testing.assert_allclose(nll_scores(logits, np.array([0, 0])), [[0, 2000]])
    assert nll_scores(logits.astype(np.float32), np.array([0, 0])).dtype == np.float64
