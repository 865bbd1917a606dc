"""Cost of the rate finder in accuracy: its rate against the best of a grid, on images that nothing else has seen.

    python bench/rate_finder.py RESULTS [WEIGHTS FOLDER ...]

Cases are the built-in example and the folders. The folders use WEIGHTS, a state dict of torchvision's mobilenet_v2.
Each case is run from pretrained weights, with and without augmentation, and from random weights. With each seed the
finder runs once, and a run is trained at each rate of the grid, by the functions of the pipeline. Results are lines of
JSON, appended one by one: a case and seed that are there are not measured again. The regret of a rule is the best mean
accuracy of the grid minus that at its rates, interpolated between the neighbours in the grid. It uses one thread.
"""

import argparse
import hashlib
import json
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from graft.networks.networks import Network
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import preprocessing_for
from graft.networks.runtime import Runtime, make_deterministic
from graft.networks.saving import load_network
from graft.params.pipeline import Params
from graft.preparation.example import write_example
from graft.preparation.prepare import PrepareSettings, prepare
from graft.preparation.scan import scan
from graft.records.catalog import CatalogRecord
from graft.records.common import Split
from graft.records.strategy import StrategyRecord
from graft.statistics.features.probe import probe_accuracy
from graft.statistics.groups import grouped_folds
from graft.store.catalogue import CatalogRow, class_names, labelled, open_images
from graft.training.batches import Samples, samples_on
from graft.training.checkpoints import NOTHING
from graft.training.loop import fit
from graft.training.steps import Plan
from graft.training.steps import Task as Given
from graft.transfer import control
from graft.transfer.arms.rate_finder import find_rate
from graft.transfer.arms.target_data import TargetData, part_of, seen_by, target_data
from graft.transfer.finetuning.task import Backbone, TransferTask, plan_at, start_of, with_head
from graft.transfer.pretraining import make_backbone
from graft.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[1]
GRID = {"small_cnn": np.geomspace(1e-4, 1.0, 9), "mobilenet_v2": np.geomspace(1e-4, 0.1, 7)}
N_SEEDS = 2
SIZES: dict[Split, int] = {"train": 30, "val": 15, "test": 100}
"""images of a class of a folder, at most"""
SIZE_PX = {"hymenoptera": 64, "cifar10": 48}
EPOCHS = {"hymenoptera": 5, "cifar10": 8}
# Two steps per epoch: nothing is learnt at any rate.
TOO_SHORT = {"hymenoptera, random"}


class Subject(NamedTuple):
    """Set of images with its network."""

    name: str
    data: TargetData
    test: Samples
    backbone: Backbone
    params: Params
    probe_c: float


Array = NDArray[np.float64]
# From the rates and losses of the finder, and the loss of a guess, to a rate.
Rule = Callable[[Array, Array, float], float]
Start = Callable[[Subject, int, float], tuple[Network, Plan]]
"""a network before its run and the plan of the run, by seed and rate"""


def main() -> None:
    """Measure what has not been measured yet, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("weights", type=Path, nargs="?")
    parser.add_argument("folders", type=Path, nargs="*")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        for subject in subjects(args.weights, args.folders, Path(name)):
            for start, run in STARTS.items():
                for seed in range(N_SEEDS):
                    measure(subject, start, run, seed, args.results)
    print(table(read(args.results)))


def read(results: Path) -> list[dict[str, Any]]:
    """Lines that have been measured so far."""
    return [json.loads(line) for line in results.read_text().splitlines()] if results.is_file() else []


def measure(subject: Subject, start: str, of: Start, seed: int, results: Path) -> None:
    """Append the finder's curve and the test accuracy at each rate of the grid."""
    case = {"case": f"{subject.name}, {start}", "seed": seed}
    if case["case"] in TOO_SHORT or any(case.items() <= line.items() for line in read(results)):
        return
    data, images = subject.data, subject.test.images.permute(0, 2, 3, 1).numpy()
    train = part_of(data.train, seen_by(data, subject.params.training, seed))
    network, plan = of(subject, seed, 1.0)
    curve = find_rate(network, Given(train, data.val, plan, seed, lambda n: None, NOTHING))
    grid, accuracies = GRID[subject.backbone.name].tolist(), []
    for rate in grid:
        network, plan = of(subject, seed, rate)
        fit(network, train, data.val, plan, seed, lambda n: None)
        logits = outputs_of(network, images).logits
        accuracies.append(float(np.mean(logits.argmax(1) == subject.test.labels.numpy())))
    line = {
        **case,
        "guess": math.log(network.n_classes),
        "rates": curve.rates,
        "losses": curve.losses,
        "grid": grid,
        "accuracies": accuracies,
    }
    with results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(case, [f"{each:.3f}" for each in accuracies], f"found {curve.suggested:.2g}", flush=True)


