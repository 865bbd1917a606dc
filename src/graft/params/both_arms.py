"""The sections of the two arms: fine-tuning and the control."""

from typing import Annotated, Literal

from pydantic import Field

from graft.params.section import Choice, Rate, Section

Strategy = Literal["feature_extraction", "top_blocks", "full", "gradual", "surgical", "norms"]


class Plateau(Section):
    """Unfreezing by the validation accuracy."""

    kind: Literal["plateau"] = Field(examples=["plateau"])
    patience: int = Field(ge=1, examples=[2])
    """epochs without gain on validation after which the next block is unfrozen, from 1"""


UnfreezeChoice = Annotated[Literal["schedule"] | Plateau, Choice()]


class FinetuneTarget(Section):
    """The transfer arm.

    What the strategies need that graft may choose stands here always; what gradual and surgical need, which only you
    can choose, stands here where `select_strategy.overrule` names them.
    """

    rates: tuple[Rate, ...] = Field(min_length=1, strict=False, examples=[[0.001, 0.003, 0.01]])
    """learning rates of the head that are tried on validation; as many as train_scratch.rates"""
    depth_decay: float = Field(gt=0, le=1, examples=[0.5])
    """factor of the learning rate from each block to the one below it, above 0 to 1; for top_blocks, full and
    gradual"""
    top_blocks: int = Field(ge=1, examples=[1])
    """blocks below the head that the strategy top_blocks trains, from 1"""
    unfreeze: UnfreezeChoice | None = Field(default=None, examples=[{"kind": "plateau", "patience": 2}])
    """when the strategy gradual unfreezes the next block: plateau (validation stands still, with its patience) or
    schedule (after equal shares of the epochs); null under other strategies"""
    surgical_blocks: tuple[str, ...] = Field(default=(), strict=False, examples=[["block1"]])
    """names of the blocks that the strategy surgical trains, of those that the card in models/pretrained lists; none
    under other strategies"""
    batchnorm: Literal["frozen", "adapt", "train"] | None = Field(examples=[None])
    """statistics of BatchNorm: frozen, adapt (replaced by the target's before training, then frozen) or train (they
    move in the blocks that learn); null: frozen under published weights, train under weights that were made here. In
    frozen blocks they never move in training"""
    views: int | None = Field(default=None, ge=1, le=64)
    """fixed augmented views of each image, 1 to 64, on which frozen blocks run once; null: a new view every epoch, as
    in every phase that trains the lowest block"""


class TrainScratch(Section):
    """The control arm."""

    rates: tuple[Rate, ...] = Field(min_length=1, strict=False, examples=[[0.001, 0.003, 0.01]])
    """learning rates that are tried on validation; as many as finetune_target.rates"""
    long_factor: int = Field(ge=2, le=20, examples=[3])
    """epochs of the long budget as a multiple of training.epochs, 2 to 20; the stronger budget counts"""
