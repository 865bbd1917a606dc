"""How well graft finds wrong labels: real data with 5 % of wrong labels planted, and with none.

Run     python bench/labels.py --data ../shared/data
Needs   <data>/datasets/{cifar10,hymenoptera} in class folders, <data>/weights/mobilenet_v2.pth
Prints  one table: mean over the seeds, each list at the length of the record's list (at most 50)
"""

import argparse
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.decisions.selection.choice import Target
from graft.decisions.selection.label_check import check_labels
from graft.images import decode
from graft.images.resizing import fit
from graft.networks.networks import published_network
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import preprocessing_for
from graft.params.network import Images, NetworkParams
from graft.statistics.features import probe
from graft.statistics.groups import grouped_folds
from graft.store.catalogue import CatalogRow, class_names, labelled

# Side in pixels of the images that the network sees.
SETS = {"cifar10": 96, "hymenoptera": 128}
SHARE = 0.05
SEEDS = range(5)
FOLDS = 5

Labels = NDArray[np.int64]
Mislabel = Callable[[Target, Labels, np.random.Generator], Labels]


class Found(NamedTuple):
    """Result of one run."""

    accuracy: float
    planted: int
    suspects: int
    listed: int
    hits: int
    least_sure: int
    """wrong labels in a list of the same length, sorted by the probability of the label alone"""
    least_margin: int
    """wrong labels in a list of the same length, sorted by normalised margin"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data
    kinds: dict[str, Mislabel] = {"none": _unchanged, "any class": _any_class, "nearest class": _nearest_class}
    print("data         wrong labels   probe  planted  suspects  listed  precision  recall  least sure  least margin")
    for name, size_px in SETS.items():
        target = _target(data, name, size_px)
        for kind, mislabel in kinds.items():
            runs = np.array([_run(target, mislabel, seed) for seed in (SEEDS if kind != "none" else SEEDS[:1])])
            mean = Found(*runs.mean(axis=0))
            shares = [
                f"{hits / of:.0%}" if of else "-"
                for hits, of in (
                    (mean.hits, mean.listed),
                    (mean.hits, mean.planted),
                    (mean.least_sure, mean.listed),
                    (mean.least_margin, mean.listed),
                )
            ]
            print(
                f"{name:<12} {kind:<13} {mean.accuracy:>6.1%} {mean.planted:>8.0f} {mean.suspects:>9.1f} "
                f"{mean.listed:>7.1f} {shares[0]:>10} {shares[1]:>7} {shares[2]:>11} {shares[3]:>13}",
                flush=True,
            )


def _run(clean: Target, mislabel: Mislabel, seed: int) -> Found:
    classes = class_names(clean.catalog)
    truth = labelled(clean.catalog, classes).labels
    given = mislabel(clean, truth, np.random.default_rng(seed))
    rows = [each._replace(label=classes[label]) for each, label in zip(clean.catalog, given, strict=True)]
    train = labelled(rows, classes, "train")
    c = probe.probe_accuracy(
        clean.features[train.rows], train.labels, grouped_folds(train.labels, train.groups, FOLDS, seed)
    ).setting
    found = check_labels(Target(clean.features, rows), c, FOLDS, seed)
    wrong = {each.path for each, a, b in zip(rows, truth, given, strict=True) if a != b}
    groups = labelled(rows, classes).groups
    p = probe.held_out_probabilities(clean.features, given, c, grouped_folds(given, groups, FOLDS, seed))
    own = p[np.arange(len(given)), given]
    others = p.copy()
    others[np.arange(len(given)), given] = -1
    hits = [
        sum(rows[place].path in wrong for place in np.argsort(score, kind="stable")[: len(found.suspects)])
        for score in (own, own - others.max(axis=1))
    ]
    listed = sum(each.path in wrong for each in found.suspects)
    return Found(found.accuracy, len(wrong), found.n_suspects, len(found.suspects), listed, *hits)


def _unchanged(target: Target, labels: Labels, rng: np.random.Generator) -> Labels:
    return labels


def _any_class(target: Target, labels: Labels, rng: np.random.Generator) -> Labels:
    """Replace labels by any other class, all equally often."""
    n_classes = int(labels.max()) + 1
    places = rng.permutation(len(labels))[: round(SHARE * len(labels))]
    given = labels.copy()
    given[places] = (labels[places] + rng.integers(1, n_classes, len(places))) % n_classes
    return given


def _nearest_class(target: Target, labels: Labels, rng: np.random.Generator) -> Labels:
    """Replace labels by the class that looks most similar: the nearest mean of features."""
    means = np.stack([target.features[labels == each].mean(axis=0) for each in range(int(labels.max()) + 1)])
    distances = np.linalg.norm(means[:, None] - means[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    places = rng.permutation(len(labels))[: round(SHARE * len(labels))]
    given = labels.copy()
    given[places] = distances.argmin(axis=1)[labels[places]]
    return given


def _target(data: Path, name: str, size_px: int) -> Target:
    """Features of mobilenet_v2, and a catalogue of the train and val folders of the set."""
    weights = data / "weights/mobilenet_v2.pth"
    network = NetworkParams(
        name="mobilenet_v2",
        weights="file",
        weights_file=str(weights),
        weights_sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
    )
    preprocessing = preprocessing_for(network, Images(size_px=size_px, value_bits=None, max_megapixels=25))
    folder = data / "datasets" / name
    pixels: list[NDArray[np.uint8]] = []
    rows: list[CatalogRow] = []
    for path in sorted(each for split in ("train", "val") for each in folder.glob(f"{split}/*/*")):
        content, place = path.read_bytes(), path.relative_to(folder)
        pixels.append(fit(decode.decode(content, str(place)), preprocessing))
        rows.append(_row(str(place), hashlib.sha256(content).hexdigest(), len(rows)))
    stacked = np.stack(pixels)
    features = outputs_of(published_network(network, 2, preprocessing)[0], stacked).features
    return Target(features, rows)


def _row(path: str, sha256: str, row: int) -> CatalogRow:
    """Catalogue row with what the check of labels reads; the rest is empty."""
    split, label, _ = path.split("/")
    empty = {name: kind() for name, kind in CatalogRow.__annotations__.items() if kind in (str, int, float)}
    known = {"path": path, "label": label, "split": split, "group": sha256, "sha256": sha256, "row": row}
    return CatalogRow(**{**empty, **known})


if __name__ == "__main__":
    main()