def _tuned(subject: Subject, seed: int, rate: float) -> tuple[Network, Plan]:
    torch.manual_seed(seed)
    chosen: dict[str, Any] = {"choice": "full", "probe_c": subject.probe_c}
    task = TransferTask(subject.backbone, subject.data, StrategyRecord.model_construct(**chosen), subject.params)
    places = seen_by(subject.data, subject.params.training, seed)
    return with_head(task, start_of(task), places, subject.probe_c), plan_at(task, rate)


def _from_nothing(subject: Subject, seed: int, rate: float) -> tuple[Network, Plan]:
    torch.manual_seed(seed)
    data, params = subject.data, subject.params
    network = control._new_network(data, params)
    return network, control._plan(data, params, network, rate, params.training.epochs)


def _plain(subject: Subject, seed: int, rate: float) -> tuple[Network, Plan]:
    """Fine-tune on unchanged images: the probe that it starts from already fits them."""
    data = subject.data._replace(recipe=subject.params.recipes["none"])
    return _tuned(subject._replace(data=data), seed, rate)


STARTS: dict[str, Start] = {"pretrained": _tuned, "pretrained, no recipe": _plain, "random": _from_nothing}


def subjects(weights: Path | None, folders: Sequence[Path], scratch: Path) -> Iterator[Subject]:
    """The built-in example, then each folder."""
    write_example(scratch / "example", 0)
    yield subject_of("example", scratch / "example/target", scratch / "example/source", {}, scratch)
    for folder in folders:
        assert weights is not None
        sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
        network = {"name": "mobilenet_v2", "weights": "file", "weights_file": str(weights), "weights_sha256": sha256}
        sections: dict[str, dict[str, Any]] = {
            "network": network,
            "images": {"size_px": SIZE_PX[folder.name]},
            "training": {"epochs": EPOCHS[folder.name], "augmentation": "photographs"},
        }
        yield subject_of(folder.name, folder, None, sections, scratch)


def subject_of(
    name: str, folder: Path, source: Path | None, sections: dict[str, dict[str, Any]], scratch: Path
) -> Subject:
    """Read a folder with the pipeline's own functions; where a source is given, a backbone is trained."""
    values = read_yaml(ROOT / "params.yaml")
    for section, changes in sections.items():
        values[section].update(changes)
    params = Params.model_validate(values)
    runtime = Runtime(torch.device("cpu"), torch.float32, 1, None)
    make_deterministic(0)
    preprocessing = preprocessing_for(params.network, params.images)
    settings, store = PrepareSettings(preprocessing, params.prepare_data, 0), scratch / f"{name}.npy"
    read = prepare(folder, scan(folder), store, scratch / "shards", settings)
    rows, domain = read.rows if source else split(read.rows), read.domain
    nothing = domain.model_copy(update={"present": False, "n_images": 0})
    record = CatalogRecord(
        dataset="folders", preprocessing=preprocessing, source=domain, target=domain, unlabeled=nothing
    )
    of_source: tuple[CatalogRow, ...] = ()
    if source:
        of_source = prepare(source, scan(source), scratch / "source.npy", scratch / "shards", settings).rows
    path = scratch / f"{name}.safetensors"
    make_backbone(params, of_source, open_images(scratch / "source.npy" if source else store), record, path, runtime)
    images, classes = open_images(store), class_names(rows)
    network = load_network(path)
    features = outputs_of(network, images).features
    train, test = labelled(rows, classes, "train"), labelled(rows, classes, "test")
    return Subject(
        name=name,
        data=target_data(rows, images, preprocessing, params.recipes[params.training.augmentation], runtime),
        test=samples_on(runtime.device, images[test.rows], test.labels),
        backbone=Backbone(network, params.network.name, features),
        params=params,
        probe_c=probe_accuracy(
            features[train.rows], train.labels, grouped_folds(train.labels, train.groups, 5, 0)
        ).setting,
    )


