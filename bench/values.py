"""Values of params.yaml, changed one at a time, and fixed views of a frozen prefix: accuracy on images no run saw.

    python bench/values.py DATA LOG [--tables TABLE ...]

DATA has `datasets/<set>/<folder>/<class>/<image>` and `weights/<network>.pth`, state dicts of torchvision's networks.
Every arm appends a line to LOG, so that a stopped benchmark continues where it was. The content of LOG is printed as
Markdown tables at the end. It uses one thread. An arm is compared with the first arm of its table, the base, with the
same seeds and the same test images. The interval of a mean over sets covers seeds and images, and holds for these sets.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from graft.statistics.comparison.interval import Difference, difference_of
from graft.statistics.comparison.layout import layout_of

RUNNER = Path(__file__).with_name("values_run.py")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
CONFIDENCE = 0.95
Change = dict[str, Any]
"""new values by dotted name of a param"""
Lines = Mapping[tuple[str, ...], dict[str, Any]]
"""lines of the log, by network and set"""
Found = Mapping[tuple[str, ...], dict[str, Any]]
"""the same by table, network, set and arm"""

SIZE_PX = {"cifar10": 48, "pacs": 48, "usps": 32, "hymenoptera": 64}
SPLIT = {"cifar10": (20, 10, 90), "pacs": (30, 15, 105), "usps": (20, 10, 90), "hymenoptera": (80, 24, 84)}
"""images of each class to learn from, to choose by and to test on"""
SHARED: dict[str, Change] = {
    **{f"recipe {name}": {"training.augmentation": name} for name in ("none", "digits", "photographs", "strong")},
    "schedule cosine": {"training.schedule": "cosine"},
    "schedule warm_restarts": {"training.schedule": {"kind": "warm_restarts", "restarts": 3}},
    "schedule constant": {"training.schedule": "constant"},
    "label_smoothing 0.1": {"training.label_smoothing": 0.1},
    "mixing mixup 0.2": {"training.mixing": {"kind": "mixup", "alpha": 0.2}},
    "mixing cutmix 1": {"training.mixing": {"kind": "cutmix", "alpha": 1.0}},
}
"""values that may matter from random start too"""
SGD = [0.0001, 0.0003, 0.001]
"""rates; above the last no epoch was better than the probe that it starts from"""
OWN: dict[str, Change] = {
    "optimizer sgd": {
        "training.optimizer": {"kind": "sgd", "momentum": 0.9},
        "finetune_target.rates": SGD,
        "train_scratch.rates": SGD,
    },
    "weight_decay 0": {"training.weight_decay": 0.0},
    "weight_decay 0.05": {"training.weight_decay": 0.05},
    "weight_decay 0.1": {"training.weight_decay": 0.1},
    "warmup 0.1": {"training.warmup": 0.1},
    "clip_norm 1": {"training.clip_norm": 1.0},
    "ema_decay 0.9": {"training.ema_decay": 0.9},
    "ema_decay 0.99": {"training.ema_decay": 0.99},
    "batch_size 16": {"training.batch_size": 16},
    "batch_size 64": {"training.batch_size": 64},
    "depth_decay 0.5": {"finetune_target.depth_decay": 0.5},
    "depth_decay 1": {"finetune_target.depth_decay": 1.0},
}
POLICIES: dict[str, Change] = {
    f"batchnorm {policy}": {"finetune_target.batchnorm": policy} for policy in ("train", "frozen", "adapt")
}
WAYS: dict[str, tuple[int | None, str]] = {
    "base": (None, "float32"),
    "fresh, bfloat16": (None, "bfloat16"),
    **{f"views {n}, bfloat16": (n, "bfloat16") for n in (1, 2, 4, 8)},
}
"""fixed views and precision"""


def batchnorm() -> Iterator[dict[str, Any]]:
    """Arms that train all blocks with each policy of BatchNorm, over a wide grid of rates."""
    for data in SIZE_PX:
        base = {**base_of(data, [0.0001, 0.0003, 0.001]), **POLICIES["batchnorm train"]}
        yield from each("batchnorm", "mobilenet_v2", data, "full", base, POLICIES)


def batchnorm_top() -> Iterator[dict[str, Any]]:
    """Arms that train only the top block with each policy of BatchNorm."""
    for data in SIZE_PX:
        base = {**base_of(data, [0.0001, 0.0003, 0.001]), **POLICIES["batchnorm train"]}
        yield from each("batchnorm_top", "mobilenet_v2", data, "top_blocks", base, POLICIES)


def longer() -> Iterator[dict[str, Any]]:
    """Arms that train all blocks over 30 epochs with two policies of BatchNorm, on one set."""
    base, lower = (base_of("cifar10", rates, epochs=30) for rates in ([0.0003, 0.001], [0.0001, 0.0003]))
    changes = {"batchnorm frozen": {**lower, **POLICIES["batchnorm frozen"]}}
    yield from each("longer", "mobilenet_v2", "cifar10", "full", {**base, **POLICIES["batchnorm train"]}, changes)


def values() -> Iterator[dict[str, Any]]:
    """Arms that train all blocks with frozen BatchNorm statistics and change one value at a time."""
    for data in ("cifar10", "usps"):
        base = {**base_of(data, [0.0001, 0.0003]), **POLICIES["batchnorm frozen"]}
        yield from each("values", "mobilenet_v2", data, "full", base, {**at_rates(base), **SHARED, **OWN})


def scratch() -> Iterator[dict[str, Any]]:
    """Arms that train the control of the built-in example."""
    for data in ("cifar10", "usps", "pacs"):
        base = {**base_of(data, [0.003, 0.01], epochs=24), "images.size_px": 32}
        yield from each("scratch", "small_cnn", data, "scratch", base, {**at_rates(base), **SHARED})


def views() -> Iterator[dict[str, Any]]:
    """Arms that train the top block on fixed views in bfloat16, and with fresh augmentation in float32."""
    for network, n_seeds in {"mobilenet_v2": 10, "resnet18": 6}.items():
        for data, split in {"cifar10": (30, 10, 160), "usps": (30, 10, 200)}.items():
            base = {**base_of(data, [0.0003, 0.001], epochs=12, n_seeds=n_seeds), "images.size_px": 32}
            for name, (n_views, precision) in WAYS.items():
                change = {**base, **POLICIES["batchnorm frozen"], "finetune_target.views": n_views}
                yield arm("views", network, data, name, "top_blocks", change, precision, split)


def rates(strategy: str, grid: list[float], epochs: int) -> Iterator[dict[str, Any]]:
    """Arms at each rate of a grid with two seeds, compared with its middle, to find the best rate."""
    middle = len(grid) // 2
    at = [{"finetune_target.rates": [each], "train_scratch.rates": [each]} for each in grid]
    for data, size_px in {"hymenoptera": 64, "cifar10": 32, "usps": 32}.items():
        base = {**base_of(data, [grid[middle]], epochs, n_seeds=2), "images.size_px": size_px}
        changes = {f"rate {rate:g}": change for rate, change in zip(grid, at, strict=True)}
        yield from each(f"rates_{strategy}", "mobilenet_v2", data, strategy, base, changes)


TABLES = {
    "batchnorm": batchnorm,
    "batchnorm_top": batchnorm_top,
    "longer": longer,
    "values": values,
    "scratch": scratch,
    "views": views,
    "rates_top_blocks": partial(rates, "top_blocks", [0.0001, 0.0003, 0.001, 0.003, 0.01], 8),
    "rates_full": partial(rates, "full", [0.0001, 0.0003, 0.001, 0.003, 0.01], 8),
    "rates_scratch": partial(rates, "scratch", [0.0003, 0.001, 0.003, 0.01, 0.03], 16),
}


def base_of(data: str, rates: list[float], epochs: int = 8, n_seeds: int = 3) -> Change:
    """Changes to params.yaml that all arms on a set share, because its values are for the built-in example."""
    return {
        "images.size_px": SIZE_PX[data],
        "training.epochs": epochs,
        "training.budget": n_seeds,
        "training.augmentation": "digits" if data == "usps" else "photographs",
        "finetune_target.rates": rates,
        "train_scratch.rates": rates,
        "train_scratch.long_factor": 1,
    }


def at_rates(base: Change) -> dict[str, Change]:
    """Base at each of its rates: an arm is compared with the base at the rate that most of its seeds chose."""
    rates = base["finetune_target.rates"]
    return {f"base at {rate}": {"finetune_target.rates": [rate], "train_scratch.rates": [rate]} for rate in rates}


def each(
    table: str, network: str, data: str, strategy: str, base: Change, changes: dict[str, Change]
) -> Iterator[dict[str, Any]]:
    """Base, then each change that differs from it."""
    yield arm(table, network, data, "base", strategy, base)
    for name, change in changes.items():
        if any(base.get(key) != value for key, value in change.items()):
            yield arm(table, network, data, name, strategy, {**base, **change})


def arm(
    table: str,
    network: str,
    data: str,
    name: str,
    strategy: str,
    change: Change,
    precision: str = "float32",
    split: tuple[int, int, int] | None = None,
) -> dict[str, Any]:
    """Input of values_run.py for one arm."""
    named = {"table": table, "network": network, "data": data, "name": name}
    return {**named, "strategy": strategy, "change": change, "precision": precision, "split": split or SPLIT[data]}


def main() -> None:
    """Run the arms that are not in the log yet, then print the log."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("--tables", nargs="*", default=list(TABLES), choices=list(TABLES))
    args = parser.parse_args()
    arms = [json.dumps(each) for name in args.tables for each in TABLES[name]()]
    command = [sys.executable, str(RUNNER), str(args.data), str(args.log)]
    subprocess.run(command, input="\n".join(arms), text=True, check=True, env={**os.environ, **ONE_THREAD})
    log = args.log.read_text(encoding="utf-8").splitlines()
    for name in args.tables:
        print_table(name, {tuple(found["arm"]): found for found in map(json.loads, log) if found["arm"][0] == name})


