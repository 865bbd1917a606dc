"""The sections `select_strategy` and `check_transfer`: how graft decides."""

from typing import Literal

from pydantic import Field, model_validator

from graft.params.both_arms import Strategy
from graft.params.section import Section, check_ascending


class SelectStrategy(Section):
    """How the strategy is chosen."""

    overrule: Strategy | None = None
    """strategy that you choose in place of graft: feature_extraction, top_blocks, full, gradual, surgical or norms, or
    full with one technique: bias, lora, adapters, l2_sp, ewc, lwf, replay, adabn, dan, coral or dann, whose values
    stand in finetune_target; the record says so; null: graft chooses among the first three, with the techniques that
    finetune_target switches on"""
    folds: int = Field(ge=2, le=20, examples=[5])
    """number of folds in the cross-validation of probes on cached features, 2 to 20"""
    headroom_small: float = Field(ge=0, le=1, examples=[0.05])
    """error of the linear probe, a share, up to which the evidence says feature_extraction"""
    headroom_large: float = Field(ge=0, le=1, examples=[0.2])
    """error of the linear probe, a share, above which the evidence says full; between the two, top_blocks"""

    @model_validator(mode="after")
    def _limits_ascend(self) -> "SelectStrategy":
        check_ascending("headroom_small", self.headroom_small, "headroom_large", self.headroom_large)
        return self


class CheckTransfer(Section):
    """The comparison of the arms on the test split, and what follows from it."""

    metric: Literal["auto", "accuracy", "balanced_accuracy"] = Field(examples=["auto"])
    """score that decides: accuracy, balanced_accuracy (mean recall of the classes), or auto: balanced_accuracy where
    the largest class of the test split has at least twice as many images as the smallest, else accuracy"""
    level: float = Field(gt=0, lt=0.5, examples=[0.05])
    """share of comparisons of equal arms in which a difference may be claimed, above 0 to below 0.5; the interval of
    the difference has a confidence of 1 - level, and that of EQUIVALENT 1 - 2 level"""
    margin: float = Field(ge=0, lt=1, examples=[0.01])
    """difference of the score, a share from 0 to below 1, up to which the arms count as equal; 0: never EQUIVALENT"""
    planned_looks: int = Field(ge=1, le=100, examples=[1])
    """number of times that you plan to look at this test split with other params, 1 to 100; they share the level"""
    on_negative: Literal["fail", "ship_scratch", "warn"] = Field(examples=["fail"])
    """what follows if transfer hurts: fail (the gate refuses), ship_scratch (the control is exported) or warn"""
    on_inconclusive: Literal["warn", "fail", "ship_cheapest"] = Field(examples=["warn"])
    """what follows if seeds and images do not settle the comparison: warn, fail (the gate refuses) or ship_cheapest
    (the arm that is cheaper to serve and to make is exported)"""
