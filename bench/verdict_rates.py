"""Simulated experiments of the whole procedure: every seed chooses its rate, then the test images decide."""

from typing import NamedTuple

import numpy as np
from verdict_worlds import GRID, Draw, Floats, Ints, World, chances, outcomes, table_mean

from graft.networks.outputs import Score
from graft.training.loop import Fitted
from graft.transfer.arms.rates import RunKey, chosen_runs

# Share of what makes images hard that is a rate's own. In the built-in example the chances of runs at 0.003 and at
# 0.01 correlate by 0.97 to 1 over the test images.
BY_RATE = 0.02
SPREADS = {
    "3 rates, 2 points apart": (-0.02, 0.0, 0.02),
    "5 rates, 2 points apart": (-0.04, -0.02, 0.0, 0.02, 0.04),
    "3 rates as in the example": (-0.05, 0.0, -0.038),
    "5 rates as in the example": (-0.05, 0.0, -0.038, -0.14, -0.14),
}


class Choice(NamedTuple):
    """What a seed chooses its rate by."""

    spread: tuple[float, ...]
    """true accuracy of each rate beside that of the world"""
    n_val: int
    """validation images, the same for all seeds"""
    n_left: int = 30
    """train images that a seed leaves out, others in every seed"""
    by_rate: float = BY_RATE


def draw_of(world: World, choice: Choice) -> Draw:
    """Make experiments: (k, n) tables of arm a minus arm b on the test images, at the rate that each seed chose."""
    table = chances(world.accuracy, world.concentration)
    undecided, rates = table_mean(table * (1 - table)), np.array(choice.spread)
    shape = (2, len(rates), world.n_seeds)

    def right(rng: np.random.Generator, n: int) -> Floats:
        """(2, r, n) chances of each arm at each rate."""
        common, arm = rng.standard_normal((1, 1, n)), rng.standard_normal((2, 1, n))
        rate = rng.standard_normal((2, len(rates), n))
        shares = (world.agreement, 1 - world.agreement - choice.by_rate, choice.by_rate)
        latent = sum(np.sqrt(share) * each for share, each in zip(shares, (common, arm, rate), strict=True))
        return np.interp(latent, GRID, table).astype(np.float32)

    def weight(chance: Floats) -> Floats:
        return chance * (1 - chance) / undecided

    def draw(rng: np.random.Generator) -> Floats:
        shift = rates[:, None] + world.seed_sd * rng.standard_normal(shape)
        val = np.broadcast_to(right(rng, choice.n_val)[:, :, None], (*shape, choice.n_val))
        left = right(rng, world.n_seeds * choice.n_left).reshape(*shape, choice.n_left)
        seen = np.concatenate([val, left], axis=-1)
        chosen = chosen_rates(seen + shift[..., None] * weight(seen), rng)
        arms, seeds = np.arange(2)[:, None], np.arange(world.n_seeds)
        test = right(rng, world.n_images)
        return outcomes(test[arms, chosen], shift[arms, chosen, seeds, None], weight(test)[arms, chosen], rng)

    return draw


def chosen_rates(chance: Floats, rng: np.random.Generator) -> Ints:
    """(2, k) places of the rates that the seeds of both arms choose, by graft's own rule.

    Args:
        chance: (2, r, k, m) chances to be right on the images that a seed chooses by.
        rng: of the outcomes. The loss falls with the margin by which an image is right.
    """
    margin = chance - rng.random(chance.shape, dtype=np.float32)
    accuracy, loss = np.mean(margin > 0, axis=-1), np.logaddexp(0, -4 * margin).mean(axis=-1)
    chosen = []
    for hits, losses in zip(accuracy, loss, strict=True):
        scores = {key: Score(losses[key], hits[key]) for key in np.ndindex(hits.shape)}
        runs = {RunKey(seed, float(rate)): ended(score) for (rate, seed), score in scores.items()}
        chosen.append([int(run.rate) for run in chosen_runs(runs)])
    return np.array(chosen)


def ended(score: Score) -> Fitted:
    """A run that has ended with this score."""
    return Fitted(best_epoch=1, best=score, curve=(), phases=(), n_seen=0)
