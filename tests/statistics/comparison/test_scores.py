import numpy as np

from graft.statistics.comparison.scores import accuracy_scores


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
