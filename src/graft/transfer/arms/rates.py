"""The rule by which both arms choose their learning rate: every seed tries every rate, and takes its own best."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from graft.networks.outputs import Score
from graft.params.learning import Training
from graft.records.training import Trial
from graft.training.loop import Fitted


class RunKey(NamedTuple):
    """The name of one run."""

    seed: int
    rate: float
    variant: str = ""
    """name of a training beside the arms; empty in the arms"""


Results = Mapping[RunKey, Fitted]


def seeds_of(first_seed: int, training: Training) -> tuple[int, ...]:
    """The paired seeds, from the first one upwards."""
    return tuple(first_seed + index for index in range(training.n_seeds))


def every_run(seeds: Sequence[int], rates: Sequence[float]) -> tuple[RunKey, ...]:
    """Every seed at every rate, seed by seed."""
    return tuple(RunKey(seed, rate) for seed in seeds for rate in rates)


def pooled(shared: Score, n_shared: int, own: Score, n_own: int) -> Score:
    """The score on both sets of images together."""
    n = n_shared + n_own
    # whole numbers of images, so that equal scores tie to the last bit
    n_right = round(shared.accuracy * n_shared) + round(own.accuracy * n_own)
    return Score((shared.loss * n_shared + own.loss * n_own) / n, n_right / n)


def chosen_runs(results: Results) -> tuple[RunKey, ...]:
    """The best run of each seed, in the order of the seeds.

    The best has the highest accuracy, then the lowest loss, then the smallest rate, on the validation images and on
    the train images that the seed leaves out. Each seed chooses anew, and in part by images of its own, so that the
    spread of the seeds holds the luck of the choice; validation images alone, which all seeds share, push all of them
    to the same rate (docs/decisions/training.md).

    Args:
        results: all runs of an arm.
    """

    def rank(run: RunKey) -> tuple[float, ...]:
        return *_choice(results[run]).rank, -run.rate

    seeds = sorted({run.seed for run in results})
    return tuple(max((run for run in results if run.seed == seed), key=rank) for seed in seeds)


def trials_of(results: Results) -> tuple[Trial, ...]:
    """The scores of every run."""
    return tuple(_trial(run, fitted) for run, fitted in results.items())


def _choice(fitted: Fitted) -> Score:
    return fitted.best if fitted.choice is None else fitted.choice


def _trial(run: RunKey, fitted: Fitted) -> Trial:
    choice = _choice(fitted)
    return Trial(
        seed=run.seed,
        rate=run.rate,
        val_accuracy=fitted.best.accuracy,
        val_loss=fitted.best.loss,
        accuracy=choice.accuracy,
        loss=choice.loss,
        unlabelled_score=choice.unlabelled,
    )


def rates_around(found: float, n: int) -> tuple[float, ...]:
    """N rates, each 3 times the one before, with the rate that was found in the middle."""
    return tuple(found * 3.0 ** (index - (n - 1) / 2) for index in range(n))
