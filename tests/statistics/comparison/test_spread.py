"""The standard error against explicit sums, a closed form, and leaving one group out after another."""

import numpy as np
import pytest
from numpy.typing import NDArray

from graft.statistics.comparison.layout import Units, layout_of
from graft.statistics.comparison.spread import Variances, influence_table, spread_of, standard_error

Floats = NDArray[np.float64]


def table(k: int, n: int, deviations: tuple[float, float, float] = (0.8, 1.0, 0.5), seed: int = 0) -> Floats:
    of_seeds, of_units, rest = deviations
    rng = np.random.default_rng(seed)
    values: Floats = (
        rng.normal(size=(k, 1)) * of_seeds + rng.normal(size=(1, n)) * of_units + rng.normal(size=(k, n)) * rest
    )
    return values


def analysis_of_variance(values: Floats) -> tuple[float, float, float]:
    k, u = values.shape
    total = sum(values[s, i] for s in range(k) for i in range(u)) / (k * u)
    seed_means = [sum(values[s]) / u for s in range(k)]
    unit_means = [sum(values[:, i]) / k for i in range(u)]
    a = u * sum((each - total) ** 2 for each in seed_means) / (k - 1)
    b = k * sum((each - total) ** 2 for each in unit_means) / (u - 1)
    e = sum((values[s, i] - seed_means[s] - unit_means[i] + total) ** 2 for s in range(k) for i in range(u)) / (
        (k - 1) * (u - 1)
    )
    return float(a), float(b), float(e)


def error_of(values: Floats, groups: NDArray[np.int64] | None, labels: NDArray[np.int64] | None) -> tuple[float, float]:
    spread = spread_of(values, layout_of(values.shape[1], groups, labels))
    return standard_error(spread.variances, len(values), spread.units)


def test_images_agree_with_an_explicit_analysis_of_variance() -> None:
    values = table(4, 9)
    a, b, e = analysis_of_variance(values)
    assert a > e  # else a component would be cut to 0
    assert b > e
    error, freedom = error_of(values, None, None)
    assert error**2 == pytest.approx((a + b - e) / (4 * 9))
    assert freedom == pytest.approx((a + b - e) ** 2 / (a**2 / 3 + b**2 / 8 + e**2 / 24))
    assert spread_of(values, layout_of(9)).variances == pytest.approx(((a - e) / 9, (b - e) / 4, e))


def test_components_below_zero_are_cut() -> None:
    values = np.array([[1.0, -1.0], [-1.0, 1.0]])  # all interaction: the means of seeds and units do not differ
    assert spread_of(values, layout_of(2)).variances == (0.0, 0.0, 4.0)
    assert error_of(values, None, None)[0] == pytest.approx(np.sqrt(4.0 / 4))


def test_if_nothing_varies_the_degrees_of_freedom_are_those_of_the_seeds() -> None:
    assert error_of(np.full((4, 9), 0.5), None, None) == (0.0, 3.0)


def test_equal_groups_are_as_many_images_as_there_are_groups() -> None:
    few = table(5, 12)
    whole = np.repeat(few, 4, axis=1) + np.tile([-0.1, 0.1, -0.2, 0.2], 12)  # the same within every group
    assert error_of(whole, np.repeat(np.arange(12), 4), None) == pytest.approx(error_of(few, None, None))


def test_a_seed_and_a_unit_more_change_the_error_as_the_components_say() -> None:
    error, _ = standard_error(Variances(0.2, 3.0, 7.0), 6, Units(50, 50, 50, 50))
    assert error**2 == pytest.approx(0.2 / 6 + 3.0 / 50 + 7.0 / 300)
    assert standard_error(Variances(0.2, 3.0, 7.0), np.inf, Units(50, 50, 50, 50))[0] ** 2 == pytest.approx(3.0 / 50)
    endless = Units(np.inf, np.inf, np.inf, np.inf)
    assert standard_error(Variances(0.2, 3.0, 7.0), 6, endless) == pytest.approx((np.sqrt(0.2 / 6), 5))


def test_units_that_weigh_differently_never_give_more_degrees_of_freedom_than_they_are() -> None:
    # seeds and units vary alike, so that Satterthwaite's formula gives 4 / (1 / 4 + 1 / 5)
    variances = Variances(5.0, 6.0, 0.0)
    assert standard_error(variances, 5, Units(6, 6, 6, 6))[1] == pytest.approx(4 / (1 / 4 + 1 / 5))
    of_more = standard_error(variances._replace(units=30.0), 5, Units(30, 6, 30, 6))
    assert of_more[1] == pytest.approx(5)


def test_the_variance_over_classes_is_the_mean_of_theirs_over_their_number() -> None:
    """Closed form with equal seeds: only images vary, and Welch's degrees of freedom."""
    one = np.random.default_rng(1).normal(size=40)
    labels = np.repeat([0, 1], [10, 30])
    parts = [np.var(one[labels == each], ddof=1) / np.sum(labels == each) / 4 for each in (0, 1)]
    error, freedom = error_of(np.tile(one, (5, 1)), None, labels)
    assert error**2 == pytest.approx(sum(parts))
    welch = sum(parts) ** 2 / (parts[0] ** 2 / 9 + parts[1] ** 2 / 29)
    assert freedom == pytest.approx(min(welch, 1 / np.sum(layout_of(40, None, labels).weights ** 2) - 1))


