"""The sections `select_strategy`, `check_transfer` and `gate_release`: how graft decides."""

from typing import Literal

from pydantic import Field, model_validator

from graft.params.both_arms import Strategy
from graft.params.section import Section, check_ascending


class SelectStrategy(Section):
    """How the strategy is chosen."""

    overrule: Strategy | None = None
    """strategy that you choose in place of graft: feature_extraction, top_blocks, full, gradual, surgical or norms; the
    record says so; null: graft chooses among the first three"""
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
    """The comparison of the arms on the test split."""

    confidence: float = Field(gt=0.5, lt=1, examples=[0.95])
    """confidence of the interval, above 0.5 to below 1"""
    margin: float = Field(ge=0, lt=1, examples=[0.005])
    """difference of accuracy, a share from 0 to below 1, up to which two arms count as equal"""
    on_negative: Literal["fail", "ship_scratch", "warn"] = Field(examples=["fail"])
    """what follows if transfer hurts: fail (the gate refuses), ship_scratch (the control is exported) or warn"""


class GateRelease(Section):
    """When a release is refused."""

    on_inconclusive: Literal["warn", "fail"] = Field(examples=["warn"])
    """what follows if seeds and images do not settle the comparison: warn or fail"""
