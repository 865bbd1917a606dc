"""Everything that breaks a rule, line by line, as a table that a person may sort: the record names ten of each."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from graft.files import SIGNIFICANT_DIGITS, write_table
from graft.validation.rules import Rule, Severity

COLUMNS = ("finding", "severity", "domain", "path", "class", "split", "value", "with", "note")
PLACES = ("domain", "path", "label", "split", "with")
"""columns that a table may have, where its rows are files or classes"""


class Failing(NamedTuple):
    """One thing that breaks a rule; what does not apply is empty."""

    finding: str
    severity: Severity
    domain: str
    path: str
    """relative to the folder of the domain"""
    label: str
    split: str
    value: float | int
    """that lies outside of the rule's limits"""
    other: str
    """the file that it is held against, with its domain: an equal one, or nearly so"""
    note: str
    """as the record names it"""


def failing(rule: Rule, broken: pd.DataFrame) -> list[Failing]:
    """The rows of a table that break a rule, by name.

    Args:
        rule: the rule.
        broken: rows that break it, with a column `name`.
    """
    ordered = broken.sort_values("name", kind="stable")
    words = ordered.reindex(columns=[*PLACES, "name"]).astype("object").fillna("")
    if rule.same is not None:
        words["with"] = _tied(ordered, ties=rule.same, differ=str(rule.differ))
    values = map(_short, ordered[rule.column].to_numpy(dtype=np.float64).tolist())
    return [
        Failing(rule.name, rule.severity, domain, path, label, split, value, other, name)
        for (domain, path, label, split, other, name), value in zip(words.to_numpy().tolist(), values, strict=True)
    ]


def write_failing(rows: Iterable[Failing], path: Path) -> None:
    """Write all that fails as CSV, whole or not at all; names that begin like a formula get a quote before them."""
    write_table(COLUMNS, rows, path)


def _tied(ordered: pd.DataFrame, ties: str, differ: str) -> list[str]:
    """For each row the first file of its tie that differs from it as the rule asks; empty where there is none."""
    keys = list(zip(ordered[ties].astype(str), ordered[differ].astype(str), strict=True))
    of_tie: dict[str, dict[str, str]] = {}
    for (tie, value), file in zip(keys, ordered["file"], strict=True):
        firsts = of_tie.setdefault(tie, {})
        if len(firsts) < 2:  # one of two differs from whatever the row has
            firsts.setdefault(value, file)
    return [_other(of_tie[tie], value) for tie, value in keys]


def _other(firsts: dict[str, str], differ: str) -> str:
    return next((file for each, file in firsts.items() if each != differ), "")


def _short(value: float) -> float | int:
    return int(value) if value.is_integer() else float(f"{value:.{SIGNIFICANT_DIGITS}g}")
