"""Table of the phases of an arm, over all seeds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from graft.records.training import PhaseRecord, TrainingRecord


class PhaseRow(NamedTuple):
    """One phase over all seeds."""

    arm: str
    name: str
    trained: str
    """what was trained, in words"""
    epochs: str
    """number of epochs of the shortest and of the longest seed"""
    val_accuracy: float
    """best validation accuracy up to the end of the phase, mean over seeds"""
    n_rolled_back: int
    """number of seeds in which the phase was rolled back"""
    proved: bool
    """true if the hashes of all frozen weights were compared in every seed"""


def phase_rows(record: TrainingRecord) -> tuple[PhaseRow, ...]:
    """Rows for all phases of an arm, in their order."""
    blocks = [name for name in record.block_factors if name != "head"]
    by_phase = zip(*(run.phases for run in record.runs), strict=True)
    return tuple(_row(record.arm, phases, blocks) for phases in by_phase)


def _row(arm: str, phases: Sequence[PhaseRecord], blocks: Sequence[str]) -> PhaseRow:
    epochs = sorted({phase.epochs for phase in phases})
    return PhaseRow(
        arm=arm,
        name=phases[0].name,
        trained=_in_words(phases[0].trained, blocks),
        epochs=str(epochs[0]) if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]}",
        val_accuracy=float(np.mean([phase.val_accuracy for phase in phases])),
        n_rolled_back=sum(phase.rolled_back for phase in phases),
        proved=all(phase.frozen_sha256 is not None for phase in phases),
    )


def _in_words(trained: Sequence[str], blocks: Sequence[str]) -> str:
    """`head`, `block4 and head`, `block2 to head` or `all blocks and head`; a list of names if blocks are skipped."""
    learning = [name for name in trained if name != "head"]
    if len(learning) == len(blocks):
        return "all blocks and head"
    if len(learning) > 2 and learning == list(blocks[-len(learning) :]):
        return f"{learning[0]} to head"
    return " and ".join(filter(None, (", ".join(learning), "head")))
