import numpy as np
import pytest
from numpy.typing import NDArray
from tests.decisions.verdict.arms import run_of

from graft.decisions.verdict.divergence import n_diverged


def varied(n_runs: int) -> NDArray[np.int64]:
    return np.tile([0, 1, 0], (n_runs, 1))


@pytest.mark.parametrize(
    ("accuracies", "n"),
    [
        ((0.8, 0.82, 0.81, 0.8, 0.79), 0),
        ((0.8, 0.82, 0.41, 0.8, 0.79), 1),  # 40 points below the others
        ((0.8, 0.82, 0.6, 0.8, 0.79), 1),  # exactly 20
        ((0.8, 0.82, 0.61, 0.8, 0.79), 0),
    ],
)
def test_a_seed_far_below_the_others_is_counted(accuracies: tuple[float, ...], n: int) -> None:
    assert n_diverged([run_of(seed, each) for seed, each in enumerate(accuracies)], varied(5)) == n


def test_a_seed_that_predicts_one_class_alone_is_counted() -> None:
    predicted = varied(3)
    predicted[1] = 1
    assert n_diverged([run_of(seed, 0.9) for seed in range(3)], predicted) == 1


def test_seeds_that_weigh_rare_classes_may_be_below_the_most_frequent_class() -> None:
    """0.85 on validation where nine images of ten are of one class, and half of the rare ones are found."""
    predicted = np.array([[0] * 80 + [1] * 10 + [1] * 5 + [0] * 5] * 3)
    assert n_diverged([run_of(seed, 0.85) for seed in range(3)], predicted) == 0
