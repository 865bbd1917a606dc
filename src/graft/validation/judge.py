"""Great Expectations: judges the rules and writes Data Docs; the only file that imports it."""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from graft.validation.rules import Rule


class Suite(NamedTuple):
    """A table and what is expected of its rows."""

    table: pd.DataFrame
    """with a column `name`, and one of numbers for each rule"""
    rules: tuple[Rule, ...]


def judge(suites: Mapping[str, Suite], docs: Path) -> dict[str, int]:
    """How many rows break each rule, by its name; builds Data Docs.

    Args:
        suites: by their names, which become names of files.
        docs: existing folder for the Data Docs.

    Raises:
        RuntimeError: great_expectations could not judge a rule.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # before the import, which reads it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of great_expectations and what it imports: nothing a user could act on
        import great_expectations as gx

        context: Any = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        context.add_data_docs_site("docs", _site(docs))
        source = context.data_sources.add_pandas("catalog")
        n_broken: dict[str, int] = {}
        for name, suite in suites.items():
            batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("whole")
            n_broken |= _check(context, batch, suite)
        context.build_data_docs(site_names=["docs"])
    return n_broken


def _site(docs: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(docs.absolute()).replace("$", r"\$"),  # else $HOME in a path is expanded
        },
    }


def _check(context: Any, batch: Any, suite: Suite) -> dict[str, int]:
    """How many rows of one table break each of its rules."""
    import great_expectations as gx

    name = batch.data_asset.name
    expectations = gx.ExpectationSuite(name=name, expectations=[_expectation(rule) for rule in suite.rules])
    definition = gx.ValidationDefinition(name=name, data=batch, suite=context.suites.add(expectations))
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(
            name=name,
            validation_definitions=[context.validation_definitions.add(definition)],
            result_format="SUMMARY",  # with all that is unexpected, memory grows with what is wrong
        )
    )
    numbers = suite.table[sorted({rule.column for rule in suite.rules})]  # Data Docs would not escape names
    run = checkpoint.run(batch_parameters={"dataframe": numbers})
    results = next(iter(run.run_results.values())).results
    return {each.expectation_config.meta["rule"]: _n_broken(each) for each in results}


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
        description=f"no {rule.name} ({rule.severity})",
        notes=rule.advice,
        meta={"rule": rule.name},
    )


def _n_broken(result: Any) -> int:
    """How many rows one result calls unexpected.

    Raises:
        RuntimeError: great_expectations could not judge the rule.
    """
    n = result.result.get("unexpected_count")
    if n is None or result.success != (n == 0):
        raise RuntimeError(
            f"great_expectations: want a judgement of {result.expectation_config.meta['rule']}, got "
            f"{result.exception_info}. Report this, with the catalogues."
        )
    return int(n)
