import pytest
from scipy.stats import binom
from tests.decisions.verdict.arms import run_of

from graft.decisions.verdict.divergence import diverged_up_to, n_diverged


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


@pytest.mark.parametrize(("k", "percent"), [(5, 45), (8, 31)])
def test_without_such_a_seed_the_bound_is_the_closed_form(k: int, percent: int) -> None:
    assert diverged_up_to(0, k) == pytest.approx(1 - 0.05 ** (1 / k))
    assert round(100 * diverged_up_to(0, k)) == percent


@pytest.mark.parametrize(("diverged", "k"), [(0, 5), (1, 5), (3, 8)])
def test_at_the_bound_so_few_seeds_diverge_once_in_twenty(diverged: int, k: int) -> None:
    assert binom.cdf(diverged, k, diverged_up_to(diverged, k)) == pytest.approx(0.05)


def test_where_all_diverged_all_may() -> None:
    assert diverged_up_to(5, 5) == 1
