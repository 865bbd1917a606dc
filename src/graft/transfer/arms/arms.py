"""What the two arms share: data, seeds, budget, trials; they cannot differ where the comparison must be fair."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from graft.networks.networks import Network
from graft.networks.runtime import Runtime
from graft.networks.saving import save_network
from graft.params.learning import Training
from graft.params.recipes import Recipe
from graft.records.common import Budget, Preprocessing
from graft.records.training import RunRecord, Trial
from graft.store.catalogue import CatalogRow, class_names, labelled
from graft.training.batches import Samples, samples_on, subsample
from graft.training.loop import Fitted
from graft.training.memory import check_room_for_images
from graft.transfer.arms.runs import Runs


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
    runtime: Runtime


def target_data(
    catalog: Iterable[CatalogRow],
    images: NDArray[np.uint8],
    preprocessing: Preprocessing,
    recipe: Recipe,
    runtime: Runtime,
) -> TargetData:
    """Train and validation images of the target on their device.

    Raises:
        ValueError: they do not fit into memory.
    """
    catalog = tuple(catalog)
    classes = class_names(catalog)
    train, val = labelled(catalog, classes, "train"), labelled(catalog, classes, "val")
    check_room_for_images(images, len(train.rows) + len(val.rows))
    return TargetData(
        classes=classes,
        train=samples_on(runtime.device, images[train.rows], train.labels),
        val=samples_on(runtime.device, images[val.rows], val.labels),
        train_rows=train.rows,
        val_rows=val.rows,
        preprocessing=preprocessing,
        recipe=recipe,
        runtime=runtime,
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


class Arm(NamedTuple):
    """All runs of one arm at one budget; their weights are files by now."""

    rate: float
    """the best of the trials"""
    trials: tuple[Trial, ...]
    runs: tuple[RunRecord, ...]


class _Tried(NamedTuple):
    rate: float
    fitted: list[Fitted]
    """one a seed, in the order of the seeds"""


def run_arm(
    run: Runs, seeds: Sequence[int], rates: Iterable[float], budget: Budget, save: Callable[[int, Network], str]
) -> Arm:
    """Choose the rate by successive halving over the seeds; the runs at it, one a seed, are the arm's.

    Each seed runs at the rates that are left, and the better half of these, rounded up, goes on to the next seed.
    Better is what has the higher mean validation accuracy over the seeds so far, then the lower mean loss, then the
    smaller rate. The trials say what the choice rests on: the winner's, too, ends with the seed that decided.

    Args:
        run: the runs by seed and rate.
        seeds: the paired seeds.
        rates: what is tried.
        budget: of all these runs, for the record.
        save: writes a seed's weights and gives their sha256.

    Source: Karnin, Koren and Somekh, Almost optimal exploration in multi-armed bandits, ICML (2013). There the runs
    of all rounds are equally many; here a round is one seed, so that no rate has an easier one than another.
    """
    tried = [_Tried(rate, []) for rate in rates]
    left, n_left = tried, rates_by_seed(len(tried), len(seeds))
    for seed, n in zip(seeds, n_left, strict=True):
        left = left[:n]
        for each in left:
            each.fitted.append(run.fitted(seed, each.rate))
        left = sorted(left, key=_rank)
    best = left[0]
    n_deciding = max(1, sum(n > 1 for n in n_left))
    trials = tuple(_trial(each.rate, each.fitted[:n_deciding], budget) for each in tried)
    runs = (
        _run(seed, fitted, budget, save(seed, run.network(seed, best.rate)))
        for seed, fitted in zip(seeds, best.fitted, strict=True)
    )
    return Arm(best.rate, trials, tuple(runs))


def rates_by_seed(n_rates: int, n_seeds: int) -> list[int]:
    """At how many rates each seed is run: all, then half as many as the one before, rounded up, at last one."""
    return [-(-n_rates // 2**index) for index in range(n_seeds)]


def rates_around(found: float, n: int) -> tuple[float, ...]:
    """As many rates as the other arm tries, a factor of 3 apart, with the one that was found in their midst."""
    return tuple(found * 3.0 ** (index - (n - 1) / 2) for index in range(n))


def save_to(folder: Path, name: str) -> Callable[[int, Network], str]:
    """Writer of a seed's network into a folder, as `seed_N.safetensors`; it gives their sha256."""

    def save(seed: int, network: Network) -> str:
        return save_network(network, name, folder / f"seed_{seed}.safetensors")

    return save


def _means(fitted: Sequence[Fitted]) -> tuple[float, float]:
    """Accuracy and loss; the order of the runs makes no difference, to the last bit."""
    return fmean(each.best.accuracy for each in fitted), fmean(each.best.loss for each in fitted)


def _rank(tried: _Tried) -> tuple[float, float, float]:
    accuracy, loss = _means(tried.fitted)
    return -accuracy, loss, tried.rate


def _trial(rate: float, fitted: Sequence[Fitted], budget: Budget) -> Trial:
    accuracy, loss = _means(fitted)
    return Trial(budget=budget, rate=rate, n_seeds=len(fitted), val_accuracy=accuracy, val_loss=loss)


def _run(seed: int, fitted: Fitted, budget: Budget, weights_sha256: str) -> RunRecord:
    return RunRecord(
        seed=seed,
        budget=budget,
        best_epoch=fitted.best_epoch,
        val_accuracy=fitted.best.accuracy,
        val_loss=fitted.best.loss,
        weights_sha256=weights_sha256,
        curve=fitted.curve,
        phases=fitted.phases,
    )
