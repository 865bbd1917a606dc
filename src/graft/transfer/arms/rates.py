"""The rule by which both arms choose their learning rate: every seed tries every rate, and takes its own best."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from graft.networks.outputs import Score
from graft.params.learning import Training
from graft.records.training import Trial


class RunKey(NamedTuple):
    """The name of one run."""

    seed: int
    rate: float
    variant: str = ""
    """name of a training beside the arms; empty in the arms"""


Scores = Mapping[RunKey, Score]


def seeds_of(first_seed: int, training: Training) -> tuple[int, ...]:
    """The paired seeds, from the first one upwards."""
    return tuple(first_seed + index for index in range(training.n_seeds))


def every_run(seeds: Sequence[int], rates: Sequence[float]) -> tuple[RunKey, ...]:
    """Every seed at every rate, seed by seed."""
    return tuple(RunKey(seed, rate) for seed in seeds for rate in rates)


def chosen_runs(scores: Scores) -> tuple[RunKey, ...]:
    """The best run of each seed, in the order of the seeds.

    The best has the highest validation accuracy, then the lowest loss, then the smallest rate. Each seed chooses
    anew, so that the spread of the seeds holds the luck of the choice.

    Args:
        scores: validation scores of all runs of an arm.
    """

    def rank(run: RunKey) -> tuple[float, float, float]:
        return -scores[run].accuracy, scores[run].loss, run.rate

    seeds = sorted({run.seed for run in scores})
    return tuple(min((run for run in scores if run.seed == seed), key=rank) for seed in seeds)


def trials_of(scores: Scores) -> tuple[Trial, ...]:
    """The validation score of every run."""
    return tuple(
        Trial(seed=run.seed, rate=run.rate, val_accuracy=it.accuracy, val_loss=it.loss) for run, it in scores.items()
    )


def rates_around(found: float, n: int) -> tuple[float, ...]:
    """N rates, each 3 times the one before, with the rate that was found in the middle."""
    return tuple(found * 3.0 ** (index - (n - 1) / 2) for index in range(n))
