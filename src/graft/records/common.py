"""What all records share. `graft.files` writes a record as a small JSON file.

No record holds seconds, devices or versions (see `graft.stage`), so the same seed on the same machine gives the same
bytes.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Split = Literal["train", "val", "test"]
Similarity = Literal["near", "mid", "far", "unknown"]
# those of params.yaml, written out because the service ships without graft.params; and the control
StrategyName = Literal[
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
    "scratch",
]
Outcome = Literal["POSITIVE", "NEGATIVE", "EQUIVALENT", "INCONCLUSIVE"]
# Where there are no labelled test images, there is no verdict.
NoOutcome = Literal["NONE"]
# Whose labels both arms learn from: the source's where the target has none to train on.
LabelsFrom = Literal["target", "source"]
Arm = Literal["transfer", "scratch"]
Metric = Literal["accuracy", "balanced_accuracy", "nll"]

# Number of leading hex digits of a sha256 by which records, tables, pages and messages name an image or a file. 48 bits
# do not collide in practice.
SHA256_DIGITS = 12


class Record(BaseModel):
    """A frozen finding. Unknown keys are an error, so that an outdated file does not go unnoticed.

    `SomeRecord.model_validate(result)` fills the fields of a record from the attributes of the same names, for example
    of a named tuple of `graft.statistics`. It ignores other attributes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


class Linked(Record):
    """A record of a stage that reads the files of other stages."""

    made_from: dict[str, str] = {}
    """sha256 of these files by the names of the stage's options; `graft.lineage` compares them with the files"""


class Preprocessing(Record):
    """How an image file becomes the input of the network. Pipeline, export and service all read it here."""

    resize_px: int
    """length of the shorter side after resizing, in pixels"""
    crop_px: int
    """side of the square centre crop, in pixels"""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    """the network scales RGB values to [0, 1], subtracts `mean` and divides by `std`"""
    interpolation: Literal["bilinear", "bicubic"]
    """filter of the resize"""
    value_bits: int | None = None
    """number of bits in use in 16-bit grey files, whose largest value becomes white; null if there are no such files"""
    max_pixels: int = 25_000_000
    """largest number of pixels of a file; the default is the limit of the service before cards named it"""


class Interval(Record):
    """An estimate with its interval."""

    estimate: float
    low: float
    high: float
