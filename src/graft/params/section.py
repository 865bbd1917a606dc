"""What all sections of params.yaml have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Rate = Annotated[float, Field(gt=0, le=10)]
"""a learning rate"""


class Section(BaseModel):
    """A part of params.yaml: frozen, no unknown key, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


def check_ascending(low_name: str, low: float, high_name: str, high: float) -> None:
    """Refuse limits that are not in order.

    Raises:
        ValueError: low is not below high.
    """
    if low >= high:
        raise ValueError(f"want {low_name} under {high_name}, got {low} and {high}. Change one of them.")
