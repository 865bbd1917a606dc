"""Metrics by epoch as CSV, for `dvc plots`."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from graft.files import SIGNIFICANT_DIGITS, write_whole
from graft.records.training import RunRecord

COLUMNS = ("seed", "epoch", "phase", "train_loss", "val_loss", "val_accuracy")


def write_curves(runs: Sequence[RunRecord], path: Path) -> None:
    """A line for every epoch of every seed, whole or not at all; only the head where nothing was trained by steps."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in runs:
        names = [phase.name for phase in run.phases for _ in range(phase.epochs)]
        for name, point in zip(names, run.curve, strict=True):
            numbers = (point.train_loss, point.val_loss, point.val_accuracy)
            writer.writerow((run.seed, point.epoch, name, *(f"{each:.{SIGNIFICANT_DIGITS}g}" for each in numbers)))
    write_whole(path, text.getvalue().encode())
