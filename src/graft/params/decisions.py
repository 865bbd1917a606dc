"""How the strategy is chosen, and when a transfer counts and a release is refused."""

from typing import Literal

from pydantic import Field, model_validator

from graft.params.both_arms import Strategy
from graft.params.section import Section, check_ascending


class SelectStrategy(Section):
    """How the strategy is chosen."""

    overrule: Strategy | None = None
    """null: graft chooses among feature_extraction, top_blocks and full; or one of these, gradual, surgical or norms:
    you do, and the record says so"""
    folds: int = Field(ge=2, le=20, examples=[5])
    """folds of the cross-validated probes on cached features, 2 to 20"""
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
    """differences of accuracy up to this share count as no difference, 0 to below 1"""
    on_negative: Literal["fail", "ship_scratch", "warn"] = Field(examples=["fail"])
    """when transfer hurts: fail (the gate refuses), ship_scratch (export the control) or warn"""


class GateRelease(Section):
    """When a release is refused."""

    on_inconclusive: Literal["warn", "fail"] = Field(examples=["warn"])
    """when the seeds and images do not settle the comparison: warn or fail"""
