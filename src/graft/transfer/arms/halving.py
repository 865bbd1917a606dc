"""Which runs an arm needs, and which rate is best: successive halving over the seeds, from the scores alone."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from graft.networks.outputs import Score
from graft.params.learning import Training
from graft.records.common import Budget
from graft.records.training import Trial


class RunKey(NamedTuple):
    """The name of one run."""

    budget: Budget
    seed: int
    rate: float


class Halving(NamedTuple):
    """The rates that are tried at one budget, and the paired seeds in the order in which they decide."""

    budget: Budget
    rates: tuple[float, ...]
    seeds: tuple[int, ...]


class Chosen(NamedTuple):
    """The outcome of a halving."""

    rate: float
    trials: tuple[Trial, ...]
    runs: tuple[RunKey, ...]
    """the runs at the chosen rate, in the order of the seeds"""


Scores = Mapping[RunKey, Score]


def startable(halving: Halving, ended: Scores) -> list[RunKey]:
    """Runs that the halving is certain to need and that have not ended, in the order of the seeds.

    All rates run with the first seed. The better half of them, rounded up, runs with the next seed, and so on; the
    last one runs with all seeds that are left. While u runs of a seed are still open, the best n - u of those that
    ended are certain to be among the best n, so their next runs start before the seed is complete. The set of runs
    is the same in whatever order they end.

    Args:
        halving: rates and seeds of one budget.
        ended: validation scores of the runs that have ended.

    Source: Karnin, Koren and Somekh, Almost optimal exploration in multi-armed bandits, ICML (2013). There the runs
    of all rounds are equally many; here a round is one seed, so that no rate has an easier one than another.
    """
    n_left = rates_by_seed(len(halving.rates), len(halving.seeds))
    certain, needed = list(halving.rates), list[RunKey]()
    for place, seed in enumerate(halving.seeds):
        needed += (RunKey(halving.budget, seed, rate) for rate in certain)
        if n_left[place] > 1 and place + 1 < len(n_left):
            done = [rate for rate in certain if RunKey(halving.budget, seed, rate) in ended]
            n_open = n_left[place] - len(done)
            certain = _ranked(done, halving, place + 1, ended)[: max(0, n_left[place + 1] - n_open)]
    return [run for run in needed if run not in ended]


def choose(halving: Halving, ended: Scores) -> Chosen:
    """Choose the rate once no run is startable any more.

    The best rate has the highest mean validation accuracy over all seeds, then the lowest mean loss, then it is the
    smallest. A trial says what the choice rests on: it ends with the last seed that more than one rate ran with, also
    for the winner.

    Args:
        halving: rates and seeds of one budget.
        ended: validation scores of all its runs.
    """
    budget, rates, seeds = halving
    last = [rate for rate in rates if RunKey(budget, seeds[-1], rate) in ended]
    best = _ranked(last, halving, len(seeds), ended)[0]
    n_deciding = max(1, sum(n > 1 for n in rates_by_seed(len(rates), len(seeds))))
    trials = tuple(_trial(rate, halving._replace(seeds=seeds[:n_deciding]), ended) for rate in rates)
    return Chosen(best, trials, tuple(RunKey(budget, seed, best) for seed in seeds))


def rates_by_seed(n_rates: int, n_seeds: int) -> list[int]:
    """Number of rates that each seed runs with: all, then half as many as the seed before, rounded up, at least 1."""
    return [-(-n_rates // 2**index) for index in range(n_seeds)]


def rates_around(found: float, n: int) -> tuple[float, ...]:
    """N rates, each 3 times the one before, with the rate that was found in the middle."""
    return tuple(found * 3.0 ** (index - (n - 1) / 2) for index in range(n))


def seeds_of(first_seed: int, training: Training) -> tuple[int, ...]:
    """The paired seeds, from the first one upwards."""
    return tuple(first_seed + index for index in range(training.n_seeds))


def _means(rate: float, halving: Halving, ended: Scores) -> tuple[float, float, int]:
    """Mean accuracy and mean loss over the seeds that ran with the rate, and their number."""
    runs = (RunKey(halving.budget, seed, rate) for seed in halving.seeds)
    scores = [ended[run] for run in runs if run in ended]
    # fmean rounds once, so that equal scores in another order tie to the last bit
    return fmean(each.accuracy for each in scores), fmean(each.loss for each in scores), len(scores)


def _ranked(rates: Sequence[float], halving: Halving, n_seeds: int, ended: Scores) -> list[float]:
    """Rates from best to worst by their runs with the first n_seeds seeds."""
    so_far = halving._replace(seeds=halving.seeds[:n_seeds])

    def rank(rate: float) -> tuple[float, float, float]:
        accuracy, loss, _ = _means(rate, so_far, ended)
        return -accuracy, loss, rate

    return sorted(rates, key=rank)


def _trial(rate: float, halving: Halving, ended: Scores) -> Trial:
    accuracy, loss, n_seeds = _means(rate, halving, ended)
    return Trial(budget=halving.budget, rate=rate, n_seeds=n_seeds, val_accuracy=accuracy, val_loss=loss)
