import pytest
from scipy.stats import binom

from graft.statistics.comparison.rare import at_most


@pytest.mark.parametrize(("k", "percent"), [(5, 45), (8, 31)])
def test_of_what_was_never_seen_the_bound_is_the_closed_form(k: int, percent: int) -> None:
    assert at_most(0, k) == pytest.approx(1 - 0.05 ** (1 / k))
    assert round(100 * at_most(0, k)) == percent


@pytest.mark.parametrize(("seen", "k"), [(0, 5), (1, 5), (3, 8)])
def test_at_the_bound_so_few_are_seen_once_in_twenty(seen: int, k: int) -> None:
    assert binom.cdf(seen, k, at_most(seen, k)) == pytest.approx(0.05)


def test_what_always_happened_always_may() -> None:
    assert at_most(5, 5) == 1
