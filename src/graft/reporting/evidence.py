"""Everything a report is made from."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.files import read_record
from graft.records.catalog import CatalogRecord
from graft.records.release import ExportRecord, Reason
from graft.records.shift import ShiftRecord
from graft.records.strategy import StrategyRecord
from graft.records.training import TrainingRecord
from graft.records.validation import ValidationRecord
from graft.records.verdict import VerdictRecord
from graft.reporting.tallies import confusion_matrix
from graft.store.predictions import Predictions


class Records(NamedTuple):
    """The records of one run of the pipeline."""

    catalog: CatalogRecord
    validation: ValidationRecord
    shift: ShiftRecord
    strategy: StrategyRecord
    transfer: TrainingRecord
    scratch: TrainingRecord
    verdict: VerdictRecord
    export: ExportRecord


def read_records(paths: Mapping[str, Path]) -> Records:
    """The records of one run, by the names of the options of write_report.

    Raises:
        FileNotFoundError: one of them is absent.
        ValueError: one of them is not such a record.
    """
    return Records(
        catalog=read_record(CatalogRecord, paths["catalog"]),
        validation=read_record(ValidationRecord, paths["validation"]),
        shift=read_record(ShiftRecord, paths["shift"]),
        strategy=read_record(StrategyRecord, paths["strategy"]),
        transfer=read_record(TrainingRecord, paths["training"]),
        scratch=read_record(TrainingRecord, paths["scratch"]),
        verdict=read_record(VerdictRecord, paths["verdict"]),
        export=read_record(ExportRecord, paths["export"]),
    )


class Evidence(NamedTuple):
    """The records of one run of the pipeline, and what follows from them."""

    catalog: CatalogRecord
    validation: ValidationRecord
    shift: ShiftRecord
    strategy: StrategyRecord
    transfer: TrainingRecord
    scratch: TrainingRecord
    verdict: VerdictRecord
    export: ExportRecord
    reasons: tuple[Reason, ...]
    """of the gate"""
    next_steps: tuple[str, ...]
    """what to try next, the most pressing first"""
    predictions: Predictions
    """of both arms on the test split"""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; a class's number is its place here."""
        return self.catalog.target.classes

    @property
    def passed(self) -> bool:
        """Whether the gate lets the model out."""
        return all(each.level != "fail" for each in self.reasons)

    def shipped_confusion(self) -> NDArray[np.int64]:
        """(c, c) test images of the shipped model, true class by predicted class."""
        shipped = self.predictions.of(self.verdict.ships, self.verdict.ships_seed)
        return confusion_matrix(self.predictions.labels, shipped, len(self.classes))
