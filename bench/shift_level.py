"""Level of the shift test where groups differ in size: how often it finds a shift where there is none.

Rows are normal, a share of their variance is between groups, and both sides have the same distribution. There are no
peers, and all runs in one process:

    python bench/shift_level.py

It prints the share that a test of this level exceeds once in 1,000 times, then a Markdown table of the share of draws
with p at most 0.05 and 0.01. `--draws`, `--shares` and `--cases` make it shorter.
"""

import argparse

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from graft.statistics.two_sample.two_sample import two_sample_test

Rows = tuple[NDArray[np.float64], NDArray[np.int64]]

N_PERMUTATIONS = 199
# Sizes of the groups of source and target, and number of features.
CASES: dict[str, tuple[list[int], list[int], int]] = {
    "400 single rows against one of 60 and 40 single": ([1] * 400, [60] + [1] * 40, 3),
    "400 single rows against one of 30 and 70 single": ([1] * 400, [30] + [1] * 70, 3),
    "400 single rows against three of 40 and 20 single": ([1] * 400, [40] * 3 + [1] * 20, 3),
    "one of 60 and 40 single against one of 40 and 30 single": ([60] + [1] * 40, [40] + [1] * 30, 3),
    "150 single rows against one of 60 and 20 single": ([1] * 150, [60] + [1] * 20, 8),
    "100 single rows against one of 30 and 20 single": ([1] * 100, [30] + [1] * 20, 3),
    "one of 100 and 100 single against one of 30 and 20 single": ([100] + [1] * 100, [30] + [1] * 20, 3),
    "15 single rows against 30 of four": ([1] * 15, [4] * 30, 3),
    "20 single rows against 100 of ten": ([1] * 20, [10] * 100, 3),
    "200 single rows against eight of 40": ([1] * 200, [40] * 8, 3),
    "one of 100 and 100 single against one of 60 and 40 single": ([100] + [1] * 100, [60] + [1] * 40, 8),
    "three of 30 and five single against 60 single rows": ([30] * 3 + [1] * 5, [1] * 60, 3),
    "one of 300 and 30 single against 40 of 20": ([1] * 30 + [300], [20] * 40, 3),
}


def side(rng: np.random.Generator, sizes: list[int], d: int, share: float) -> Rows:
    """Rows with this share of their variance between groups, and the number of each row's group."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    between, within = rng.normal(size=(len(sizes), d))[group], rng.normal(size=(len(group), d))
    return np.sqrt(share) * between + np.sqrt(1 - share) * within, group


def p_values(case: str, share: float, draws: int) -> NDArray[np.float64]:
    """P-values without a shift, (draws,)."""
    source_sizes, target_sizes, d = CASES[case]
    found = []
    for seed in range(draws):
        rng = np.random.default_rng((seed, 7))
        (source, ours), (target, theirs) = (side(rng, sizes, d, share) for sizes in (source_sizes, target_sizes))
        test = two_sample_test(source, target, n_permutations=N_PERMUTATIONS, seed=seed, groups=(ours, theirs))
        found.append(test.p_value)
    return np.array(found)


def bound(level: float, draws: int) -> float:
    """Share that a test of this level exceeds about once in 1,000 times."""
    return float(binom.ppf(0.999, draws, level)) / draws


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description="Level of the shift test where groups differ in size.")
    parser.add_argument("--draws", type=int, default=1_000)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.5], help="of the variance between groups")
    parser.add_argument("--cases", type=int, nargs="+", default=range(1, len(CASES) + 1), help="by number, from 1")
    options = parser.parse_args()
    limits = " / ".join(f"{bound(level, options.draws):.3f}" for level in (0.05, 0.01))
    print(f"{options.draws} draws, {N_PERMUTATIONS} permutations; at most {limits}\n")
    print("| groups | features | share between groups | at 0.05 | at 0.01 |\n|---|---:|---:|---:|---:|")
    for number, case in enumerate(CASES, 1):
        for share in options.shares if number in options.cases else ():
            found = p_values(case, share, options.draws)
            rates = " | ".join(f"{np.mean(found <= level):.3f}" for level in (0.05, 0.01))
            print(f"| {case} | {CASES[case][2]} | {share:g} | {rates} |", flush=True)


if __name__ == "__main__":
    main()
