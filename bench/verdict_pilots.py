"""The gain that `graft plan` promises by the pilots that it really has, and how often that gain is then shown.

A pilot is drawn from a world, the smallest gain is asked of it, and experiments with that true gain are judged.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from verdict_cells import numbered, shapes
from verdict_power import MANY_SEEDS, variances_of
from verdict_worlds import LEVEL, World, chances, draw_of, looked_up, normal

from graft.decisions import pilot
from graft.decisions.pilot import Pilot
from graft.decisions.plan import promise
from graft.records.verdict import VarianceComponents, VerdictRecord
from graft.statistics.comparison.interval import difference_of
from graft.statistics.comparison.layout import Layout, Units, layout_of
from graft.statistics.comparison.power import power_of
from graft.statistics.comparison.spread import Variances, spread_of
from graft.store.catalogue import Labelled

PILOTS, EXPERIMENTS_EACH = 250, 4
# Runs on groups that say what a world is like.
MANY_RUNS = 200
# Of the run that is the pilot, whatever the number of seeds of the run that is planned.
PILOT_SEEDS = 5

Of = Callable[[World, Layout, np.random.Generator], Pilot]


class Kept(NamedTuple):
    """How the promises of many pilots were kept."""

    gain: float
    """median of the promised gains"""
    none: float
    """share of the pilots by which nothing can be promised"""
    shown: float
    """share of all experiments in which the promised gain was shown"""
    spread: tuple[float, float]
    """tenth and ninetieth percentile of the power at the promised gain, reckoned by the true variances"""


def worlds() -> dict[str, World]:
    """Worlds by name; their number of seeds is that of the planned run."""
    unequal = {name: cell for name, cell in shapes().items() if name.startswith("100 groups")}
    equal = numbered([5] * 200)
    return {
        **{
            f"{k} seeds, {n:,} images, seed sd {100 * sd:g}": World(k, n, sd)
            for k, n, sd in (
                (5, 150, 0.01),
                (5, 646, 0.0),
                (5, 646, 0.01),
                (5, 646, 0.03),
                (8, 646, 0.01),
                (5, 2_000, 0.01),
                (8, 2_000, 0.03),
            )
        },
        "5 seeds, 200 groups of 5": World(5, len(equal), groups=equal),
        **{f"5 seeds, {name}": World(5, len(groups), groups=groups, alike=r) for name, (groups, r) in unequal.items()},
        "5 seeds, 1,800 : 200 images": World(5, 2_000, rare=(np.arange(2_000) < 200).astype(int)),
    }


def of_run(world: World, layout: Layout, rng: np.random.Generator) -> Pilot:
    """A run of few seeds on other images of the same sizes."""
    spread = spread_of(draw_of(world._replace(n_seeds=PILOT_SEEDS))(rng), layout)
    seen = VerdictRecord.model_construct(
        variances=VarianceComponents(**spread.variances._asdict()),
        n_seeds=PILOT_SEEDS,
        effective_units=spread.units.effective,
    )
    return pilot.of_run(seen, layout, "")


def of_probe(world: World, layout: Layout, rng: np.random.Generator) -> Pilot:
    """A probe that is as often wrong as the arms, on as many training images, in groups of the same sizes."""
    wrong = errors(world, rng)
    labels = np.zeros(world.n_images, np.int64) if world.rare is None else world.rare
    groups = np.arange(world.n_images) if world.groups is None else world.groups
    names = groups.astype(np.str_)
    return pilot.of_errors(wrong, Labelled(np.arange(len(names)), labels, names, names), layout, labels)


def assumed(_world: World, layout: Layout, _rng: np.random.Generator) -> Pilot:
    """Nothing but the sizes."""
    return pilot.assumed(layout)


def errors(world: World, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(n,) whether a classifier that is as accurate as an arm is wrong."""
    label = np.zeros(world.n_images, int) if world.rare is None else world.rare
    tables = [chances(world.accuracy - 0.2 * each, world.concentration) for each in range(label.max() + 1)]
    latent = normal(rng, world, 1)[0]
    right = np.select([label == each for each in range(len(tables))], [looked_up(latent, t) for t in tables])
    return rng.random(world.n_images) >= right


def kept(world: World, of: Of, seed: int) -> Kept:
    """Draw pilots, and judge experiments with the gain that each promises."""
    layout, rng, truth = layout_of(world.n_images, world.groups, world.rare), np.random.default_rng(seed), true(world)
    n_pilots = 1 if of is assumed else PILOTS
    gains = [promise(of(world, layout, rng), world.n_seeds, LEVEL) for _ in range(n_pilots)]
    known = [each for each in gains if each is not None]
    if not known:
        return Kept(np.nan, 1.0, np.nan, (np.nan, np.nan))
    times = PILOTS * EXPERIMENTS_EACH // n_pilots
    shown = [
        difference_of(draw(rng), layout, LEVEL).difference.low > 0
        for draw in (draw_of(world._replace(difference=each)) for each in known)
        for _ in range(times)
    ]
    powers = [power_of(each, *truth, LEVEL) for each in known]
    low, high = np.quantile(powers, (0.1, 0.9))
    return Kept(float(np.median(known)), 1 - len(known) / n_pilots, float(np.mean(shown)), (float(low), float(high)))


def true(world: World) -> tuple[Variances, int, Units]:
    """Variances, seeds and units of the planned run as they are, by a very large run, on groups by the mean of many."""
    layout = layout_of(world.n_images, world.groups, world.rare)
    if world.groups is None and world.rare is None:
        return variances_of(world), world.n_seeds, layout.units
    draw, rng = draw_of(world._replace(n_seeds=MANY_SEEDS)), np.random.default_rng(7)
    spreads = [spread_of(draw(rng), layout) for _ in range(MANY_RUNS)]
    variances = Variances(*np.mean([each.variances for each in spreads], axis=0))
    effective = float(np.mean([each.units.effective for each in spreads]))
    return variances, world.n_seeds, layout.units._replace(effective=effective)
