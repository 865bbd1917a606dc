"""Everything a report is made from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graft.records.chapters import Records
from graft.records.release import ReleaseRecord
from graft.reporting.tallies import confusion_matrix
from graft.store.predictions import Predictions


@dataclass(frozen=True)
class Evidence(Records):
    """The records of one run, what was judged from them, and the predictions on the test split."""

    release: ReleaseRecord
    """reasons for and against a release, and what to try next"""
    predictions: Predictions | None
    """predicted classes of both arms on the test split; None where no test image has a label"""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; the number of a class is its index here."""
        return self.catalog.classes

    def shipped_confusion(self) -> NDArray[np.int64] | None:
        """Confusion matrix of the shipped model on the test split: (c, c) counts, true class by predicted class."""
        if self.predictions is None:
            return None
        shipped = self.predictions.of(self.verdict.ships, self.verdict.ships_seed)
        return confusion_matrix(self.predictions.labels, shipped, len(self.classes))
