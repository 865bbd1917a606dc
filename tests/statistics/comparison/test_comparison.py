"""Two arms compared: degenerate cases, groups, settling numbers, bad input."""

import numpy as np
import pytest
from numpy.typing import NDArray

from graft.statistics.comparison.comparison import Comparison, Question, compare_arms, mean_score, unit_values
from graft.statistics.comparison.crossed import crossed_mean, difference_half_width, half_width
from graft.statistics.comparison.settling import is_settled

Floats = NDArray[np.float64]

QUESTION = Question(confidence=0.95, margin=0.005, seed=0)


def arms(p_a: float, p_b: float, k: int = 5, n: int = 300, seed: int = 0) -> tuple[Floats, Floats]:
    """Scores of two arms that are right with these probabilities: 1.0 or 0.0, (k, n) of each."""
    rng = np.random.default_rng(seed)
    return (rng.random((k, n)) < p_a).astype(np.float64), (rng.random((k, n)) < p_b).astype(np.float64)


def test_the_difference_and_its_seeds_agree_with_the_accuracies() -> None:
    a, b = arms(0.8, 0.6)
    comparison = compare_arms(a, b, None, QUESTION)
    assert comparison.difference.estimate == pytest.approx(a.mean() - b.mean())
    np.testing.assert_allclose(comparison.by_seed, a.mean(axis=1) - b.mean(axis=1))
    assert (comparison.n_seeds, comparison.n_images, comparison.n_units) == (5, 300, 300)
    assert comparison.difference.low > 0
    assert comparison.sign_flip_p == 2 / 32
    assert comparison.bootstrap.low > 0


def test_swapped_arms_give_the_mirrored_interval() -> None:
    a, b = arms(0.8, 0.75)
    one, other = compare_arms(a, b, None, QUESTION), compare_arms(b, a, None, QUESTION)
    assert one.difference.low == pytest.approx(-other.difference.high)
    assert one.sign_flip_p == other.sign_flip_p


def test_arms_that_never_differ_may_still_differ_on_unseen_images() -> None:
    a, _ = arms(0.8, 0.5)
    comparison = compare_arms(a, a, None, QUESTION)
    share = comparison.difference.high
    assert (1 - share) ** 300 == pytest.approx(0.05)  # a share this large would have shown itself in 95 % of cases
    assert comparison.difference == (0.0, -share, share)
    assert comparison.bootstrap == (0.0, 0.0, 0.0)
    assert comparison.sign_flip_p == 1.0
    assert np.isfinite(comparison.degrees_of_freedom)


