"""What the two arms share: data, seeds, budget, trials; they cannot differ where the comparison must be fair."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from graft.learning.augmentation import Augmentation
from graft.learning.batches import Samples, samples_on, subsample
from graft.learning.loop import Fitted, Plan
from graft.learning.networks import Network, save_network
from graft.params import Training
from graft.records import Preprocessing, Run, Trial
from graft.store import CatalogRow, class_names, labelled


class TargetData(NamedTuple):
    """The target's images as both arms see them; the test split is not among them."""

    classes: tuple[str, ...]
    train: Samples
    val: Samples
    train_rows: NDArray[np.int64]
    """(n,) places of the train images in the store and in the features"""
    val_rows: NDArray[np.int64]
    preprocessing: Preprocessing


def target_data(
    catalog: Iterable[CatalogRow], images: NDArray[np.uint8], preprocessing: Preprocessing, device: torch.device
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


def plan_of(rates: dict[str, float], data: TargetData, training: Training, epochs: int) -> Plan:
    """The plan of a run; a run longer than `training.epochs` stops when that many epochs bring nothing better."""
    return Plan(
        rates=rates,
        epochs=epochs,
        patience=training.epochs,
        batch_size=training.batch_size,
        weight_decay=training.weight_decay,
        augmentation=Augmentation(training.shift_px, training.flip),
        preprocessing=data.preprocessing,
    )


class Trained(NamedTuple):
    """A network after its run."""

    network: Network
    fitted: Fitted
    rate: float


def best_trial(trials: Iterable[Trained]) -> Trained:
    """The trial with the highest validation accuracy, then the lowest loss, then the smallest rate."""
    return max(trials, key=lambda each: (each.fitted.best.accuracy, -each.fitted.best.loss, -each.rate))


def trial_records(trials: Iterable[Trained], budget: str) -> tuple[Trial, ...]:
    """What was tried and what came of it."""
    return tuple(
        Trial.model_validate(
            {
                "budget": budget,
                "rate": each.rate,
                "val_accuracy": each.fitted.best.accuracy,
                "val_loss": each.fitted.best.loss,
            }
        )
        for each in trials
    )


def save_runs(runs: dict[int, Trained], budget: str, name: str, folder: Path) -> tuple[Run, ...]:
    """Write each seed's weights to `seed_N.safetensors` and describe the runs."""
    records = []
    for seed, trained in runs.items():
        sha256 = save_network(trained.network, name, folder / f"seed_{seed}.safetensors")
        records.append(
            Run.model_validate(
                {
                    "seed": seed,
                    "budget": budget,
                    "best_epoch": trained.fitted.best_epoch,
                    "val_accuracy": trained.fitted.best.accuracy,
                    "val_loss": trained.fitted.best.loss,
                    "weights_sha256": sha256,
                    "curve": trained.fitted.curve,
                }
            )
        )
    return tuple(records)


def run_seeds(
    run: Callable[[int, float], Trained], seeds: list[int], rates: Iterable[float]
) -> tuple[dict[int, Trained], list[Trained]]:
    """Try every rate with the first seed, then run the other seeds at the best.

    Args:
        run: seed and rate to a trained network.
        seeds: the paired seeds.
        rates: what is tried.

    Returns:
        The run of each seed, and all trials.
    """
    trials = [run(seeds[0], rate) for rate in rates]
    best = best_trial(trials)
    return {seeds[0]: best, **{seed: run(seed, best.rate) for seed in seeds[1:]}}, trials
