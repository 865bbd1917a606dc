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
    """One learning rate, tried on the validation split."""

    budget: Budget
    rate: float
    n_seeds: int
    """number of seeds it was tried with; trials with equally many seeds saw the same seeds"""
    val_accuracy: float
    val_loss: float
    """like `val_accuracy` the mean over these seeds"""


class PhaseRecord(Record):
    """One phase of a run: what it trained, and with what result."""

    name: str
    trained: tuple[str, ...]
    """names of the trained blocks from input to output, head last"""
    epochs: int
    val_accuracy: float
    """best validation accuracy up to the end of the phase"""
    rolled_back: bool
    """true if the phase ended no better than it began; its weights were then discarded"""
    frozen_sha256: str | None
    """hash of all frozen parameters and buffers, equal before and after the phase; null if nothing was frozen"""


class RateCurve(Record):
    """Loss while the learning rate is raised step by step."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """running mean of the loss at each rate"""
    suggested: float
    """suggested rate, well below the one at which the loss rises again"""


class RunRecord(Record):
    """One seed of one arm at its best epoch on validation."""

    seed: int
    budget: Budget
    best_epoch: int
    """0 stands for the start of the run, before any step"""
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
    """chosen learning rate of the head; if the head was fitted in closed form, its inverse regularisation C"""
    block_rates: dict[str, float]
    """learning rate by block, from input to output, head last; 0 if frozen"""
    batchnorm: Literal["frozen", "adapt", "train"]
    """what happens to BatchNorm statistics in trained blocks"""
    flip: float
    """probability of mirroring a training image; 0 if the head was fitted to unaugmented images"""
    rate_curve: RateCurve | None
    """null if training.find_rate is off, or if no training steps were taken"""
    budget: Budget
    """the chosen budget: the better one on validation"""
    trials: tuple[Trial, ...]
    runs: tuple[RunRecord, ...]
    """one run per seed, at the chosen budget"""

    @property
    def in_closed_form(self) -> bool:
        """Whether the head was fitted in closed form to frozen features instead of trained by epochs."""
        return self.strategy == "feature_extraction" and not any(run.curve for run in self.runs)
