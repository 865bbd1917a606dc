import numpy as np
import pytest

from graft.reporting.evidence import Evidence
from graft.reporting.tallies import (
    frequent_confusions,
    mistakes,
    score_by_seed,
)
from graft.store.predictions import Predictions

CLASSES = ("ant", "bee", "cat")
TINY = Predictions(
    images=("a", "b", "c", "d"),
    labels=np.array([0, 0, 1, 1]),
    by_arm={
        "transfer": np.array([[0, 1, 2, 2], [0, 0, 2, 1]]),
        "scratch": np.array([[0, 0, 1, 2], [1, 0, 1, 1]]),
    },
    seeds={"transfer": (0, 1), "scratch": (0, 1)},
)


def test_the_confusion_matrix_equals_a_count_image_by_image(evidence: Evidence) -> None:
    predictions, matrix = evidence.predictions, evidence.shipped_confusion()
    assert predictions is not None
    assert matrix is not None
    shipped = predictions.of("transfer", 2)
    counted = np.zeros((10, 10), dtype=int)
    for true, predicted in zip(predictions.labels, shipped, strict=True):
        counted[true, predicted] += 1
    assert matrix.tolist() == counted.tolist()
    assert counted.sum() == len(predictions.images)


def test_accuracy_by_seed_counts_right_predictions() -> None:
    assert score_by_seed(TINY, "transfer", balanced=False) == (0.25, 0.75)
    assert score_by_seed(TINY, "scratch", balanced=False) == (0.75, 0.75)


def test_balanced_accuracy_is_the_mean_recall_of_the_classes_that_are_there() -> None:
    uneven = TINY._replace(labels=np.array([0, 0, 0, 1]))
    # transfer recalls ant in 1 of 3 and 2 of 3 images, bee in 0 of 1 and 1 of 1
    assert score_by_seed(uneven, "transfer", balanced=True) == pytest.approx((1 / 6, 5 / 6))


def test_confusions_are_sorted_by_frequency_without_right_answers() -> None:
    matrix = np.array([[9, 1, 0], [3, 5, 0], [0, 2, 7]])
    found = [(each.true, each.predicted, each.n_images) for each in frequent_confusions(matrix, CLASSES, 2)]
    assert found == [("bee", "ant", 3), ("cat", "bee", 2)]
    assert frequent_confusions(np.diag([4, 4, 4]), CLASSES, 5) == ()


def test_mistakes_take_each_class_in_turn_and_the_hardest_first() -> None:
    found = mistakes(TINY, "transfer", 0, CLASSES, 10)
    assert [(each.image, each.true, each.predicted, each.n_seeds_wrong) for each in found] == [
        ("b", "ant", "bee", 1),
        ("c", "bee", "cat", 2),
        ("d", "bee", "cat", 1),
    ]
    assert [each.image for each in mistakes(TINY, "transfer", 0, CLASSES, 2)] == ["b", "c"]
