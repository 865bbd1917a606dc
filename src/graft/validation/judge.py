"""Check the rules with Great Expectations and write its Data Docs. Only this file imports it."""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from graft.validation.rules import Rule


class Suite(NamedTuple):
    """A table and the rules for its rows."""

    table: pd.DataFrame
    """table with a column `name`, and a column of numbers for each rule"""
    rules: tuple[Rule, ...]


def judge(suites: Mapping[str, Suite], docs: Path) -> dict[str, int]:
    """Build the Data Docs, and count the rows that break each rule, by its name.

    Args:
        suites: suites by name; the names become file names.
        docs: existing folder for the Data Docs.

    Raises:
        RuntimeError: great_expectations could not check a rule.
    """
    # read at import
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        # warnings of great_expectations and its dependencies, which a user could not act on
        warnings.simplefilter("ignore")
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
            # great_expectations would expand $HOME in a path
            "base_directory": str(docs.absolute()).replace("$", r"\$"),
        },
    }


def _check(context: Any, batch: Any, suite: Suite) -> dict[str, int]:
    """Number of rows of a table that break each of its rules."""
    import great_expectations as gx

    name = batch.data_asset.name
    expectations = gx.ExpectationSuite(name=name, expectations=[_expectation(rule) for rule in suite.rules])
    definition = gx.ValidationDefinition(name=name, data=batch, suite=context.suites.add(expectations))
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(
            name=name,
            validation_definitions=[context.validation_definitions.add(definition)],
            # a format that lists all unexpected values would need memory for each of them
            result_format="SUMMARY",
        )
    )
    # without names, which Data Docs would not escape
    numbers = suite.table[sorted({rule.column for rule in suite.rules})]
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
    """Number of unexpected rows in a result.

    Raises:
        RuntimeError: great_expectations could not check the rule.
    """
    n = result.result.get("unexpected_count")
    if n is None or result.success != (n == 0):
        raise RuntimeError(
            f"great_expectations: want a result for {result.expectation_config.meta['rule']}, got "
            f"{result.exception_info}. Report this, with the catalogues."
        )
    return int(n)