def split(rows: Sequence[CatalogRow]) -> tuple[CatalogRow, ...]:
    """Draw the number of images per class and split that SIZES gives, with a fixed seed; leave out the rest."""
    named = [each for each, n in SIZES.items() for _ in range(n)]
    chosen: list[CatalogRow] = []
    for label in class_names(rows):
        members = [row for row in rows if row.label == label and row.row >= 0]
        order = np.random.default_rng(0).permutation(len(members))
        chosen += [members[place]._replace(split=each) for place, each in zip(order, named, strict=False)]
    return tuple(chosen)


def steepest(rates: Array, losses: Array, _: float) -> float:
    """Rate at which the loss falls fastest with the logarithm of the rate, before its lowest point."""
    end = max(int(losses.argmin()), 2)
    return float(rates[np.gradient(losses[: end + 1], np.log(rates[: end + 1])).argmin()])


def below_lowest(factor: float) -> Rule:
    """Rate of the lowest loss, divided by a factor."""
    return lambda rates, losses, _: float(rates[losses.argmin()]) / factor


def below_rise(factor: float) -> Rule:
    """Rate at which the loss has risen again by a tenth of a guess's loss, divided by a factor."""

    def rule(rates: Array, losses: Array, guess: float) -> float:
        risen = losses > losses.min() + 0.1 * guess
        risen[: losses.argmin()] = False
        return float(rates[risen.argmax() if risen.any() else -1]) / factor

    return rule


def table(lines: Sequence[dict[str, Any]]) -> str:
    """Markdown table: the best rate of each case, then the mean rate and the regret in points of each rule."""
    rules: dict[str, Rule] = {"steepest slope": steepest}
    rules |= {f"lowest / {factor}": below_lowest(factor) for factor in (1, 3, 10)}
    rules |= {f"rise / {factor}": below_rise(factor) for factor in (3, 10, 30)}
    made = ["| case | best of the grid | " + " | ".join(rules) + " |", "|---" * (len(rules) + 2) + "|"]
    regrets = []
    for case in dict.fromkeys(line["case"] for line in lines):
        seeds = [line for line in lines if line["case"] == case]
        grid, accuracy = np.array(seeds[0]["grid"]), np.mean([line["accuracies"] for line in seeds], axis=0)
        cells, of_case = [f"{accuracy.max():.1%} at {grid[accuracy.argmax()]:.1g}"], []
        for rule in rules.values():
            found = np.log([rule(np.array(line["rates"]), np.array(line["losses"]), line["guess"]) for line in seeds])
            of_case.append(100 * float(accuracy.max() - np.interp(found, np.log(grid), accuracy).mean()))
            cells.append(f"{of_case[-1]:.1f} at {np.exp(found.mean()):.1g}")
        regrets.append(of_case)
        made.append(f"| {case} | " + " | ".join(cells) + " |")
    summary = (f"{np.mean(each):.1f}, at most {max(each):.1f}" for each in zip(*regrets, strict=True))
    return "\n".join([*made, "| mean of the regrets | | " + " | ".join(summary) + " |"])


if __name__ == "__main__":
    main()
