"""Cells of the tables of bench/adaptation.py: accuracies and their differences, crossed over seeds and test images.

A seed counts only where all its candidates have ended, and two methods are compared in the seeds that both have.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from adaptation_pool import Job, Result, Results
from numpy.typing import NDArray

from graft.statistics.comparison.compare import Comparison, compare, mean_score
from graft.statistics.comparison.interval import Estimate

Right = NDArray[np.bool_]
# by seed the result that it chose
Chosen = dict[int, Result]
LEAST_SEEDS = 2
NOTHING = "-"


def of(results: Results, task: str, method: str) -> Results:
    """Results of a method on a task."""
    return {job: result for job, result in results.items() if (job.task, job.method) == (task, method)}


def choose(results: Results, n_candidates: int, rank: Callable[[Result], Any]) -> Chosen:
    """By seed the candidate of the highest rank, the first of equals; seeds without all candidates are left out."""
    by_seed: dict[int, list[tuple[Job, Result]]] = {}
    for job, result in results.items():
        by_seed.setdefault(job.seed, []).append((job, result))
    whole = {seed: tried for seed, tried in by_seed.items() if len(tried) == n_candidates}
    return {seed: max(tried, key=lambda each: rank(each[1]))[1] for seed, tried in sorted(whole.items())}


def right(chosen: Chosen, logits: str = "logits", labels: str = "labels") -> dict[int, Right]:
    """By seed, whether the largest logit is that of the label, (n,)."""
    return {seed: each.arrays[logits].argmax(axis=1) == each.arrays[labels] for seed, each in chosen.items()}


def accuracy(rights: Mapping[int, Right]) -> str:
    """Mean over seeds and images in percent, with its interval."""
    if len(rights) < LEAST_SEEDS:
        return f"{100 * np.mean(next(iter(rights.values()))):.1f}" if rights else NOTHING
    return _spelled(mean_score(np.stack(list(rights.values()))), "")


def mean(rights: Mapping[int, Right]) -> str:
    """Mean over seeds and images in percent."""
    return f"{100 * np.mean(list(rights.values())):.1f}" if rights else NOTHING


def comparison(ours: Mapping[int, Right], theirs: Mapping[int, Right]) -> Comparison | None:
    """Comparison in the seeds that both have; None where they are too few."""
    both = sorted(set(ours) & set(theirs))
    if len(both) < LEAST_SEEDS:
        return None
    return compare(*(np.stack([side[seed] for seed in both]) for side in (ours, theirs)), margin=0.0)


def gain(found: Comparison | None) -> str:
    """Difference in points with its interval."""
    return NOTHING if found is None else _spelled(found.difference, "+")


def seeds(chosen: Chosen) -> str:
    """Number of seeds."""
    return str(len(chosen))


def mean_fact(results: Iterable[Result], name: str, form: str) -> str:
    """Mean of a number over results, in this format."""
    values = [each.facts[name] for each in results if each.facts.get(name) is not None]
    return format(float(np.mean(values)), form) if values else NOTHING


def largest(results: Iterable[Result], name: str) -> str:
    """Largest of a number over results, without decimals."""
    values = [each.facts[name] for each in results if each.facts.get(name) is not None]
    return f"{max(values):,.0f}" if values else NOTHING


def table(head: str, rows: Iterable[Sequence[str]]) -> str:
    """Markdown table; all cells but those of the first two columns stand at the right."""
    names = head.split(" | ")
    rule = ["---", "---", *["---:"] * (len(names) - 2)]
    return "\n".join(f"| {' | '.join(row)} |" for row in ([*names], rule, *rows))


def _spelled(found: Estimate, sign: str) -> str:
    estimate, low, high = (format(round(100 * each, 1) + 0.0, f"{sign}.1f") for each in found)
    return f"{estimate} ({low} to {high})"
