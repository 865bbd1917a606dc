"""Results of an arm: the record of each run, its weights, and its curve as CSV for `dvc plots`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from graft.files import SIGNIFICANT_DIGITS, write_table
from graft.networks.networks import Network
from graft.networks.saving import save_network
from graft.records.training import RunRecord
from graft.training.loop import Fitted
from graft.transfer.arms.rates import RunKey
from graft.transfer.arms.runs import read_network, read_timing

COLUMNS = ("seed", "epoch", "steps", "phase", "train_loss", "val_loss", "val_accuracy")


def saved_runs(
    runs: Iterable[RunKey],
    fitted: Mapping[RunKey, Fitted],
    half_done: Path,
    blank: Callable[[], Network],
    to: tuple[Path, str],
) -> tuple[RunRecord, ...]:
    """Write the weights of runs that have ended, as `seed_N.safetensors`, and return their records.

    Args:
        runs: one a seed.
        fitted: results of all runs.
        half_done: folder of the checkpoints.
        blank: makes a network for weights to be read into.
        to: folder of the weights, and name of the network.
    """
    folder, name = to

    def saved(run: RunKey) -> RunRecord:
        network = read_network(half_done, run, blank())
        return _record(run, fitted[run], save_network(network, name, folder / f"seed_{run.seed}.safetensors"))

    return tuple(map(saved, runs))


def write_curves(runs: Sequence[RunRecord], path: Path) -> None:
    """Write a line for every epoch of every seed, whole or not at all; only the header where no epoch was trained."""
    rows = []
    for run in runs:
        names = [phase.name for phase in run.phases for _ in range(phase.epochs)]
        for name, point in zip(names, run.curve, strict=True):
            losses = (point.train_loss, point.val_loss, point.val_accuracy)
            numbers = (f"{each:.{SIGNIFICANT_DIGITS}g}" for each in losses)
            rows.append((run.seed, point.epoch, point.steps, name, *numbers))
    write_table(COLUMNS, rows, path)


def seconds_a_step(runs: Sequence[RunRecord], half_done: Path) -> dict[str, float]:
    """Seconds of a step of the optimizer, scoring included, as an entry of provenance; none where no step was taken.

    Args:
        runs: records of an arm.
        half_done: folder of the checkpoints, in which the runs have ended.
    """
    n_steps = sum(run.curve[-1].steps for run in runs if run.curve)
    timings = [read_timing(half_done, RunKey(run.seed, run.rate)) for run in runs if run.curve]
    n_timed = sum(n for _, n in timings)
    if not n_timed:
        return {}
    images_a_step = sum(run.n_images_seen for run in runs) / n_steps
    return {"seconds_a_step": float(f"{sum(each for each, _ in timings) / n_timed * images_a_step:.3g}")}


def _record(run: RunKey, fitted: Fitted, weights_sha256: str) -> RunRecord:
    return RunRecord(
        seed=run.seed,
        rate=run.rate,
        best_epoch=fitted.best_epoch,
        val_accuracy=fitted.best.accuracy,
        val_loss=fitted.best.loss,
        unlabelled_score=fitted.best.unlabelled,
        n_images_seen=fitted.n_seen,
        weights_sha256=weights_sha256,
        curve=fitted.curve,
        phases=fitted.phases,
    )
