"""What is expected of the catalogue, held against it by Great Expectations; the only file that imports it."""

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd

from graft.params import ValidateData
from graft.records import Finding, ValidationRecord
from graft.store import CatalogRow
from graft.validation.table import class_table, image_table

MAX_EXAMPLES = 10
MAX_SKEW = 10
"""the largest class may have this many times the train images of the smallest"""


class Rule(NamedTuple):
    """Values of a column lie between two limits, both included; empty values are not looked at."""

    name: str
    """what is wanted"""
    severity: Literal["critical", "warning"]
    column: str
    least: float | None
    most: float | None
    advice: str
    same: str | None = None
    """column whose values tie together the rows that break the rule together, such as equal images"""
    differ: str | None = None
    """column whose values tell such rows apart"""


def image_rules(params: ValidateData) -> tuple[Rule, ...]:
    """What is expected of every image."""
    return (
        Rule(
            "every image readable", "critical", "readable", 1, 1,
            "Replace or delete these files.",
        ),
        Rule(
            f"every image at least {params.min_side_px} px on its smaller side", "warning", "min_side",
            params.min_side_px, None,
            "Replace them by larger ones, or lower validate_data.min_side_px.",
        ),
        Rule(
            "no image in two splits", "critical", "splits_of_image", None, 1,
            "These files are equal: keep each image in one split, or results on test are too good.",
            "image", "split",
        ),
        Rule(
            "no image under two classes", "critical", "labels_of_image", None, 1,
            "These files are equal: decide which class is right and delete the other file.",
            "image", "label",
        ),
        Rule(
            "no group in two splits", "critical", "splits_of_group", None, 1,
            "Move all images of a group into one split, or results on test are too good.",
            "group", "split",
        ),
        Rule(
            "no image twice in a split", "warning", "copies_in_split", None, 1,
            "These files are equal: delete all but one, or the image counts more than the others.",
            "image", "file",
        ),
        Rule(
            "no test image of the target in the source", "critical", "in_source_and_test", None, 0,
            "These files are equal: delete the one in the source, or results on test are too good.",
            "sha256", "domain",
        ),
    )  # fmt: skip


def class_rules(params: ValidateData) -> tuple[Rule, ...]:
    """What is expected of every class."""
    return (
        Rule(
            "every class in every split", "critical", "fewest", 1, None,
            "Add readable images of these classes to the splits that lack them.",
        ),
        Rule(
            f"at least {params.min_images_per_class} readable train images a class", "critical", "train",
            params.min_images_per_class, None,
            "Add images, leave the class out, or lower validate_data.min_images_per_class.",
        ),
        Rule(
            f"no class {MAX_SKEW} times smaller than the largest", "warning", "times_smaller", None, MAX_SKEW,
            "Add images of these classes: accuracy tells little about them.",
        ),
    )  # fmt: skip


def validate(
    source: Sequence[CatalogRow], target: Sequence[CatalogRow], params: ValidateData, docs: Path
) -> ValidationRecord:
    """Hold both catalogues against all expectations.

    Args:
        source: rows of the source's catalogue; none where there is no source.
        target: rows of the target's catalogue.
        params: limits.
        docs: existing folder for Great Expectations' Data Docs.
    """
    images = image_table(source, target)
    suites = {"images": (images, image_rules(params)), "classes": (class_table(images), class_rules(params))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of great_expectations and what it imports: nothing a user could act on
        broken = _run(suites, docs)
    findings = tuple(_finding(rule, table.loc[broken[rule.name]]) for table, rules in suites.values() for rule in rules)
    return ValidationRecord(ok=not any(_is_critical(each) for each in findings), findings=findings)


def critical_sentences(record: ValidationRecord) -> list[str]:
    """One sentence for each critical finding: what was wanted, which files break it, what to do."""
    return [
        f"images: want {each.name}, got {each.n_unexpected} against it: {'; '.join(each.examples)}"
        f"{'; ...' if each.n_unexpected > MAX_EXAMPLES else ''}. {each.advice}"
        for each in record.findings
        if _is_critical(each)
    ]


def _is_critical(finding: Finding) -> bool:
    return finding.severity == "critical" and not finding.ok


def _finding(rule: Rule, broken: pd.DataFrame) -> Finding:
    return Finding(
        name=rule.name,
        severity=rule.severity,
        ok=broken.empty,
        n_unexpected=len(broken),
        examples=tuple(_examples(rule, broken)),
        advice=rule.advice,
    )


def _examples(rule: Rule, broken: pd.DataFrame) -> Iterator[str]:
    """At most 10 names; with ties, at most 5 pairs such as `target/train/0/a.png = target/test/0/b.png`."""
    if rule.same is None:
        yield from sorted(broken["name"])[:MAX_EXAMPLES]
        return
    ordered = broken.sort_values("name")
    for _, rows in list(ordered.groupby(rule.same, sort=False))[: MAX_EXAMPLES // 2]:
        yield " = ".join(rows.drop_duplicates(rule.differ)["name"].head(2))


def _run(suites: dict[str, tuple[pd.DataFrame, tuple[Rule, ...]]], docs: Path) -> dict[str, list[int]]:
    """Row numbers that break each rule, by its name; builds Data Docs."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # before the import, which reads it
    import great_expectations as gx

    context: Any = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    site = {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(docs.absolute()),
        },
    }
    context.add_data_docs_site("docs", site)
    source = context.data_sources.add_pandas("catalog")
    broken: dict[str, list[int]] = {}
    for name, (table, rules) in suites.items():
        batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("whole")
        broken |= _check(context, batch, table, rules)
    context.build_data_docs(site_names=["docs"])
    return broken


def _check(context: Any, batch: Any, table: pd.DataFrame, rules: Sequence[Rule]) -> dict[str, list[int]]:
    """Row numbers that break each rule of one table."""
    import great_expectations as gx

    name = batch.data_asset.name
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=[_expectation(r) for r in rules]))
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=suite))
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(
            name=name,
            validation_definitions=[definition],
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["name"]},
        )
    )
    run = checkpoint.run(batch_parameters={"dataframe": table})
    results = next(iter(run.run_results.values())).results
    return {each.expectation_config.meta["rule"]: _rows(each, table) for each in results}


def _expectation(rule: Rule) -> Any:
    from great_expectations.expectations.core.expect_column_values_to_be_between import (
        ExpectColumnValuesToBeBetween,
    )
    from great_expectations.expectations.metadata_types import FailureSeverity

    return ExpectColumnValuesToBeBetween(
        column=rule.column,
        min_value=rule.least,
        max_value=rule.most,
        severity=FailureSeverity(rule.severity),
        notes=f"{rule.name}. {rule.advice}",
        meta={"rule": rule.name},
    )


def _rows(result: Any, table: pd.DataFrame) -> list[int]:
    """Row numbers of the table that one result calls unexpected.

    Raises:
        RuntimeError: great_expectations could not judge the rule.
    """
    names = {each["name"] for each in result.result.get("unexpected_index_list") or []}
    if not result.success and not names:
        raise RuntimeError(
            f"great_expectations: want a judgement of {result.expectation_config.meta['rule']}, got "
            f"{result.exception_info}. Report this, with the catalogues."
        )
    return [int(row) for row in table.index[table["name"].isin(names)]]
