"""How the arms were trained: models/records/training.json and scratch.json."""

from typing import Literal

from graft.params.both_arms import Strategy
from graft.params.techniques import AdaptingChoice, ChooseBy, KeepingChoice, TuningChoice
from graft.records.common import Arm, Linked, Record, StrategyName


class Epoch(Record):
    """A point of a training curve."""

    epoch: int
    steps: int
    """steps of the optimizer since the start of the run"""
    train_loss: float
    """with what keeping and adapting add to it"""
    val_loss: float
    val_accuracy: float
    unlabelled_score: float | None = None
    """score of unlabelled images of the target that chose the epoch, larger is better; null if labels chose"""


class Trial(Record):
    """One run that was tried: a seed at a learning rate, by its best epoch on validation."""

    seed: int
    rate: float
    """as in RunRecord"""
    val_accuracy: float
    val_loss: float
    accuracy: float
    """share right of the validation images and the train images that the seed leaves out; it chooses by them"""
    loss: float
    """on the same images"""
    unlabelled_score: float | None = None
    """as in Epoch; it then chooses"""


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
    """One seed of one arm, at the learning rate that it chose and its best epoch on validation."""

    seed: int
    rate: float
    """learning rate of the head; if the head was fitted in closed form, its inverse regularisation C"""
    best_epoch: int
    """0 stands for the start of the run, before any step"""
    val_accuracy: float
    val_loss: float
    unlabelled_score: float | None = None
    """as in Epoch"""
    n_images_seen: int
    """images that went through a step, repeats included; those that the head was fitted to where it was fitted in
    closed form"""
    weights_sha256: str
    curve: tuple[Epoch, ...]
    phases: tuple[PhaseRecord, ...]


class TrainingRecord(Linked):
    """How one arm was trained: models/records/training.json and scratch.json."""

    schema_version: Literal[5] = 5
    arm: Arm
    strategy: StrategyName
    techniques: tuple[Strategy, ...] = ()
    """techniques that the runs were trained with; the name of one as the strategy stands for full with it"""
    keeping: KeepingChoice = "none"
    """what kept what was learned, with its values; none also where no block learned"""
    adapting: AdaptingChoice = "none"
    """what brought the features of source and target together"""
    tuning: TuningChoice = "whole"
    """what of a block learned"""
    choose_by: ChooseBy | None = None
    """score of unlabelled images of the target that chose epochs and runs; null if labels chose"""
    network: str
    block_factors: dict[str, float]
    """learning rate of each block relative to that of the head, from input to output, head last; 0 if frozen"""
    batchnorm: Literal["frozen", "adapt", "train"]
    """what happens to BatchNorm statistics in trained blocks"""
    flip: float
    """probability of mirroring a training image; 0 if the head was fitted to unaugmented images"""
    n_parameters: int | None = None
    """parameters of the network that is handed on; null: not counted"""
    n_trained_parameters: int | None = None
    """parameters that the phase that trains most trains, head included; null: not counted"""
    left_alone: tuple[str, ...] = ()
    """why layers of blocks that learn took no LoRA, a clause for each reason"""
    delta_bytes: int | None = None
    """bytes of the largest file of what a seed's network adds to the backbone; null if blocks learn whole"""
    rate_curve: RateCurve | None
    """null if training.find_rate is off, or if no training steps were taken"""
    trials: tuple[Trial, ...]
    """every seed at every rate"""
    runs: tuple[RunRecord, ...]
    """one a seed: the best of its trials"""

    @property
    def in_closed_form(self) -> bool:
        """Whether the head was fitted in closed form to frozen features instead of trained by epochs."""
        return self.strategy == "feature_extraction" and not any(run.curve for run in self.runs)

    def chose(self, trial: Trial) -> bool:
        """Whether the seed of the trial chose its rate."""
        return any((run.seed, run.rate) == (trial.seed, trial.rate) for run in self.runs)
