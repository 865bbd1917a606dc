"""The crossed mean against an explicit analysis of variance, and its coverage."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, t

from graft.statistics.comparison.crossed import Variances, crossed_mean, half_width, standard_error

Floats = NDArray[np.float64]


def table(k: int, u: int, deviations: tuple[float, float, float], rng: np.random.Generator) -> Floats:
    of_seeds, of_units, rest = deviations
    values: Floats = (
        rng.normal(size=(k, 1)) * of_seeds + rng.normal(size=(1, u)) * of_units + rng.normal(size=(k, u)) * rest
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


def test_if_nothing_varies_the_degrees_of_freedom_are_those_of_the_seeds() -> None:
    assert crossed_mean(np.full((4, 9), 0.5), 0.9).degrees_of_freedom == 3


def test_agrees_with_an_explicit_analysis_of_variance() -> None:
    values = table(4, 9, (0.8, 1.0, 0.5), np.random.default_rng(0)) + 3
    a, b, e = analysis_of_variance(values)
    assert a > e  # else a component would be cut to 0
    assert b > e
    variance = (a + b - e) / (4 * 9)
    freedom = (a + b - e) ** 2 / (a**2 / 3 + b**2 / 8 + e**2 / 24)
    mean = crossed_mean(values, 0.9)
    assert mean.estimate == pytest.approx(values.mean())
    assert mean.standard_error == pytest.approx(np.sqrt(variance))
    assert mean.degrees_of_freedom == pytest.approx(freedom)
    half = t.ppf(0.95, freedom) * np.sqrt(variance)
    assert (mean.low, mean.high) == pytest.approx((values.mean() - half, values.mean() + half))
    assert mean.variances == pytest.approx(((a - e) / 9, (b - e) / 4, e))


def test_components_below_zero_are_cut() -> None:
    values = np.array([[1.0, -1.0], [-1.0, 1.0]])  # all interaction: the means of seeds and units do not differ
    mean = crossed_mean(values, 0.95)
    assert mean.variances == (0.0, 0.0, 4.0)
    assert mean.standard_error == pytest.approx(np.sqrt(4.0 / 4))


def test_a_table_without_variance_has_an_interval_without_width() -> None:
    mean = crossed_mean(np.zeros((5, 30)), 0.95)
    assert (mean.low, mean.high, mean.standard_error) == (0.0, 0.0, 0.0)
    assert np.isfinite(mean.degrees_of_freedom)


def test_projection_to_the_present_numbers_is_the_present_interval() -> None:
    mean = crossed_mean(table(5, 40, (0.3, 0.5, 1.0), np.random.default_rng(1)), 0.95)
    half = half_width(mean.variances, np.array(5), np.array(40), 0.95)
    assert half == pytest.approx((mean.high - mean.low) / 2)


def test_standard_error_is_the_sum_of_the_components() -> None:
    error, _ = standard_error(Variances(0.2, 3.0, 7.0), np.array([6]), np.array([50]))
    assert error[0] ** 2 == pytest.approx(0.2 / 6 + 3.0 / 50 + 7.0 / 300)


@pytest.mark.parametrize("shape", [(1, 10), (5, 1)])
def test_one_seed_or_one_unit_is_an_error(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="want at least 2 seeds and 2 images"):
        crossed_mean(np.zeros(shape), 0.95)


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("deviations", "share"),
    [
        ((0.02, 0.3, 0.4), 0.95),
        ((0.0, 0.3, 0.4), 0.95),
        ((0.03, 0.1, 0.4), 0.95),
        ((0.0, 0.0, 0.4), 0.95),
        ((0.05, 0.3, 0.4), 0.94),  # the seeds weigh heavily: the little that Satterthwaite's formula lacks
        ((0.2, 0.3, 0.4), 0.94),
    ],
)
def test_interval_covers_as_often_as_it_says(deviations: tuple[float, float, float], share: float) -> None:
    n_draws = 2000
    rng = np.random.default_rng(0)
    draws = [crossed_mean(table(5, 200, deviations, rng), 0.95) for _ in range(n_draws)]
    covered = sum(mean.low <= 0 <= mean.high for mean in draws)
    print(f"coverage at {deviations}: {covered / n_draws:.3f}")
    assert covered >= binom.ppf(0.001, n_draws, share)


@pytest.mark.simulation
def test_interval_covers_the_difference_of_two_accuracies() -> None:
    n_draws, k, n = 2000, 5, 200
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(n_draws):
        hardness = rng.normal(size=n)  # shared by the arms, so that they agree on many images
        of_arms = [hardness + rng.normal(size=(k, 1)) * 0.2 + rng.normal(size=n) * 0.5 for _ in range(2)]
        right = [rng.random((k, n)) < 1 / (1 + np.exp(-(1 + each))) for each in of_arms]
        mean = crossed_mean(right[0].astype(np.float64) - right[1], 0.95)
        covered += mean.low <= 0 <= mean.high
    print(f"coverage of right and wrong: {covered / n_draws:.3f}")
    assert covered >= binom.ppf(0.001, n_draws, 0.95)
