"""Everything a report is made from."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.records.catalog import CatalogRecord
from graft.records.checks import ChecksRecord
from graft.records.release import ExportRecord, ReleaseRecord
from graft.records.shift import ShiftRecord
from graft.records.strategy import StrategyRecord
from graft.records.training import TrainingRecord
from graft.records.validation import ValidationRecord
from graft.records.verdict import VerdictRecord
from graft.reporting.tallies import confusion_matrix
from graft.store.predictions import Predictions


class Evidence(NamedTuple):
    """The records of one run, what was judged from them, and the predictions on the test split."""

    catalog: CatalogRecord
    validation: ValidationRecord
    shift: ShiftRecord
    strategy: StrategyRecord
    checks: ChecksRecord
    transfer: TrainingRecord
    scratch: TrainingRecord
    verdict: VerdictRecord
    export: ExportRecord
    release: ReleaseRecord
    """reasons for and against a release, and what to try next"""
    predictions: Predictions
    """predicted classes of both arms on the test split"""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; the number of a class is its index here."""
        return self.catalog.target.classes

    def shipped_confusion(self) -> NDArray[np.int64]:
        """Confusion matrix of the shipped model on the test split: (c, c) counts, true class by predicted class."""
        shipped = self.predictions.of(self.verdict.ships, self.verdict.ships_seed)
        return confusion_matrix(self.predictions.labels, shipped, len(self.classes))
