"""Power against the noncentral t distribution and against simulated comparisons."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import binom, chi2, nct, t

from graft.statistics.comparison.interval import difference_of, outcome_of
from graft.statistics.comparison.layout import Layout, Units, layout_of
from graft.statistics.comparison.power import (
    CouldShow,
    could_show_of,
    detectable,
    enlargement,
    equal_units,
    power_of,
    scaled,
    seeds_for,
    smallest_margin,
    to_show_of,
)
from graft.statistics.comparison.spread import Variances, standard_error

# +0.87 points on 646 images with 8 seeds, an interval of +-3.05 points
OPEN = Variances(0.00043, 0.092, 0.171)


@pytest.mark.parametrize("n_seeds", [3, 5, 8])
@pytest.mark.parametrize("level", [0.05, 0.01])
def test_power_is_that_of_the_noncentral_t(n_seeds: int, level: float) -> None:
    error, freedom = standard_error(OPEN, n_seeds, equal_units(646))
    for difference in (0.02, 0.04, 0.08):
        want = nct.sf(t.ppf(1 - level / 2, freedom), freedom, difference / error)
        assert power_of(difference, OPEN, n_seeds, 646, level) == pytest.approx(want, abs=2e-3)
        assert power_of(-difference, OPEN, n_seeds, 646, level) == power_of(difference, OPEN, n_seeds, 646, level)


def simulated(difference: float, variances: Variances, k: int, layout: Layout, draws: int) -> NDArray[np.str_]:
    rng, n = np.random.default_rng(0), layout.n_images
    outcomes = []
    for _ in range(draws):
        seeds, units, rest = (
            np.sqrt(size) * rng.normal(size=shape)
            for size, shape in zip(variances, ((k, 1), (1, n), (k, n)), strict=True)
        )
        found = difference_of(difference + seeds + units + rest, layout)
        outcomes.append(outcome_of(found.difference, found.equivalence, 0.0))
    return np.array(outcomes)


@pytest.mark.simulation
def test_a_difference_that_is_detectable_is_shown_four_times_in_five() -> None:
    variances = Variances(0.0002, 0.02, 0.1)
    for k, n in ((5, 150), (8, 646)):
        size = detectable(variances, k, n)
        assert size is not None
        shown = int(np.sum(simulated(size, variances, k, layout_of(n), 1000) == "POSITIVE"))
        assert binom.ppf(0.001, 1000, 0.76) <= shown <= binom.ppf(0.999, 1000, 0.84)


@pytest.mark.simulation
def test_the_floor_counts_in_what_is_detectable() -> None:
    """Arms that hardly ever differ on 60 images: the unseen share decides, not the standard error."""
    variances = Variances(0.0, 0.004, 0.001)
    size = detectable(variances, 8, 60)
    assert size is not None
    assert size > 1 - 0.05 ** (1 / 60)
    shown = int(np.sum(simulated(size, variances, 8, layout_of(60), 1000) == "POSITIVE"))
    assert binom.ppf(0.001, 1000, 0.77) <= shown <= binom.ppf(0.999, 1000, 0.83)


@pytest.mark.simulation
def test_no_margin_is_promised_that_is_smaller_than_what_a_small_class_may_hide() -> None:
    """What is unseen in a class of 10 moves the mean of two classes by half of its share."""
    units = layout_of(610, classes=np.repeat([0, 1], [10, 600])).units
    margin = smallest_margin(Variances(0.0, 0.001, 0.001), 5, units)
    assert margin is not None
    assert margin >= 1 - 0.05 ** (1 / 20)


def test_within_the_smallest_margin_no_difference_is_equivalent_four_times_in_five() -> None:
    variances, layout = Variances(0.00002, 0.02, 0.1), layout_of(400)
    margin = smallest_margin(variances, 8, 400)
    assert margin is not None
    rng, fired = np.random.default_rng(1), 0
    for _ in range(1000):
        parts = [
            np.sqrt(s) * rng.normal(size=shape) for s, shape in zip(variances, ((8, 1), (400,), (8, 400)), strict=True)
        ]
        inner = difference_of(parts[0] + parts[1] + parts[2], layout).equivalence
        fired += -margin <= inner.low and inner.high <= margin
    assert binom.ppf(0.001, 1000, 0.77) <= fired <= binom.ppf(0.999, 1000, 0.83)


def test_detectable_and_power_are_each_others_inverse() -> None:
    size = detectable(OPEN, 8, 646, power=0.9)
    assert size is not None
    assert power_of(size, OPEN, 8, 646) == pytest.approx(0.9)


def test_half_the_interval_times_1_43_is_what_can_be_shown() -> None:
    error, freedom = standard_error(OPEN, 8, equal_units(646))
    size = detectable(OPEN, 8, 646)
    assert size is not None
    assert size / (error * t.ppf(0.975, freedom)) == pytest.approx(1.43, abs=0.02)


def test_nothing_up_to_one_is_none() -> None:
    assert detectable(Variances(1.0, 1.0, 1.0), 3, 10) is None
    assert smallest_margin(Variances(1.0, 1.0, 1.0), 3, 10) is None


def test_without_any_variance_the_floor_is_what_can_be_shown() -> None:
    floor = 1 - 0.05 ** (1 / 50)
    none = Variances(0.0, 0.0, 0.0)
    assert detectable(none, 5, 50) == smallest_margin(none, 5, 50) == pytest.approx(floor)
    assert power_of(floor * 1.01, none, 5, 50) == 1
    assert power_of(floor * 0.99, none, 5, 50) == 0


def test_seeds_are_the_fewest_that_show_a_difference() -> None:
    seeds = seeds_for(0.045, OPEN, 646)
    assert seeds is not None
    assert power_of(0.045, OPEN, seeds, 646) >= 0.8 > power_of(0.045, OPEN, seeds - 1, 646)
    assert seeds_for(0.01, OPEN, 646) is None  # the images' own spread remains


def test_three_seeds_are_the_fewest_as_two_claim_nothing() -> None:
    assert seeds_for(0.9, Variances(0.0, 0.01, 0.01), 646) == 3


def test_fewer_effective_units_show_less() -> None:
    few, many = (detectable(Variances(0.0, 0.3, 0.1), 5, Units(30, effective, 30, effective)) for effective in (6, 30))
    assert few is not None
    assert many is not None
    assert few > many


def test_what_a_run_could_have_shown_shrinks_to_what_seeds_or_images_leave() -> None:
    could = could_show_of(OPEN, 8, equal_units(646), 0.05)
    assert could.any_seeds == pytest.approx(detectable(OPEN, 10**7, 646), rel=1e-3)
    assert could.any_images == pytest.approx(detectable(OPEN, 8, 1e9), rel=1e-3)
    assert could_show_of(Variances(0.0, 0.1, 0.1), 8, equal_units(646), 0.05).any_images == 0.0
    assert could_show_of(Variances(1.0, 1.0, 1.0), 3, equal_units(5), 0.05) == CouldShow(None, None, None)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_what_scores_without_ends_could_have_shown_is_in_their_unit(scale: float) -> None:
    units = equal_units(646)._replace(floor=math.inf)
    one, other = (could_show_of(Variances(*(s**2 * part for part in OPEN)), 8, units, 0.05) for s in (1.0, scale))
    assert other == pytest.approx(CouldShow(*(scale * (each or math.nan) for each in one)))


def test_a_difference_above_one_is_what_wide_losses_could_have_shown() -> None:
    """No end at 1: power by the noncentral t at the size that was found."""
    variances = Variances(4.0, 90.0, 170.0)
    found = could_show_of(variances, 4, equal_units(50)._replace(floor=math.inf), 0.05)
    assert found.as_is is not None
    assert found.as_is > 1
    error, freedom = standard_error(variances, 4, equal_units(50))
    assert nct.sf(t.ppf(0.975, freedom), freedom, found.as_is / error) == pytest.approx(0.8, abs=2e-3)


def test_losses_that_do_not_vary_show_any_difference() -> None:
    units = equal_units(50)._replace(floor=math.inf)
    assert could_show_of(Variances(0.0, 0.0, 0.0), 5, units, 0.05) == CouldShow(0.0, 0.0, 0.0)
    assert could_show_of(Variances(1.0, 0.0, 1.0), 5, units, 0.05).any_seeds == 0.0


def test_seeds_and_images_together_show_the_estimate_four_times_in_five() -> None:
    found = to_show_of(0.0087, OPEN, 8, equal_units(646), 0.05)
    assert found is not None
    seeds, times = found
    assert power_of(0.0087, OPEN, seeds, 646 * times) == pytest.approx(0.8)
    # as much as 100 seeds and 17,800 images do, and no dearer
    assert power_of(0.0087, OPEN, 100, 17_800) == pytest.approx(0.8, abs=0.01)
    assert 0.9 < seeds * times * 646 / (100 * 17_800) < 1


@pytest.mark.parametrize("size", [0.02, 0.0087, 0.03])
def test_other_numbers_of_seeds_cost_more_predictions(size: float) -> None:
    found = to_show_of(size, OPEN, 8, equal_units(646), 0.05)
    assert found is not None
    seeds, times = found
    for other in (seeds * 0.7, seeds * 1.4):
        assert power_of(size, OPEN, other, 0.97 * seeds * times * 646 / other) < 0.8


def test_what_shows_an_estimate_is_never_less_than_there_is() -> None:
    seeds, times = to_show_of(0.3, OPEN, 8, equal_units(646), 0.05) or (0, 0.0)
    assert (seeds, times) == (8, 1.0)
    assert (to_show_of(0.3, OPEN, 2, equal_units(646), 0.05) or (0,))[0] == 3


def test_no_number_shows_a_difference_that_is_not_there() -> None:
    assert to_show_of(0.0, OPEN, 8, equal_units(646), 0.05) is None
    assert to_show_of(1e-9, OPEN, 8, equal_units(646), 0.05) is None


def test_more_units_of_the_same_kind_keep_their_shares() -> None:
    assert scaled(Units(10, 4, 8, 4), 3) == Units(30, 12, 24, 12)
    assert scaled(Units(10, 4, 8, 4), math.inf) == Units(*[math.inf] * 4)


@pytest.mark.parametrize("freedom", [4, 10, 40])
def test_an_enlarged_estimate_keeps_its_promise_on_average(freedom: int) -> None:
    quantile = t.ppf(0.975, freedom)
    of_truth = brentq(lambda size: nct.sf(quantile, freedom, size) - 0.8, 1, 10)
    estimates = np.sqrt(chi2.ppf((np.arange(400) + 0.5) / 400, freedom) / freedom)
    by_estimate = nct.sf(quantile, freedom, of_truth * estimates).mean()
    enlarged = nct.sf(quantile, freedom, of_truth * np.sqrt(enlargement(freedom)) * estimates).mean()
    assert by_estimate < 0.79
    assert enlarged == pytest.approx(0.8, abs=0.01)


def test_a_spread_that_is_known_is_not_enlarged() -> None:
    assert enlargement(math.inf) == pytest.approx(1.0, abs=1e-6)