def test_classes_with_the_same_number_of_images_have_the_metric_of_accuracy() -> None:
    values, labels = table(5, 40), np.arange(40) % 4
    spread = spread_of(values, layout_of(40, None, labels))
    np.testing.assert_allclose(spread.by_seed, values.mean(axis=1))


def metric_of(values: Floats, labels: NDArray[np.int64]) -> float:
    return float(np.mean([values[:, labels == each].mean() for each in np.unique(labels)]))


@pytest.mark.parametrize("n_classes", [1, 3])
def test_the_unit_part_is_that_of_leaving_out_one_group_after_another(n_classes: int) -> None:
    rng = np.random.default_rng(2)
    groups = rng.choice(15, 200, p=np.arange(1, 16) / 120)
    labels = np.arange(200) % n_classes
    values = np.tile(rng.normal(size=200) + rng.normal(size=15)[groups], (4, 1))  # seeds do not differ
    whole = metric_of(values, labels)
    left = [metric_of(values[:, groups != each], labels[groups != each]) for each in np.unique(groups)]
    u = len(left)
    error, _ = error_of(values, groups, labels)
    assert error**2 == pytest.approx((u - 1) / u * np.sum((np.array(left) - whole) ** 2))


def test_the_jackknife_of_equal_groups_is_the_mean_square() -> None:
    """One image more in one group among many: the two methods meet."""
    values = table(5, 3001, (0.1, 1.0, 0.5))
    equal = error_of(values[:, :3000], np.arange(3000) // 3, None)
    nearly = error_of(values, np.minimum(np.arange(3001) // 3, 999), None)
    assert nearly[0] == pytest.approx(equal[0], rel=0.01)


def test_seeds_add_their_variance_over_their_number_to_unequal_groups() -> None:
    rng = np.random.default_rng(3)
    groups = rng.choice(30, 600, p=np.arange(1, 31) / 465)
    base = np.tile(rng.normal(size=600), (5, 1))
    shift = np.array([-0.4, 0.3, 0.1, -0.2, 0.2])
    alone, shifted = (spread_of(each, layout_of(600, groups)) for each in (base, base + shift[:, None]))
    assert shifted.variances.seeds == pytest.approx(np.var(shift, ddof=1))
    assert shifted.variances.units == pytest.approx(alone.variances.units)


def test_unequal_groups_have_at_most_their_effective_number_less_one_as_degrees_of_freedom() -> None:
    groups = np.repeat(np.arange(20), np.r_[np.full(19, 5), 60])
    _, freedom = error_of(np.tile(np.random.default_rng(0).normal(size=155), (5, 1)), groups, None)
    assert freedom == pytest.approx(155**2 / np.sum(np.r_[np.full(19, 5), 60] ** 2) - 1)


def test_few_groups_of_a_class_bring_few_degrees_of_freedom() -> None:
    """Ten small groups are all of one class, which varies alone."""
    groups, labels = np.repeat(np.arange(110), 3), np.repeat([1, 0], [30, 300])
    values = np.where(labels == 1, np.random.default_rng(0).normal(size=110)[groups], 0.0)
    assert error_of(np.tile(values, (5, 1)), groups, labels)[1] == pytest.approx(9)


def test_a_class_in_a_single_group_stays_where_that_group_is_left_out() -> None:
    groups, labels = np.repeat(np.arange(10), 4), np.repeat([1, 0], [4, 36])
    error, freedom = error_of(table(5, 40), groups, labels)
    assert np.isfinite(error)
    assert freedom > 0


def test_influence_values_have_the_metric_of_every_seed_as_their_mean() -> None:
    rng = np.random.default_rng(0)
    values = table(5, 90)
    groups, labels = rng.choice(12, 90), rng.choice(3, 90, p=[0.1, 0.3, 0.6])
    for layout in (layout_of(90), layout_of(90, groups), layout_of(90, None, labels), layout_of(90, groups, labels)):
        rows = influence_table(values, layout)
        assert rows.shape == (5, layout.units.number)
        np.testing.assert_allclose(rows.mean(axis=1), spread_of(values, layout).by_seed, atol=1e-12)


def test_the_influence_value_of_a_group_is_its_deviation_times_its_images() -> None:
    values = np.array([[1.0, 1, 1, 0, 0, 1], [1, 0, 0, 0, 0, 1]])  # the mean is a half
    rows = influence_table(values, layout_of(6, np.array(["a", "a", "a", "a", "b", "b"])))
    a = [(3 - 4 / 2) * 2 / 6, (1 - 4 / 2) * 2 / 6]
    b = [(1 - 2 / 2) * 2 / 6, (1 - 2 / 2) * 2 / 6]
    np.testing.assert_allclose(rows, 0.5 + np.array([a, b]).T)