@pytest.mark.parametrize("group_size", [1, 10])
def test_enough_images_without_a_difference_settle_it(group_size: int) -> None:
    def never_apart(n: int) -> Comparison:
        a, _ = arms(0.8, 0.5, n=n)
        return compare_arms(a, a, np.arange(n) // group_size, QUESTION)

    few = never_apart(300)
    assert few.images_to_settle is not None
    assert few.seeds_to_settle is None
    assert never_apart(few.images_to_settle).difference.high <= QUESTION.margin
    assert never_apart(few.images_to_settle - group_size).difference.high > QUESTION.margin


def test_a_difference_of_shares_cannot_pass_one() -> None:
    a, b = arms(0.9, 0.5, k=2, n=4)
    comparison = compare_arms(a, b, None, QUESTION)
    assert -1 <= comparison.difference.low < comparison.difference.high <= 1


def test_one_differing_prediction_is_no_surer_than_none() -> None:
    a, _ = arms(0.8, 0.5, n=100)
    b = a.copy()
    b[0, 0] = 1 - b[0, 0]
    one, none = compare_arms(a, b, None, QUESTION), compare_arms(a, a, None, QUESTION)
    assert one.difference.high - one.difference.low >= none.difference.high - none.difference.low


def test_an_arm_that_is_always_right_may_be_wrong_on_unseen_images() -> None:
    right = np.ones((5, 100))
    accuracy = mean_score(right, None, 0.95)
    assert accuracy.low**100 == pytest.approx(0.05)
    assert accuracy.high == 1


def test_groups_of_similar_images_widen_the_interval() -> None:
    flips = np.random.default_rng(1).random((2, 5, 40)) < 0.05
    few = [np.abs(each[:1] - flip) for each, flip in zip(arms(0.8, 0.7, n=40), flips, strict=True)]  # seeds agree
    a, b = (np.repeat(each, 5, axis=1) for each in few)
    groups = np.repeat(np.arange(40), 5)
    alone, grouped = compare_arms(a, b, None, QUESTION), compare_arms(a, b, groups, QUESTION)
    first = compare_arms(few[0], few[1], None, QUESTION)
    assert (grouped.n_images, grouped.n_units) == (200, 40)
    assert grouped.difference == pytest.approx(first.difference)  # copies bring no evidence
    width = [each.difference.high - each.difference.low for each in (alone, grouped)]
    assert width[1] > 1.5 * width[0]


def test_unequal_groups_keep_the_mean_over_images_of_every_seed() -> None:
    a, b = arms(0.8, 0.6, n=200)
    values = a - b
    groups = np.random.default_rng(0).choice(30, size=200, p=np.arange(1, 31) / 465).astype(str)
    units = unit_values(values, groups)
    assert units.shape == (5, len(np.unique(groups)))
    np.testing.assert_allclose(units.mean(axis=1), values.mean(axis=1), atol=1e-12)


def test_a_group_counts_by_its_deviation_from_the_mean_of_all_seeds_times_its_images() -> None:
    values = np.array([[1.0, 1, 1, 0, 0, 1], [1, 0, 0, 0, 0, 1]])  # the mean is a half
    units = unit_values(values, np.array(["a", "a", "a", "a", "b", "b"]))
    a = [(3 - 4 / 2) * 2 / 6, (1 - 4 / 2) * 2 / 6]
    b = [(1 - 2 / 2) * 2 / 6, (1 - 2 / 2) * 2 / 6]
    np.testing.assert_allclose(units, 0.5 + np.array([a, b]).T)


def test_a_million_images_are_a_million_also_in_groups() -> None:
    """300,000 units would settle the comparison: as many images, or ten times as many in groups of ten."""
    a, _ = arms(0.8, 0.5)
    small = Question(confidence=0.95, margin=1e-5, seed=0)
    assert compare_arms(a, a, None, small).images_to_settle == pytest.approx(3e5, rel=0.01)
    assert compare_arms(a, a, np.arange(300) // 10, small).images_to_settle is None


def test_group_sizes_alone_add_no_spread() -> None:
    groups = np.repeat(np.arange(10), np.arange(1, 11))
    right = np.ones((3, 55))
    right[:, ::2] = 0
    accuracy = mean_score(right, groups, 0.95)
    assert accuracy.high - accuracy.low < 0.2
    always = mean_score(np.ones((3, 55)), groups, 0.95)
    assert always == pytest.approx((1.0, 0.05 ** (1 / 10), 1.0))  # ten groups, not 55 images


def test_groups_of_one_image_are_the_same_as_no_groups() -> None:
    a, b = arms(0.8, 0.7)
    names = np.array([f"g{each:03}" for each in np.random.default_rng(0).permutation(300)])
    assert compare_arms(a, b, names, QUESTION) == compare_arms(a, b, None, QUESTION)


def test_accuracy_has_the_crossed_interval_cut_to_shares() -> None:
    right, nearly = arms(0.7, 0.998)
    mean = crossed_mean(right, 0.9)
    assert mean_score(right, None, 0.9) == pytest.approx((mean.estimate, mean.low, mean.high))
    assert mean_score(nearly, None, 0.95).high == 1.0


def test_settling_numbers_bring_the_interval_off_zero() -> None:
    a, b = arms(0.72, 0.69, seed=3)
    comparison = compare_arms(a, b, None, QUESTION)
    estimate = comparison.difference.estimate
    assert comparison.difference.low < 0 < comparison.difference.high
    assert comparison.seeds_to_settle is not None
    assert comparison.images_to_settle is not None
    for k, n, want in (
        (comparison.seeds_to_settle, 300, True),
        (comparison.seeds_to_settle - 1, 300, False),
        (5, comparison.images_to_settle, True),
        (5, comparison.images_to_settle - 1, False),
    ):
        half = half_width(comparison.variances, np.array(k), np.array(n), 0.95)
        assert bool(is_settled(estimate, half, 0.005)) is want


def test_images_to_settle_count_images_and_not_groups() -> None:
    few = arms(0.75, 0.65, n=60, seed=6)
    one = compare_arms(*few, None, QUESTION)
    a, b = (np.repeat(each, 4, axis=1) for each in few)
    grouped = compare_arms(a, b, np.repeat(np.arange(60), 4), QUESTION)
    assert one.images_to_settle is not None
    assert grouped.images_to_settle == 4 * one.images_to_settle


def test_images_to_settle_are_those_of_the_fewest_groups_that_do() -> None:
    """Groups of two and three images in turn: 2.5 images each on average."""
    few = arms(0.75, 0.65, n=60, seed=4)
    a, b = (np.repeat(each, [2, 3] * 30, axis=1) for each in few)
    comparison = compare_arms(a, b, np.repeat(np.arange(60), [2, 3] * 30), QUESTION)
    assert comparison.images_to_settle is not None
    n_units = int(comparison.images_to_settle / 2.5)
    assert comparison.images_to_settle == n_units * 2.5 + 0.5  # rounded up

    def settles(n: int) -> bool:
        half = difference_half_width(comparison.variances, np.array(5), np.array(n), QUESTION.confidence)
        return bool(is_settled(comparison.difference.estimate, half, QUESTION.margin))

    assert settles(n_units)
    assert not settles(n_units - 1)


def test_arms_of_other_shapes_are_an_error() -> None:
    a, b = arms(0.8, 0.7)
    with pytest.raises(ValueError, match=r"want both arms as \(seeds, images\) of one shape"):
        compare_arms(a, b[:4], None, QUESTION)


@pytest.mark.parametrize("kind", [np.bool_, np.int64])
def test_scores_are_floats_and_never_right_or_wrong(kind: type[np.generic]) -> None:
    a, b = arms(0.8, 0.7)
    for one, other in ((a.astype(kind), b), (a, b.astype(kind))):
        with pytest.raises(ValueError, match=f"want scores as floats, got {np.dtype(kind)}"):
            compare_arms(one, other, None, QUESTION)
    with pytest.raises(ValueError, match=f"want scores as floats, got {np.dtype(kind)}"):
        mean_score(a.astype(kind), None, 0.95)


def test_scores_of_any_size_are_compared_as_those_of_accuracy_are() -> None:
    a, b = arms(0.8, 0.6)
    accuracy, halved = compare_arms(a, b, None, QUESTION), compare_arms(a / 2 + 0.1, b / 2, None, QUESTION)
    assert halved.difference.estimate == pytest.approx(accuracy.difference.estimate / 2 + 0.1)
    assert halved.standard_error == pytest.approx(accuracy.standard_error / 2)
    assert halved.sign_flip_p == 2 / 32


def test_groups_of_another_length_are_an_error() -> None:
    a, b = arms(0.8, 0.7)
    with pytest.raises(ValueError, match="want a group for each of 300 images"):
        compare_arms(a, b, np.arange(299), QUESTION)


def test_one_seed_is_an_error() -> None:
    a, b = arms(0.8, 0.7, k=1)
    with pytest.raises(ValueError, match="want at least 2 seeds"):
        compare_arms(a, b, None, QUESTION)
