"""The sections `prepare_data` and `validate_data`: which images are used, and what counts as a fault in them."""

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from graft.params.section import Section


class PrepareData(Section):
    """Which images are used, and what makes them belong together."""

    dataset: Literal["example", "folders"] = Field(examples=["example"])
    """example (built in, no download) or folders (your images under data/raw)"""
    group_pattern: str | None = None
    """regular expression with one group, searched in each image's path; images with the same match (patient, site,
    video) are one group and are never in two splits; null: no groups"""
    group_file: str | None = None
    """name of a CSV with the columns path,group in data/raw/target, and in data/raw/source if wanted; null: no file"""
    near_duplicate_bits: int | None = Field(ge=0, le=8, examples=[4])
    """bits of 64, 0 to 8, by which the perceptual hashes of two pictures differ at most if the pictures are compared;
    null: no pictures are compared"""

    @field_validator("group_pattern")
    @classmethod
    def _pattern_has_one_group(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        cure = "Put parentheses around the part that names the patient, site or video, such as '(patient[0-9]+)'."
        try:
            n_groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"want a regular expression, got {pattern!r} ({error}). {cure}") from None
        if n_groups != 1:
            raise ValueError(f"want one pair of parentheses, got {n_groups} in {pattern!r}. {cure}")
        return pattern

    @model_validator(mode="after")
    def _groups_come_from_one_place(self) -> "PrepareData":
        if None not in (self.group_pattern, self.group_file):
            raise ValueError(
                f"want group_pattern or group_file, got {self.group_pattern!r} and {self.group_file!r}. "
                "Set one of them to null."
            )
        return self


class ValidateData(Section):
    """What counts as a fault in the data."""

    min_images_per_class: int = Field(ge=1, examples=[5])
    """smallest number of readable images of a class in the train split, from 1"""
    min_side_px: int = Field(ge=1, examples=[8])
    """smallest width or height of an image in pixels, from 1"""
    classes: tuple[str, ...] | None = Field(default=None, min_length=2, strict=False)
    """names of the target's classes, at least two; an unexpected class and a missing one are faults; null: any names"""
    on_undecodable: Literal["fail", "quarantine"] = Field(examples=["fail"])
    """what follows if an image cannot be read: fail, or quarantine (it is left out and reported)"""
    on_near_duplicates: Literal["fail", "warn"] = Field(examples=["fail"])
    """what follows if nearly the same image is in two split folders, or in source and target test: fail or warn"""
