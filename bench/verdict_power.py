"""What the verdict can show, simulated against what `graft plan` and an open verdict promise."""

import numpy as np
from verdict_worlds import World, draw_of, tally_of

from graft.decisions.pilot import Pilot
from graft.decisions.plan import promise
from graft.statistics.comparison.layout import layout_of
from graft.statistics.comparison.power import power_of, to_show_of
from graft.statistics.comparison.spread import Variances, spread_of

# Size of the single draw that says what a world is like.
MANY_SEEDS, MANY_IMAGES = 50, 40_000


def variances_of(world: World) -> Variances:
    """True components of variance: that of the seeds is known, the others are those of a very large draw."""
    large = world._replace(n_seeds=MANY_SEEDS, n_images=MANY_IMAGES)
    drawn = spread_of(draw_of(large)(np.random.default_rng(7)), layout_of(MANY_IMAGES)).variances
    return drawn._replace(seeds=2 * world.seed_sd**2)


def disagreement_of(world: World) -> float:
    """Share of the images on which the arms disagree in one seed."""
    large = world._replace(n_seeds=MANY_SEEDS, n_images=MANY_IMAGES)
    return float(np.abs(draw_of(large)(np.random.default_rng(8))).mean())


def reckoned(world: World, variances: Variances) -> float:
    """Power that `graft.statistics.comparison.power` gives for the difference of a world."""
    return power_of(world.difference, variances, world.n_seeds, world.n_images)


def promised(world: World) -> World | None:
    """The world with the smallest difference that `graft plan` promises to show, where it promises one."""
    variances, units = variances_of(world), layout_of(world.n_images).units
    least = promise(Pilot(variances, units, "run", ""), world.n_seeds, 0.05)
    return None if least is None else world._replace(difference=least)


def enlarged(world: World) -> World | None:
    """The world with the seeds and images together that an open verdict names for its difference."""
    found = to_show_of(
        world.difference, variances_of(world), world.n_seeds, layout_of(world.n_images).units, level=0.05
    )
    if found is None:
        return None
    return world._replace(n_seeds=found[0], n_images=int(np.ceil(found[1] * world.n_images)))


def shown(world: World, seed: int) -> float:
    """Share of the experiments in which the true difference is shown."""
    return tally_of(world, seed).positive
