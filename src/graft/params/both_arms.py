"""The sections of the two arms: fine-tuning and the control."""

from typing import Annotated, Literal

from pydantic import Field

from graft.params.section import Choice, Rate, Section
from graft.params.techniques import AdaptingChoice, ChooseBy, KeepingChoice, TuningChoice

Strategy = Literal[
    "feature_extraction",
    "top_blocks",
    "full",
    "gradual",
    "surgical",
    "norms",
    "bias",
    "lora",
    "adapters",
    "l2_sp",
    "ewc",
    "lwf",
    "replay",
    "adabn",
    "dan",
    "coral",
    "dann",
]


class Plateau(Section):
    """Unfreezing when the validation accuracy no longer rises."""

    kind: Literal["plateau"] = Field(examples=["plateau"])
    patience: int = Field(ge=1, examples=[2])
    """epochs without gain on validation after which the next block is unfrozen, from 1"""


UnfreezeChoice = Annotated[Literal["schedule"] | Plateau, Choice()]


class FinetuneTarget(Section):
    """The transfer arm.

    Values of strategies that graft may choose are always here. Values of gradual and surgical, which only you can
    choose, are here if `select_strategy.overrule` names the strategy.
    """

    rates: tuple[Rate, ...] = Field(min_length=1, strict=False, examples=[[0.001, 0.003, 0.01]])
    """learning rates of the head that every seed tries on validation; as many as train_scratch.rates"""
    depth_decay: float = Field(gt=0, le=1, examples=[0.5])
    """factor by which the learning rate falls from each block to the one below it, above 0 to 1; for the strategies
    top_blocks, full and gradual"""
    top_blocks: int = Field(ge=1, examples=[1])
    """number of blocks below the head that the strategy top_blocks trains, from 1"""
    unfreeze: UnfreezeChoice | None = Field(default=None, examples=[{"kind": "plateau", "patience": 2}])
    """when the strategy gradual unfreezes the next block: plateau (validation no longer rises) with its patience, or
    schedule (after equal shares of the epochs); null with other strategies"""
    surgical_blocks: tuple[str, ...] = Field(default=(), strict=False, examples=[["block1"]])
    """names of the blocks that the strategy surgical trains; the card in models/pretrained lists all names; none with
    other strategies"""
    batchnorm: Literal["frozen", "adapt", "train"] | None = Field(examples=[None])
    """BatchNorm statistics: frozen, adapt (replaced by the target's before training, unlabelled images included, then
    frozen; if the labels are the source's, they go on following the target) or train (updated in the blocks that learn,
    never in frozen ones); null: frozen for published weights, train for weights made here"""
    views: int | None = Field(default=None, ge=1, le=64)
    """number of fixed augmented views of each image, 1 to 64, on which frozen blocks run once; null: a new view every
    epoch, as always in phases that train the lowest block"""
    keeping: KeepingChoice = "none"
    """what holds on to what was learned from the source: none, l2_sp, ewc, lwf or replay with their values"""
    adapting: AdaptingChoice = "none"
    """what brings features of source and target together: none, dan, coral or dann with their values"""
    tuning: TuningChoice = "whole"
    """what of a block learns: whole, bias, or lora or adapters with their values; the head always learns whole"""
    choose_by: ChooseBy | None = None
    """score of unlabelled target images by which epochs and runs are chosen if the target has no labels:
    information_maximisation or soft_neighbourhood_density; null: validation labels choose"""


class TrainScratch(Section):
    """The control arm."""

    rates: tuple[Rate, ...] = Field(min_length=1, strict=False, examples=[[0.001, 0.003, 0.01]])
    """learning rates that every seed tries on validation; as many as finetune_target.rates"""
    long_factor: int = Field(ge=2, le=20, examples=[3])
    """length of the control's runs as a multiple of training.epochs, 2 to 20; a network from random start needs more
    steps, and its best epoch on validation counts"""
