"""The verdict on small real trainings: how often each outcome comes out where the truth is known.

    python bench/verdict_real.py [table ...]

Both arms are trained on scikit-learn's digits by graft's own functions, in this process and with one thread. Every run
draws its images anew. Each table is printed as Markdown. The exit code is 1 if a table breaks what it promises.
"""

import os

# before torch is imported
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "GRAFT_PROCESSES": "1"}

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
from values_run import Split
from verdict_real_run import (
    Change,
    Found,
    Target,
    digits,
    judged,
    params_with,
    pretrained_on,
    random_network,
    rest_of,
    right_of_scratch,
    right_of_transfer,
    saturated,
    share_constant,
    shuffled_labels,
    target_of,
)

from graft.networks.runtime import make_deterministic

# images of a class to learn from, to choose by and to test on
FEW = Split(5, 4, 40)
CHEAP: Change = {
    "training.epochs": 8,
    "training.budget": 3,
    "training.batch_size": 16,
    "training.augmentation": "none",
    "pretrain_source.epochs": 8,
    "pretrain_source.augmentation": "none",
    "finetune_target.rates": [0.003, 0.01],
    "train_scratch.rates": [0.003, 0.01],
}
# random heads, one rate for all blocks and as many epochs in both arms: only the random blocks are from elsewhere
ALIKE: Change = {"training.head": "mlp", "finetune_target.depth_decay": 1.0, "train_scratch.long_factor": 1}
SHORT: Change = {"train_scratch.long_factor": 1}
N_RANDOM, N_UNLIKE, N_SHUFFLED = 400, 100, 20
MOST_POSITIVE = 0.045
DESTROYING_RATES = (1.0, 10.0, 100.0)
HEADER = "transfer | scratch | difference | interval | verdict |"
RULE = "---:|---:|---:|---|---|"


def destroyed() -> bool:
    """Print the verdict on weights that steps at a huge rate destroyed, with feature extraction forced: NEGATIVE."""
    verdicts = set()
    print(f"| steps at rate | draw | constant features | {HEADER}\n|---:|---:|---:|{RULE}", flush=True)
    for seed in range(3):
        target = digits_target(CHEAP, seed)
        source, scratch = rest_of(target), right_of_scratch(target)
        for rate in DESTROYING_RATES:
            network = saturated(pretrained_on(source, target, seed), source, rate, seed)
            found = judged(right_of_transfer(target, network, "feature_extraction"), scratch)
            print(f"| {rate:g} | {seed} | {share_constant(network, target):.0%} | {cells(found)}", flush=True)
            verdicts.add(found.verdict)
    return verdicts == {"NEGATIVE"}


def alike() -> bool:
    """Print how often random weights that are called pretrained come out as what, with arms that are alike."""
    return random({"alike, 8 epochs each": ALIKE}, N_RANDOM) <= MOST_POSITIVE


def unlike() -> None:
    """Print the same for arms as params.yaml has them, and for a control that is no longer than transfer."""
    random({"head from the probe, control 3 times as long": {}, "head from the probe, equally long": SHORT}, N_UNLIKE)


def random(arms: dict[str, Change], n_runs: int) -> float:
    """Print a line for each way to train both arms from random weights. The result is the largest share of POSITIVE."""
    most = 0.0
    print(f"| arms | runs | POSITIVE, at most {MOST_POSITIVE:.1%} | NEGATIVE | others | mean difference | CPU s |")
    print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
    for name, change in arms.items():
        found, start = [], time.process_time()
        for seed in range(n_runs):
            target = digits_target({**CHEAP, **change}, seed)
            network = random_network(target, 10**6 + seed)
            found.append(judged(right_of_transfer(target, network, "full"), right_of_scratch(target)))
            if seed % 20 == 19:
                print(name, tally(found), file=sys.stderr, flush=True)
        print(f"| {name} | {tally(found)} | {time.process_time() - start:.0f} |", flush=True)
        most = max(most, sum(each.verdict == "POSITIVE" for each in found) / len(found))
    return most


def shuffled() -> None:
    """Print how often weights trained on shuffled labels come out as what, beside those of the true labels."""
    print("| source labels | strategy | runs | POSITIVE | NEGATIVE | others | mean difference | CPU s |")
    print("|---|---|---:|---:|---:|---:|---:|---:|", flush=True)
    targets = [digits_target(CHEAP, seed) for seed in range(N_SHUFFLED)]
    controls = [right_of_scratch(target) for target in targets]
    for labels in ("true", "shuffled"):
        sources = [rest_of(each) for each in targets]
        sources = [shuffled_labels(each, seed) if labels == "shuffled" else each for seed, each in enumerate(sources)]
        networks = [pretrained_on(*each) for each in zip(sources, targets, range(N_SHUFFLED), strict=True)]
        for strategy in ("feature_extraction", "full"):
            start = time.process_time()
            arms = [right_of_transfer(*each, strategy) for each in zip(targets, networks, strict=True)]
            found = [judged(*each) for each in zip(arms, controls, strict=True)]
            print(f"| {labels} | {strategy} | {tally(found)} | {time.process_time() - start:.0f} |", flush=True)


TABLES: Mapping[str, Callable[[], bool | None]] = {
    "destroyed": destroyed,
    "alike": alike,
    "unlike": unlike,
    "shuffled": shuffled,
}


def digits_target(change: Change, seed: int) -> Target:
    """Digits drawn by a seed, and params with seeds of their own."""
    return target_of(digits(FEW, seed), params_with({**change, "seed": 100 * seed}))


def cells(found: Found) -> str:
    """Accuracies of both arms, difference, interval and verdict."""
    difference = found.difference
    span = f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}"
    accuracies = f"{found.transfer:.1%} | {found.scratch:.1%}"
    return f"{accuracies} | {100 * difference.estimate:+.1f} | {span} | {found.verdict} |"


def tally(found: list[Found]) -> str:
    """Number of runs, share of each outcome, mean difference."""
    counts = Counter(each.verdict for each in found)
    n, mean = len(found), 100 * np.mean([each.difference.estimate for each in found])
    others = n - counts["POSITIVE"] - counts["NEGATIVE"]
    shares = (f"{count / n:.1%}" for count in (counts["POSITIVE"], counts["NEGATIVE"], others))
    return f"{n} | {' | '.join(shares)} | {mean:+.1f}"


def run(tables: Mapping[str, Callable[[], bool | None]], about: str | None) -> None:
    """Print the tables that the command line names, or all, and exit with 1 if one breaks what it promises.

    A table without a promise gives None.
    """
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument("tables", nargs="*", metavar="table", help=f"of {', '.join(tables)}; all where none is named")
    names = parser.parse_args().tables or list(tables)
    if unknown := [each for each in names if each not in tables]:
        parser.error(f"want tables among {', '.join(tables)}, got {', '.join(unknown)}.")
    make_deterministic(0)
    held = []
    for name in names:
        print(f"\n{name}\n", flush=True)
        held.append(tables[name]() is not False)
    sys.exit(not all(held))


if __name__ == "__main__":
    run(TABLES, __doc__)
