"""Export and release: models/records/export.json, release.json and gate.json."""

from typing import Literal

from graft.records.common import Linked, Record


class ExportRecord(Linked):
    """How closely the ONNX file agrees with torch: models/records/export.json."""

    schema_version: Literal[1] = 1
    onnx_sha256: str
    data_files: dict[str, str]
    """sha256 by name of the external files that hold the weights of model.onnx; empty if it holds them itself"""
    opset: int
    n_images: int
    batch_sizes: tuple[int, ...]
    max_logit_difference: float
    """largest absolute difference of a logit over all images and batch sizes"""
    logit_tolerance: float
    logit_std: float
    """standard deviation of the logits, by which to judge the difference"""
    top1_agreement: float
    """share of images with the same top class at the worst batch size; ties within the tolerance may differ"""


class Reason(Record):
    """One check of a release."""

    check: str
    level: Literal["pass", "warn", "fail"]
    sentence: str
    """the number found, its limit, and the param to change"""


class ReleaseRecord(Linked):
    """The checks of a release and what to try next: models/records/release.json."""

    schema_version: Literal[1] = 1
    passed: bool
    """whether the model may be released: no reason fails"""
    model_sha256: str
    """sha256 of the model.onnx that was judged"""
    reasons: tuple[Reason, ...]
    next_steps: tuple[str, ...]
    """suggestions, the most pressing first"""

    @property
    def refusals(self) -> str:
        """The sentences of the reasons that fail, in one line; empty if the model may be released."""
        return " ".join(each.sentence for each in self.reasons if each.level == "fail")


class GateRecord(Linked):
    """Whether the model may be released: models/records/gate.json. The reasons are in the release record."""

    schema_version: Literal[2] = 2
    passed: bool
    model_sha256: str
    """sha256 of the model.onnx that was judged"""
