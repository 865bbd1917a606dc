import pytest
from tests.decisions.verdict.arms import run_of

from graft.decisions.verdict.divergence import n_diverged


@pytest.mark.parametrize(
    ("accuracies", "n"),
    [
        ((0.8, 0.82, 0.81, 0.8, 0.79), 0),
        ((0.8, 0.82, 0.41, 0.8, 0.79), 1),  # 40 points below the others
        ((0.8, 0.82, 0.6, 0.8, 0.79), 1),  # exactly 20
        ((0.8, 0.82, 0.61, 0.8, 0.79), 0),
        ((0.3, 0.34, 0.25, 0.2, 0.33), 2),  # no better than the most frequent class
        ((0.2, 0.2, 0.2, 0.2, 0.2), 5),
    ],
)
def test_a_seed_that_did_not_learn_is_counted(accuracies: tuple[float, ...], n: int) -> None:
    assert n_diverged([run_of(seed, each) for seed, each in enumerate(accuracies)], majority=0.25) == n
