"""Validate all domains: make all tables, check all rules, and describe the rules that are broken."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from graft.files import visible
from graft.params.pipeline import Params
from graft.records.common import Preprocessing
from graft.records.validation import Finding, ValidationRecord
from graft.validation.docs_site import readable_offline
from graft.validation.domains import Domains
from graft.validation.failing import Failing, failing
from graft.validation.judge import Suite, judge
from graft.validation.looks import expected_looks, look_table
from graft.validation.name_table import name_advice, name_table, suggested_groups
from graft.validation.overlap import near_overlap_rules, overlap_rules
from graft.validation.pair_table import pair_table
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
from graft.validation.shortcuts import shortcut_table
from graft.validation.splitcheck import split_table
from graft.validation.table import class_table, image_table, left_table, store_table

# Examples that the record names for each finding.
MAX_EXAMPLES = 10


class Validated(NamedTuple):
    """Result of all rules."""

    record: ValidationRecord
    failing: tuple[Failing, ...]
    """every row that breaks a rule; the record names some of them"""


def validate(domains: Domains, preprocessing: Preprocessing, params: Params, docs: Path) -> Validated:
    """Check all domains against all rules.

    If an image store is damaged, rules that need pixels are skipped.

    Args:
        domains: source, target, and unlabelled images of the target; without rows where they are absent.
        preprocessing: how the images were prepared, and the weights' mean and standard deviation.
        params: limits, seed, and the origin of the weights.
        docs: existing folder for Great Expectations' Data Docs.

    Raises:
        RuntimeError: great_expectations could not check a rule.
    """
    suites = _suites(domains, preprocessing, params)
    n_broken = judge(suites, docs)
    rules = [(rule, _broken(rule, suite.table)) for suite in suites.values() for rule in suite.rules]
    findings = tuple(_finding(rule, broken, n_broken[rule.name]) for rule, broken in rules)
    readable_offline(docs, findings)
    record = ValidationRecord(ok=not any(_is_critical(each) for each in findings), findings=findings)
    return Validated(record, tuple(each for rule, broken in rules for each in failing(rule, broken)))


def critical_sentences(record: ValidationRecord) -> list[str]:
    """One sentence for each critical finding: what is wanted, which files break it, and what to do."""
    return [
        f"images: want no {each.name}, got {each.n_unexpected}: {_told(each, len(each.examples))}"
        for each in record.findings
        if _is_critical(each)
    ]


def warning_sentences(record: ValidationRecord) -> list[str]:
    """One sentence for each warning, which does not stop the pipeline, with fewer names."""
    return [
        f"warning: {each.name} ({each.n_unexpected}): {_told(each, 2)}"
        for each in record.findings
        if not each.ok and not _is_critical(each)
    ]


def _told(finding: Finding, n_named: int) -> str:
    more = "; ..." if len(finding.examples) > n_named or finding.n_unexpected > MAX_EXAMPLES else ""
    named = "; ".join(finding.examples[:n_named])
    return f"{named}{more}. {finding.advice}"


def _suites(domains: Domains, preprocessing: Preprocessing, params: Params) -> dict[str, Suite]:
    limits, bits = params.validate_data, params.prepare_data.near_duplicate_bits
    images = image_table(*(domain.rows for domain in domains))
    there = [domain for domain in domains if domain.readable]
    labelled = [domain for domain in there if domain.name != "unlabeled"]
    told = suggested_groups(labelled)
    names = pd.concat([left_table(domains), name_table(told)], ignore_index=True)
    suites = {
        "stores": _suite(store_table(domains), store_rules()),
        "images": _suite(images, (*image_rules(limits), *overlap_rules())),
        "names": _suite(names, (*left_rules(), *name_rules(name_advice(told)))),
        "classes": _suite(class_table(images, limits.classes, domains.learns_from), class_rules(limits)),
    }
    if any(domain.fault for domain in domains):
        return suites
    if bits is not None:
        suites["near_duplicates"] = _suite(
            pair_table(domains, bits), (*pair_rules(limits), *near_overlap_rules(limits))
        )
    expected = expected_looks(domains.source, preprocessing, made_on_source=params.network.weights == "pretrain")
    suites["splits"] = _suite(split_table(labelled, params.seed), split_rules())
    looks = pd.concat([look_table(there, expected), shortcut_table(labelled, params.seed)], ignore_index=True)
    suites["looks"] = _suite(looks, (*look_rules(), *shortcut_rules()))
    return suites


def _suite(table: pd.DataFrame, rules: Sequence[Rule]) -> Suite:
    return Suite(table.assign(name=table["name"].map(visible)), tuple(rules))


def _is_critical(finding: Finding) -> bool:
    return finding.severity == "critical" and not finding.ok


def _broken(rule: Rule, table: pd.DataFrame) -> pd.DataFrame:
    """The rows that break a rule; empty values break no rule."""
    values, no = table[rule.column], pd.Series(False, index=table.index)
    too_low = no if rule.least is None else values < rule.least
    too_high = no if rule.most is None else values > rule.most
    return table.loc[too_low | too_high]


def _finding(rule: Rule, broken: pd.DataFrame, n_broken: int) -> Finding:
    """Result of a rule.

    Args:
        rule: the rule.
        broken: the rows that break it.
        n_broken: number of such rows by great_expectations, which does not name them.

    Raises:
        RuntimeError: the two numbers differ.
    """
    if len(broken) != n_broken:
        raise RuntimeError(
            f"validation, {rule.name}: want {len(broken)} rows against it, got {n_broken} from great_expectations. "
            "Report this, with the catalogues."
        )
    return Finding(
        name=rule.name,
        severity=rule.severity,
        ok=broken.empty,
        n_unexpected=n_broken,
        examples=tuple(_examples(rule, broken)),
        advice=rule.advice,
    )


def _examples(rule: Rule, broken: pd.DataFrame) -> Iterator[str]:
    """At most 10 names, or at most 5 pairs such as `target/train/0/a.png = target/test/0/b.png`."""
    ordered = broken.sort_values("name")
    if rule.same is None:
        yield from ordered["name"].head(MAX_EXAMPLES)
        return
    for tie in ordered[rule.same].drop_duplicates().head(MAX_EXAMPLES // 2):
        names = ordered[ordered[rule.same] == tie].drop_duplicates(rule.differ)["name"].head(2)
        yield f"{visible(tie)}: {' and '.join(names)}" if rule.same == "group_of_domain" else " = ".join(names)
