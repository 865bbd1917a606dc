"""How soon transfer is as good as the control is in the end."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graft.records.common import Interval
from graft.records.gain import SeedSteps, Speed
from graft.records.training import RunRecord, TrainingRecord
from graft.statistics.comparison.interval import t_quantile

# What tutorials on transfer learning promise: so many times fewer steps.
CLAIMED = (5.0, 10.0)
# The mean of equal accuracies may come out above them.
ROUNDING = 1e-9
OF_SOURCE = Speed(
    target=None,
    seeds=(),
    ratio=None,
    at_least=False,
    sentence="Steps are not compared: the validation images are of the source, where transfer is not meant to gain.",
)


def speed_of(transfer: TrainingRecord, scratch: TrainingRecord, level: float) -> Speed:
    """Optimizer steps of both arms to one target: the control's own final validation accuracy, mean over its seeds.

    The target is fixed by the control alone, before transfer is looked at. Steps are counted in whole epochs, because
    validation is scored once an epoch.

    Args:
        transfer: the transfer arm.
        scratch: the control, with the same seeds.
        level: the interval of the ratio holds with a confidence of 1 minus this, for new seeds.
    """
    target = float(np.mean([run.val_accuracy for run in scratch.runs]))
    if not any(run.curve for run in transfer.runs):
        sentence = "The head of transfer is fitted in closed form to frozen features: it takes no optimizer steps."
        return Speed(target=target, seeds=(), ratio=None, at_least=False, sentence=sentence)
    others = {run.seed: run for run in scratch.runs}
    pairs = [(run, others[run.seed]) for run in transfer.runs]
    seeds = tuple(
        SeedSteps(seed=ours.seed, transfer=steps_to(ours, target), scratch=steps_to(control, target))
        for ours, control in pairs
    )
    # a ratio to no steps, or to a target that is never reached, is no number
    timed = all(each.transfer for each in seeds) and all(control.curve for _, control in pairs)
    ratio = _ratio(pairs, target, level) if timed else None
    at_least = ratio is not None and any(
        each.scratch is None or each.transfer == run.curve[0].steps for each, (run, _) in zip(seeds, pairs, strict=True)
    )
    sentence = _sentence(target, seeds, ratio, at_least) + (_by_schedule(pairs, target) if ratio is not None else "")
    return Speed(target=target, seeds=seeds, ratio=ratio, at_least=at_least, sentence=sentence)


def steps_to(run: RunRecord, target: float) -> int | None:
    """Steps until the first epoch whose validation accuracy is at least the target; None if there is none."""
    if run.best_epoch == 0 and run.val_accuracy >= target - ROUNDING:
        return 0
    return next((each.steps for each in run.curve if each.val_accuracy >= target - ROUNDING), None)


def _ratio(pairs: Sequence[tuple[RunRecord, RunRecord]], target: float, level: float) -> Interval:
    """Geometric mean over seeds of the control's steps by those of transfer, with the t interval of its logarithm."""
    # (k, 2) steps of both arms, and steps to an epoch; a control that never gets there took at least all its steps
    steps = np.array([[_steps(run, target) for run in pair] for pair in pairs], dtype=np.float64)
    epochs = np.array([[run.curve[0].steps for run in pair] for pair in pairs], dtype=np.float64)
    logs: NDArray[np.float64] = np.log(steps[:, 1] / steps[:, 0])
    # a count in whole epochs is uncertain by one epoch, even where all seeds have the same
    rounding = float(np.mean(((epochs / steps) ** 2).sum(axis=1)) / 12)
    k = len(logs)
    spread = max(float(logs.var(ddof=1)) if k > 1 else 0.0, rounding)
    half = t_quantile(max(k - 1, 1), 1 - level / 2) * np.sqrt(spread / k)
    mean = float(logs.mean())
    low, estimate, high = (float(each) for each in np.exp([mean - half, mean, mean + half]))
    return Interval(estimate=estimate, low=low, high=high)


def _steps(run: RunRecord, target: float) -> int:
    found = steps_to(run, target)
    return run.curve[-1].steps if found is None else max(found, 1)


def _sentence(target: float, seeds: Sequence[SeedSteps], ratio: Interval | None, at_least: bool) -> str:
    k = len(seeds)
    reached, at_once = (sum(bool(test) for test in tests) for tests in _counts(seeds))
    controls = sum(each.scratch is not None for each in seeds)
    start = (
        f"The control ends at a validation accuracy of {100 * target:.1f}% on average. {reached} of {k} seeds of "
        f"transfer reach it, and {controls} of {k} of the control."
    )
    if ratio is None:
        if at_once:
            return f"{start} {at_once} of transfer have it before any step, so there is no ratio of steps."
        return f"{start} So there is no speed-up over all seeds."
    word = "at least " if at_least else ""
    return (
        f"{start} The control takes {word}{ratio.estimate:.1f} times the steps of transfer "
        f"({ratio.low:.1f} to {ratio.high:.1f}, over seeds). {_against_the_claim(ratio, at_least)}"
    )


def _by_schedule(pairs: Sequence[tuple[RunRecord, RunRecord]], target: float) -> str:
    """What the ratio owes to the length of the control's runs, and the same in shares of each run."""
    # (k, 2) steps of whole runs, and shares of them until the target
    whole = np.array([[run.curve[-1].steps for run in pair] for pair in pairs], dtype=np.float64)
    shares = np.array([[_steps(run, target) for run in pair] for pair in pairs]) / whole
    longer = float(np.exp(np.log(whole[:, 1] / whole[:, 0]).mean()))
    transfer, scratch = (float(each) for each in np.median(shares, axis=0))
    return (
        f" The ratio holds for these schedules: the control's runs are {longer:.3g} times as long. In shares of its "
        f"own run transfer takes {transfer:.0%}, the control {scratch:.0%} (medians)."
    )


def _counts(seeds: Sequence[SeedSteps]) -> tuple[list[bool], list[bool]]:
    return [each.transfer is not None for each in seeds], [each.transfer == 0 for each in seeds]


def _against_the_claim(ratio: Interval, at_least: bool) -> str:
    """How the finding stands to what tutorials claim."""
    low, high = CLAIMED
    claim = f"Tutorials claim {low:g} to {high:g} times for transfer"
    if ratio.high < low and not at_least:
        return f"{claim}: here it is less."
    if ratio.low > high:
        return f"{claim}: here it is more."
    if low <= ratio.low and (at_least or ratio.high <= high):
        return f"{claim}: here it is {'that or more' if at_least else 'so'}."
    return f"{claim}: these seeds neither confirm nor refute it."