def print_table(title: str, found: Found) -> None:
    """Print one line per arm: difference from the base at the same rate, and with the rates that were chosen."""
    sets = list(dict.fromkeys(key[1:3] for key in found))
    bases = {each: found[(title, *each, "base")] for each in sets}
    cells = [f"{correct_of(base).mean():.1%} at {base['rate']:g}, {base['cpu_s']:.0f} s" for base in bases.values()]
    print(f"\n{title}: the base (accuracy, rate, CPU s of training), then differences in points\n")
    print(
        "| arm | "
        + " | ".join(", ".join(each) for each in sets)
        + " | all | 95% interval | as chosen | CPU s, of base |"
    )
    print("|---|" + len(sets) * "---:|" + "---:|---|---:|---:|")
    print(f"| base | {' | '.join(cells)} | | | | |")
    for name in dict.fromkeys(key[3] for key in found if key[3] != "base"):
        own = {each: found[(title, *each, name)] for each in sets if (title, *each, name) in found}
        at_rate = {each: found.get((title, *each, f"base at {own[each]['rate']:g}"), bases[each]) for each in own}
        chosen, gains = difference(own, bases), difference(own, bases if name.startswith("base") else at_rate)
        cells = [points(gains[each]) if each in gains else "" for each in sets]
        (mean, half), (as_chosen, _) = mean_over(gains.values()), mean_over(chosen.values())
        ratio = sum(each["cpu_s"] for each in own.values()) / sum(bases[each]["cpu_s"] for each in own)
        span = f"{100 * (mean - half):+.1f} to {100 * (mean + half):+.1f}"
        print(f"| {name} | {' | '.join(cells)} | {100 * mean:+.1f} | {span} | {100 * as_chosen:+.1f} | {ratio:.2f} |")


