"""A table of everything that breaks a rule, for people to sort and filter; the record names only ten of each."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from graft.files import SIGNIFICANT_DIGITS, write_table
from graft.validation.rules import Rule, Severity

COLUMNS = ("finding", "severity", "domain", "path", "class", "split", "value", "with", "note")
# Columns that only tables of files or classes have.
PLACES = ("domain", "path", "label", "split", "with")


class Failing(NamedTuple):
    """One row that breaks a rule; fields that do not apply are empty."""

    finding: str
    severity: Severity
    domain: str
    path: str
    """path relative to the domain's folder"""
    label: str
    split: str
    value: float | int
    """the value outside of the rule's limits"""
    other: str
    """the equal or nearly equal file that it conflicts with, as domain and path"""
    note: str
    """the name by which the record mentions it"""


def failing(rule: Rule, broken: pd.DataFrame) -> list[Failing]:
    """The rows that break a rule, sorted by name.

    Args:
        rule: the rule.
        broken: the rows of the table that break it, with a column `name`.
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
    """Write the rows as CSV, whole or not at all."""
    write_table(COLUMNS, rows, path)


def _tied(ordered: pd.DataFrame, ties: str, differ: str) -> list[str]:
    """For each row, the first file that conflicts with it; empty if there is none.

    Args:
        ordered: rows that break a rule.
        ties: column whose equal values mark rows that break the rule together.
        differ: column in which the row and the file must differ.
    """
    keys = list(zip(ordered[ties].astype(str), ordered[differ].astype(str), strict=True))
    of_tie: dict[str, dict[str, str]] = {}
    for (tie, value), file in zip(keys, ordered["file"], strict=True):
        firsts = of_tie.setdefault(tie, {})
        # two are enough: at least one of them differs from any row
        if len(firsts) < 2:
            firsts.setdefault(value, file)
    return [_other(of_tie[tie], value) for tie, value in keys]


def _other(firsts: dict[str, str], differ: str) -> str:
    return next((file for each, file in firsts.items() if each != differ), "")


def _short(value: float) -> float | int:
    return int(value) if value.is_integer() else float(f"{value:.{SIGNIFICANT_DIGITS}g}")
