"""The sections `extract_features` and `measure_shift`: how the distance of the target from the source is measured."""

from pydantic import Field, model_validator

from graft.params.section import Section, check_ascending


class ExtractFeatures(Section):
    """How many images the backbone sees more than once."""

    sample_images: int = Field(ge=40, le=10_000, examples=[400])
    """number of images of each domain, 40 to 10,000, for the profile of the shift by block and for its yardstick; for
    the yardstick the backbone runs over 14 times as many source images"""


class MeasureShift(Section):
    """The two-sample test between source and target features."""

    n_permutations: int = Field(ge=99, le=100_000, examples=[999])
    """number of permutations in the shift test, 99 to 100,000; p cannot fall below 1 / (1 + this number)"""
    confidence: float = Field(gt=0.5, lt=1, examples=[0.95])
    """confidence of the intervals, above 0.5 to below 1"""
    near_below: float = Field(ge=0, le=5, examples=[1.0])
    """severity, 0 to 5, below which similarity is near: the source's own images, so corrupted, move as far"""
    far_above: float = Field(ge=0, le=5, examples=[3.0])
    """severity, 0 to 5, above which similarity is far; between the two it is mid"""
    bank_file: str | None = None
    """path of features, made by `graft bank`, of images that stand for the source if you have none; null: no bank"""
    bank_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """sha256 of that file, 64 hex digits, as `graft bank` prints it; null without one"""

    @model_validator(mode="after")
    def _bank_and_hash_belong_together(self) -> "MeasureShift":
        if (self.bank_file is None) != (self.bank_sha256 is None):
            raise ValueError(
                f"want bank_file and bank_sha256 both or neither, got {self.bank_file} and {self.bank_sha256}. "
                "Paste the two lines that `graft bank` prints, or set both to null."
            )
        return self

    @model_validator(mode="after")
    def _limits_ascend(self) -> "MeasureShift":
        check_ascending("near_below", self.near_below, "far_above", self.far_above)
        return self
