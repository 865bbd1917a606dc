"""The counts of great_expectations agree with the limits of the rules, so that other tests can do without it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.validation.conftest import counted
from tests.validation.samples import GREY_WEIGHTS, domain, domains, params, row

from graft.validation import expectations
from graft.validation.judge import Suite, judge
from graft.validation.overlap import near_overlap_rules, overlap_rules
from graft.validation.rules import (
    Rule,
    class_rules,
    image_rules,
    left_rules,
    look_rules,
    name_rules,
    pair_rules,
    shortcut_rules,
    split_rules,
    store_rules,
)

LIMITS = params(classes=("cat", "dog")).validate_data
RULES = {
    "stores": store_rules(),
    "images": (*image_rules(LIMITS), *overlap_rules()),
    "names": (*left_rules(), *name_rules("Paste.")),
    "near_duplicates": (*pair_rules(LIMITS), *near_overlap_rules(LIMITS)),
    "classes": class_rules(LIMITS),
    "splits": split_rules(),
    "looks": (*look_rules(), *shortcut_rules()),
}


SOUND = [row(f"{split}/{label}/{n}") for split in ("train", "val", "test") for label in "ab" for n in range(2)]
SOURCE = [row(each.path, f"source {each.path}") for each in SOUND]


def around(rules: tuple[Rule, ...]) -> pd.DataFrame:
    """A table with values below, at and above the limits of every rule, and empty values."""
    columns: dict[str, list[float]] = {}
    for rule in rules:
        ends = [end for end in (rule.least, rule.most) if end is not None]
        near = [value for end in ends for value in (end, np.nextafter(end, -np.inf), np.nextafter(end, np.inf))]
        columns.setdefault(rule.column, [-9.0, 99.0, np.nan]).extend(near)
    longest = max(map(len, columns.values()))
    filled = {name: [*values, *[np.nan] * (longest - len(values))] for name, values in columns.items()}
    return pd.DataFrame({"name": [f"row {n}" for n in range(longest)], **filled})


@pytest.fixture(scope="module")
def suites() -> Mapping[str, Suite]:
    return {name: Suite(around(rules), rules) for name, rules in RULES.items()}


def test_every_rule_is_broken_by_as_many_rows_as_its_limits_say(suites: Mapping[str, Suite], tmp_path: Path) -> None:
    found = judge(suites, tmp_path)
    assert found == counted(suites, tmp_path)
    assert set(found) == {rule.name for rules in RULES.values() for rule in rules}
    assert min(found.values()) > 0
    assert len([*(tmp_path / "validations").glob("*")]) == len(RULES)


def test_sound_data_have_data_docs_and_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record = expectations.validate(
        domains(domain("source", SOURCE), domain("target", SOUND)), GREY_WEIGHTS, params(), tmp_path
    ).record
    assert record.ok
    assert (tmp_path / "index.html").is_file()
    assert len(list(tmp_path.glob("validations/**/*.html"))) == len(RULES)
    assert capfd.readouterr() == ("", "")


def test_rows_at_the_limits_break_no_rule(tmp_path: Path) -> None:
    ends = {rule.column: [each for each in (rule.least, rule.most) if each is not None] for rule in look_rules()}
    table = pd.DataFrame({name: [each[0], each[-1], np.nan] for name, each in ends.items()}).assign(name=list("abc"))
    found = judge({"looks": Suite(table, look_rules())}, tmp_path)
    assert set(found.values()) == {0}


def test_a_rule_that_cannot_be_checked_is_an_error(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": ["a"], "whole": ["no number"]})
    with pytest.raises(RuntimeError, match="want a result for damaged image stores, got"):
        judge({"stores": Suite(table, store_rules())}, tmp_path)


def test_counts_that_disagree_with_the_limits_are_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def one_more(suites: Mapping[str, Suite], docs: Path) -> dict[str, int]:
        return {name: n + (name == "unreadable images") for name, n in counted(suites, docs).items()}

    monkeypatch.setattr(expectations, "judge", one_more)
    rows = [row("train/cat/x"), row("val/cat/y"), row("test/cat/z", error="truncated")]
    with pytest.raises(RuntimeError, match="unreadable images: want 1 rows against it, got 2"):
        expectations.validate(domains(domain("source", []), domain("target", rows)), GREY_WEIGHTS, params(), tmp_path)
