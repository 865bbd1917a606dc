"""Everything a report is made from."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.records import (
    CatalogRecord,
    ExportRecord,
    Reason,
    TrainingRecord,
    ValidationRecord,
)
from graft.reporting.predictions import Predictions
from graft.reporting.tallies import confusion_matrix
from graft.shift_record import ShiftRecord
from graft.strategy_record import StrategyRecord
from graft.verdict_record import VerdictRecord


class Evidence(NamedTuple):
    """The records of one run of the pipeline."""

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
