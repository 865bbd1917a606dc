import numpy as np
import pytest
from scipy.stats import binom

from graft.statistics.features.label_shift import black_box_shares, effective_number, total_variation


def test_total_variation_is_the_share_that_would_change_class() -> None:
    assert total_variation(np.array([50, 50, 0]), np.array([1, 2, 1])) == pytest.approx(0.25)
    assert total_variation(np.array([3, 0]), np.array([0, 9])) == 1
    assert total_variation(np.array([3, 6]), np.array([1, 2])) == 0


@pytest.mark.parametrize(("first", "second"), [([1, 2], [1, 2, 3]), ([0, 0], [1, 2])])
def test_counts_that_do_not_fit_are_refused(first: list[int], second: list[int]) -> None:
    with pytest.raises(ValueError, match=r"^total_variation: want rows of the same classes.+ got .+\. Count"):
        total_variation(np.array(first), np.array(second))


def test_known_shares_are_recovered_through_a_known_confusion() -> None:
    confusion = np.array([[80, 5, 0], [20, 40, 5], [0, 5, 20]])
    shares = np.array([0.1, 0.2, 0.7])
    predicted = (confusion / confusion.sum(axis=0) @ shares * 10_000).round().astype(np.int64)
    found = black_box_shares(confusion, predicted, confidence=0.95, seed=0)
    assert found is not None
    np.testing.assert_allclose(found.shares, shares, atol=1e-3)
    assert np.all((found.low <= shares) & (shares <= found.high))
    table = confusion / confusion.sum(axis=0)
    assert found.smallest_singular_value == pytest.approx(np.sqrt(np.linalg.eigvalsh(table.T @ table)[0]))


@pytest.mark.parametrize(("n_known", "n_predicted"), [(10_000, 100), (100, 10_000)])
def test_few_predictions_widen_the_intervals_and_so_do_few_rows_of_the_confusion(
    n_known: int, n_predicted: int
) -> None:
    def width(known: int, predicted: int) -> float:
        confusion, mix = np.array([[8, 2], [2, 8]]) * known // 10, np.array([5, 5]) * predicted // 10
        found = black_box_shares(confusion, mix, confidence=0.95, seed=0)
        assert found is not None
        return float((found.high - found.low).max())

    assert width(n_known, n_predicted) > 4 * width(10_000, 10_000)


def test_rows_of_one_group_count_as_few() -> None:
    assert effective_number(np.arange(7)) == 7
    assert effective_number(np.repeat(np.arange(7), 4)) == 7
    assert effective_number(np.append(np.zeros(60), np.arange(1, 41))) == 3  # 100^2 / (60^2 + 40)


def test_fewer_independent_rows_make_wider_intervals_around_the_same_shares() -> None:
    confusion, predicted = np.array([[80, 20], [20, 80]]), np.array([60, 40])
    all_rows, same, few = (
        black_box_shares(confusion, predicted, independent=each, confidence=0.95, seed=0)
        for each in (None, (np.array([100, 100]), 100), (np.array([100, 100]), 10))
    )
    assert all_rows is not None
    assert same is not None
    assert few is not None
    np.testing.assert_array_equal(same.high, all_rows.high)
    np.testing.assert_array_equal(few.shares, all_rows.shares)
    assert np.all(few.high - few.low > 1.5 * (all_rows.high - all_rows.low))


def test_a_share_below_zero_becomes_zero() -> None:
    found = black_box_shares(np.array([[80, 20], [20, 80]]), np.array([95, 5]), confidence=0.95, seed=0)
    assert found is not None
    assert found.shares.tolist() == [1, 0]


def test_a_classifier_that_guesses_tells_nothing() -> None:
    assert black_box_shares(np.array([[50, 49], [50, 51]]), np.array([9, 9]), confidence=0.95, seed=0) is None


@pytest.mark.simulation
def test_the_intervals_hold_the_shares() -> None:
    truth, table = np.array([0.2, 0.5, 0.3]), np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.2], [0.1, 0.1, 0.7]])
    draws, held = 200, np.zeros(3)
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        confusion = np.stack([rng.multinomial(60, each) for each in table.T], axis=1)
        found = black_box_shares(confusion, rng.multinomial(150, table @ truth), confidence=0.95, seed=seed)
        assert found is not None
        held += (found.low <= truth) & (truth <= found.high)
    assert held.min() >= binom.ppf(0.001, draws, 0.95)
    assert held.max() < draws


@pytest.mark.parametrize(
    ("confusion", "predicted"),
    [([[1, 2]], [1, 1]), ([[1, 0], [1, 0]], [1, 1]), ([[1, 0], [0, 1]], [0, 0])],
)
def test_a_confusion_that_does_not_fit_is_refused(confusion: list[list[int]], predicted: list[int]) -> None:
    with pytest.raises(ValueError, match=r"^black_box_shares: want a confusion of 2 x 2 with rows of every class"):
        black_box_shares(np.array(confusion), np.array(predicted), confidence=0.95, seed=0)