def points(gain: Difference) -> str:
    """Difference and half the width of its interval, in points."""
    mean, _, high = gain.difference
    return f"{100 * mean:+.1f} ± {100 * (high - mean):.1f}"


def difference(own: Lines, other: Lines) -> dict[tuple[str, ...], Difference]:
    """Accuracy of an arm minus that of another, on each set that it was run on."""
    values = {each: correct_of(own[each]) - correct_of(other[each]) for each in own}
    # without the least half width of shares, which is about a claim and not about a mean over sets
    return {
        each: difference_of(found, layout_of(found.shape[1]), 1 - CONFIDENCE, False) for each, found in values.items()
    }


def correct_of(line: dict[str, Any]) -> NDArray[np.float64]:
    """Whether an arm is right, (seeds, images): 1 or 0."""
    return np.array([[float(each) for each in row] for row in line["correct"]])


def mean_over(gains: Iterable[Difference]) -> tuple[float, float]:
    """Mean over sets and half the width of its interval, by the degrees of freedom of Welch and Satterthwaite."""
    means, errors, freedoms = np.array(
        [(g.difference.estimate, g.standard_error, g.degrees_of_freedom) for g in gains]
    ).T
    # Without any error, both arms have the same weights.
    if not errors.any():
        return float(means.mean()), 0.0
    freedom = (errors**2).sum() ** 2 / (errors**4 / freedoms).sum()
    half = stdtrit(freedom, (1 + CONFIDENCE) / 2) * np.sqrt((errors**2).sum()) / len(means)
    return float(means.mean()), float(half)


if __name__ == "__main__":
    main()
