"""How the arms were trained: models/records/training.json and scratch.json."""

from typing import Literal

from graft.records.common import Arm, Budget, Linked, Record, StrategyName


class Epoch(Record):
    """A point of a training curve."""

    epoch: int
    train_loss: float
    val_loss: float
    val_accuracy: float


class Trial(Record):
    """One hyper-parameter tried on validation."""

    budget: Budget
    rate: float
    n_seeds: int
    """that the choice rests on: of two trials, those with as many compare best, for they saw the same seeds"""
    val_accuracy: float
    val_loss: float
    """both are means over these seeds"""


class PhaseRecord(Record):
    """One phase of a run, from what it trained to what came of it."""

    name: str
    trained: tuple[str, ...]
    """blocks and head that learnt, from input to output"""
    epochs: int
    val_accuracy: float
    """the best so far when it ended"""
    rolled_back: bool
    """it ended no better than it began, and its weights were dropped"""
    frozen_sha256: str | None
    """of all parameters and buffers that it had to leave alone, equal before and after; null: it trained all"""


class RateCurve(Record):
    """Loss while the learning rate rises."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """running mean"""
    suggested: float
    """well below the rate at which the loss rises again"""


class RunRecord(Record):
    """One seed of one arm, its best epoch on validation."""

    seed: int
    budget: Budget
    best_epoch: int
    """0: the start of the run, before any step"""
    val_accuracy: float
    val_loss: float
    weights_sha256: str
    curve: tuple[Epoch, ...]
    phases: tuple[PhaseRecord, ...]


class TrainingRecord(Linked):
    """How one arm was trained: models/records/training.json and scratch.json."""

    schema_version: Literal[3] = 3
    arm: Arm
    strategy: StrategyName
    network: str
    rate: float
    """the chosen learning rate of the head; where it was fitted in closed form the inverse regularisation C"""
    block_rates: dict[str, float]
    """learning rate by block, from input to output, head last; 0: frozen"""
    batchnorm: Literal["frozen", "adapt", "train"]
    """policy for the statistics of BatchNorm in blocks that learn"""
    flip: float
    """probability that a training image was mirrored; 0 where the head was fitted to the images themselves"""
    rate_curve: RateCurve | None
    """null: training.find_rate is off, or nothing was trained by steps"""
    budget: Budget
    """the budget that counts: the stronger on validation"""
    trials: tuple[Trial, ...]
    runs: tuple[RunRecord, ...]
    """one a seed, of the budget that counts"""

    @property
    def in_closed_form(self) -> bool:
        """A linear head on frozen features is fitted at once; all else is trained, epoch by epoch."""
        return self.strategy == "feature_extraction" and not any(run.curve for run in self.runs)
