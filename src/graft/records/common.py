"""What stages hand on: frozen records, kept as small JSON files (graft.files).

Seconds, devices and versions are in none (graft.stage): the same seed on the same machine gives the same bytes.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Split = Literal["train", "val", "test"]
Similarity = Literal["near", "mid", "far", "unknown"]
StrategyName = Literal["feature_extraction", "top_blocks", "full", "gradual", "surgical", "norms", "scratch"]
Outcome = Literal["POSITIVE", "NEGATIVE", "EQUIVALENT", "INCONCLUSIVE"]
Arm = Literal["transfer", "scratch"]
Budget = Literal["matched", "long"]

# Records, tables and pages name an image by so many leading hex digits of its sha256: 48 bits, no clash in practice.
SHA256_DIGITS = 12


class Record(BaseModel):
    """A frozen finding; unknown keys are an error, so that an old file is noticed.

    `Kind.model_validate(result)` fills a record from the attributes of a result, such as a named tuple of
    `graft.statistics`, by the names of the record's fields; other attributes are left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


class Linked(Record):
    """A record of a stage that read files of other stages."""

    made_from: dict[str, str] = {}
    """sha256 of these files, by the names of the stage's options; graft.lineage holds them against what lies there"""


class Preprocessing(Record):
    """How bytes become what the network sees; the one source for pipeline, export and service."""

    resize_px: int
    """the shorter side after the resize, in pixels"""
    crop_px: int
    """side of the square centre crop, in pixels"""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    """RGB values are scaled to [0, 1], less the mean, and divided by the standard deviation"""
    interpolation: Literal["bilinear", "bicubic"]
    """of the resize"""
    value_bits: int | None = None
    """bits in use of grey files that hold 16, whose largest value becomes white; null: no such file told"""
    max_pixels: int = 25_000_000
    """largest width times height of a file; the default is what the service took before cards named it"""


class Interval(Record):
    """An estimate with its interval."""

    estimate: float
    low: float
    high: float
