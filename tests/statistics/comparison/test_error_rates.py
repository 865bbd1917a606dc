"""The verdict on 2,000 simulated experiments a cell: false claims, coverage, power, and what it promises.

The worlds are those of bench/verdict.py, whose table has more of them.
"""

from importlib import import_module

import pytest
from tests.house import ROOT

from graft.statistics.comparison.layout import layout_of

pytestmark = pytest.mark.simulation

with pytest.MonkeyPatch.context() as patch:
    # bench/ is no package
    patch.syspath_prepend(str(ROOT / "bench"))
    cells, power, rates, worlds = (import_module(f"verdict_{name}") for name in ("cells", "power", "rates", "worlds"))

EQUAL = {**cells.plain(), **cells.accurate(), **cells.grouped(), **cells.rare()}
TESTED = [name for name, world in EQUAL.items() if world.rare is None or world.n_images < 2_000]
SEED = 1


def test_the_bound_is_the_one_that_a_valid_claim_exceeds_once_in_a_thousand_times() -> None:
    assert cells.bound() == 0.0365


@pytest.mark.parametrize("name", TESTED)
def test_equal_arms_are_rarely_told_apart(name: str) -> None:
    world = EQUAL[name]
    found, limits = worlds.tally_of(world, SEED), layout_of(world.n_images, world.groups, world.rare).limits
    assert max(found.positive, found.negative) <= 0.0365
    assert found.coverage >= 0.93
    # the least half width is wide on purpose, and so is the interval of a verdict that is capped
    assert found.coverage <= 0.99 or found.floored >= 0.5 or limits


@pytest.mark.parametrize("k", [5, 8])
@pytest.mark.parametrize("n_val", [40, 150])
@pytest.mark.parametrize("spread", ["5 rates, 2 points apart", "3 rates as in the example"])
def test_the_choice_of_a_rate_in_every_seed_leaves_false_claims_rare(spread: str, n_val: int, k: int) -> None:
    draw = rates.draw_of(worlds.World(k, 646), rates.Choice(rates.SPREADS[spread], n_val))
    found = worlds.tally(draw, layout_of(646), 0.0, SEED)
    assert max(found.positive, found.negative) <= 0.0365
    assert found.coverage >= 0.925


@pytest.mark.parametrize(("k", "n"), [(5, 2_000), (8, 2_000)])
def test_three_points_are_shown_nine_times_in_ten(k: int, n: int) -> None:
    world = worlds.World(k, n, 0.01, 0.03, accuracy=0.95, concentration=0.4, agreement=0.8)
    assert power.disagreement_of(world) <= 0.1
    assert power.shown(world, SEED) >= 0.9


@pytest.mark.parametrize(("k", "n", "sd"), [(5, 150, 0.01), (5, 646, 0.03), (8, 60, 0.0), (8, 646, 0.01)])
def test_the_smallest_gain_of_a_plan_is_shown_four_times_in_five(k: int, n: int, sd: float) -> None:
    assert power.shown(power.promised(worlds.World(k, n, sd)), SEED) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(("k", "n"), [(5, 150), (8, 646)])
def test_seeds_and_images_that_an_open_verdict_names_show_its_difference_four_times_in_five(k: int, n: int) -> None:
    more = power.enlarged(worlds.World(k, n, 0.01, 0.03))
    assert power.shown(more, SEED) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(("margin", "k", "n"), [(0.03, 5, 646), (0.02, 8, 2_000)])
def test_a_difference_of_the_margin_is_rarely_called_equivalent(margin: float, k: int, n: int) -> None:
    world = worlds.World(k, n, 0.01, difference=margin, agreement=0.9)
    assert worlds.tally_of(world, SEED, margin).equivalent <= cells.bound(0.05)
    assert worlds.tally_of(world._replace(difference=0.0), SEED, margin).equivalent > 0.2
