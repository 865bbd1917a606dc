"""The section `recipes`: how training images may be varied."""

from pydantic import Field, model_validator

from graft.params.section import Section


class Recipe(Section):
    """Random changes to training images, drawn anew for each image; validation and test images stay unchanged.

    Every key may be left out. Its default changes nothing.
    """

    crop: float = Field(default=1.0, ge=0.05, le=1)
    """smallest share of an image's area that a random crop keeps, 0.05 to 1; 1: all of it"""
    stretch: float = Field(default=1.0, ge=1, le=2)
    """largest ratio of a crop's sides, either way, 1 to 2; 1: square"""
    shift: float = Field(default=0.0, ge=0, le=0.5)
    """largest shift in either direction as a share of the side, 0 to 0.5; rounded to pixels"""
    flip: float = Field(default=0.0, ge=0, le=1)
    """probability of a mirror left to right, 0 to 1; 0 where left and right differ: chest X-rays, text, digits"""
    rotation: float = Field(default=0.0, ge=0, le=180)
    """largest turn either way in degrees, 0 to 180"""
    brightness: float = Field(default=0.0, ge=0, le=1)
    """largest relative change of brightness, 0 to 1"""
    contrast: float = Field(default=0.0, ge=0, le=1)
    """largest relative change of contrast, 0 to 1"""
    saturation: float = Field(default=0.0, ge=0, le=1)
    """largest relative change of saturation, 0 to 1"""
    hue: float = Field(default=0.0, ge=0, le=0.5)
    """largest turn of the colour circle either way, 0 to 0.5 of a full turn"""
    grey: float = Field(default=0.0, ge=0, le=1)
    """probability that an image turns grey, 0 to 1"""
    ops: int = Field(default=0, ge=0, le=4)
    """operations drawn for each image as in RandAugment, 0 to 4"""
    magnitude: float = Field(default=0.0, ge=0, le=1)
    """strength of these operations, 0 to 1; 0.3 is usual"""
    erase: float = Field(default=0.0, ge=0, le=1)
    """probability that a random box is covered by one colour, 0 to 1"""

    @model_validator(mode="after")
    def _operations_have_a_strength(self) -> "Recipe":
        if (self.ops > 0) != (self.magnitude > 0):
            raise ValueError(
                f"want ops and magnitude both above 0 or both 0, got {self.ops} and {self.magnitude:g}. One of them "
                "alone changes no image."
            )
        return self


EXAMPLE: dict[str, float] = {"shift": 0.0625}
