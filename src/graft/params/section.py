"""What all sections of params.yaml have in common, and how a key names a choice."""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, GetCoreSchemaHandler, Tag

# learning rate, above 0 to 10
Rate = Annotated[float, Field(gt=0, le=10)]


class Section(BaseModel):
    """A part of params.yaml: frozen, no unknown key, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class Choice:
    """Marks a key that names a choice, such as `Annotated[Literal["adamw"] | Sgd, Choice()]`.

    The same rule holds for every choice: a bare word if the choice has no values of its own, else a mapping with
    `kind` and these values. So no value stands beside a choice that does not use it.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        members = {_tag(each): each for each in get_args(source)}

        def tag_of(value: Any) -> str | None:
            if isinstance(value, Section):
                return _tag(type(value))
            names_of, name = (kinds_of, value.get("kind")) if isinstance(value, Mapping) else (words_of, value)
            return next((tag for tag, each in members.items() if name in names_of(each)), None)

        union: Any = reduce(or_, (Annotated[each, Tag(tag)] for tag, each in members.items()))
        return handler.generate_schema(Annotated[union, Discriminator(tag_of)])


def is_section(annotation: Any) -> bool:
    """Whether a type is a section."""
    return isinstance(annotation, type) and issubclass(annotation, Section)


def words_of(member: Any) -> tuple[str, ...]:
    """Choices that a member of a union names by a bare word; none where it is a section."""
    return () if is_section(member) else get_args(member)


def kinds_of(member: Any) -> tuple[str, ...]:
    """Choices that a member of a union holds the values of; none where it is no section."""
    return get_args(member.model_fields["kind"].annotation) if is_section(member) else ()


def _tag(member: Any) -> str:
    """Name of a member in the place of an error."""
    return member.__name__ if is_section(member) else "word"


def check_ascending(low_name: str, low: float, high_name: str, high: float) -> None:
    """Refuse limits that are not in order.

    Raises:
        ValueError: low is not below high.
    """
    if low >= high:
        raise ValueError(f"want {low_name} under {high_name}, got {low} and {high}. Change one of them.")
