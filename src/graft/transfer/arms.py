"""What the two arms share: data, seeds, budget, trials; they cannot differ where the comparison must be fair."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from graft.learning.batches import Samples, samples_on, subsample
from graft.learning.loop import Fitted
from graft.learning.networks import Network
from graft.learning.saving import save_network
from graft.records import Budget, Preprocessing, Run, Trial
from graft.store import CatalogRow, class_names, labelled
from graft.training_params import Recipe, Training


class TargetData(NamedTuple):
    """The target's images as both arms see them; the test split is not among them."""

    classes: tuple[str, ...]
    train: Samples
    val: Samples
    train_rows: NDArray[np.int64]
    """(n,) places of the train images in the store and in the features"""
    val_rows: NDArray[np.int64]
    preprocessing: Preprocessing
    recipe: Recipe
    """how the train images are varied"""


def target_data(
    catalog: Iterable[CatalogRow],
    images: NDArray[np.uint8],
    preprocessing: Preprocessing,
    recipe: Recipe,
    device: torch.device,
) -> TargetData:
    """Train and validation images of the target on their device."""
    catalog = tuple(catalog)
    classes = class_names(catalog)
    train, val = labelled(catalog, classes, "train"), labelled(catalog, classes, "val")
    return TargetData(
        classes=classes,
        train=samples_on(device, images[train.rows], train.labels),
        val=samples_on(device, images[val.rows], val.labels),
        train_rows=train.rows,
        val_rows=val.rows,
        preprocessing=preprocessing,
        recipe=recipe,
    )


def seen_by(data: TargetData, training: Training, seed: int) -> NDArray[np.int64]:
    """Places within the train split that a seed sees; equal for both arms."""
    return subsample(data.train.labels.cpu().numpy(), training.subsample, seed)


def part_of(samples: Samples, places: NDArray[np.int64]) -> Samples:
    """Some of the samples."""
    index = torch.from_numpy(places).to(samples.labels.device)
    return Samples(samples.images[index], samples.labels[index])


def seeds_of(first_seed: int, training: Training) -> list[int]:
    """The paired seeds."""
    return [first_seed + index for index in range(training.n_seeds)]


class Trained(NamedTuple):
    """A network after its run."""

    network: Network
    fitted: Fitted
    rate: float


class Arm(NamedTuple):
    """All runs of one arm at one budget; their weights are files by now."""

    rate: float
    """the best of the trials"""
    trials: tuple[Trial, ...]
    runs: tuple[Run, ...]


def run_arm(
    run: Callable[[int, float], Trained],
    seeds: Sequence[int],
    rates: Iterable[float],
    budget: Budget,
    save: Callable[[int, Trained], str],
) -> Arm:
    """Try every rate with the first seed, then run the other seeds at the best; one network is kept at a time.

    Args:
        run: seed and rate to a trained network.
        seeds: the paired seeds.
        rates: what is tried; highest validation accuracy wins, then lowest loss, then the smallest rate.
        budget: of all these runs, for the record.
        save: writes a seed's weights and gives their sha256.
    """
    best: Trained | None = None
    trials = []
    for rate in rates:
        trained = run(seeds[0], rate)
        trials.append(_trial(trained, budget))
        best = trained if best is None else max(best, trained, key=_rank)
    assert best is not None, "params.yaml gives at least one rate"
    chosen = best.rate
    runs = [_run(seeds[0], best, budget, save)]
    del best, trained
    runs += [_run(seed, run(seed, chosen), budget, save) for seed in seeds[1:]]
    return Arm(chosen, tuple(trials), tuple(runs))


def rates_around(found: float, n: int) -> tuple[float, ...]:
    """As many rates as the other arm tries, a factor of 3 apart, with the one that was found in their midst."""
    return tuple(found * 3.0 ** (index - (n - 1) / 2) for index in range(n))


def save_to(folder: Path, name: str) -> Callable[[int, Trained], str]:
    """Writer of `seed_N.safetensors` files of a network into a folder."""

    def save(seed: int, trained: Trained) -> str:
        return save_network(trained.network, name, folder / f"seed_{seed}.safetensors")

    return save


def _rank(trained: Trained) -> tuple[float, float, float]:
    return trained.fitted.best.accuracy, -trained.fitted.best.loss, -trained.rate


def _trial(trained: Trained, budget: Budget) -> Trial:
    best = trained.fitted.best
    return Trial(budget=budget, rate=trained.rate, val_accuracy=best.accuracy, val_loss=best.loss)


def _run(seed: int, trained: Trained, budget: Budget, save: Callable[[int, Trained], str]) -> Run:
    return Run(
        seed=seed,
        budget=budget,
        best_epoch=trained.fitted.best_epoch,
        val_accuracy=trained.fitted.best.accuracy,
        val_loss=trained.fitted.best.loss,
        weights_sha256=save(seed, trained),
        curve=trained.fitted.curve,
        phases=trained.fitted.phases,
    )
