"""What is wrong with params.yaml, in sentences."""

import difflib
import json
import math
import reprlib
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from graft.files import visible
from graft.yaml_files import Place, shown

MOST_SENTENCES = 20
ECHO = reprlib.Repr()
"""values in sentences: a file may hold megabytes where a number is wanted"""
ECHO.maxstring = ECHO.maxother = ECHO.maxlong = 80
ECHO.maxlevel = 2
TRUTHS = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
"""what YAML 1.1 took for true and false, and YAML 1.2 takes for text"""


def sentences(path: Path, errors: list[Any], root: type[BaseModel]) -> str:
    """A line for each error, at most 20, and how many more there are.

    Args:
        path: the file that was read.
        errors: those of a ValidationError.
        root: the model of the whole file.
    """
    faults = [error for error in errors if not _follows_from_another(error, errors)]
    lines = [sentence(path, each, root) for each in faults[:MOST_SENTENCES]]
    more = len(faults) - MOST_SENTENCES
    return "\n".join([*lines, f"{path}: {more:,} more of them. Mend these first."] if more > 0 else lines)


def _follows_from_another(error: Any, errors: list[Any]) -> bool:
    """Whether a list is only too short because its items were refused."""
    n = len(error["loc"])
    return error["type"] == "too_short" and any(
        len(each["loc"]) > n and each["loc"][:n] == error["loc"] for each in errors
    )


def sentence(path: Path, error: Any, root: type[BaseModel]) -> str:
    """One sentence of where, what was wanted, what was got and what to do.

    Args:
        path: the file that was read.
        error: one of the errors of a ValidationError.
        root: the model of the whole file.
    """
    names = [name for name in error["loc"] if isinstance(name, str)]
    key = ".".join(str(part) for part in error["loc"])
    where = f"{path}, {shown(key, 100)}" if key else str(path)
    section, field = _field(names, root)
    if error["type"] == "missing" or (error["input"] is None and _is_section(field)):
        return f"{where}: want this key, got none. {_line_to_paste(names, field)}"
    if error["type"] == "extra_forbidden":
        known = sorted(section.model_fields)
        close = difflib.get_close_matches(names[-1], known, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"Known here: {', '.join(known)}."
        return f"{where}: want a known key, got {shown(names[-1])}. {hint}"
    if error["type"] == "value_error":
        return f"{where}: {shown(str(error['ctx']['error']), 1000)}"
    want = error["msg"].replace("Input should be ", "").replace("Value should ", "").replace("String should ", "")
    meaning = f" It is {' '.join(field.description.split())}." if field is not None and field.description else ""
    return f"{where}: want {want}, got {echo(error['input'])}.{_how_to_write(error)}{meaning}"


def _field(names: list[str], root: type[BaseModel]) -> tuple[type[BaseModel], Any]:
    """The section that holds the last of these names, and its field if there is one."""
    section = root
    field = None
    for name in names:
        entry = _entry_of(field)  # below such a field, the name is of the user's own choice
        field = None if entry else section.model_fields.get(name)
        section = entry or (field.annotation if _is_section(field) else section)  # type: ignore[union-attr,assignment]
    return section, field


def _entry_of(field: Any) -> type[BaseModel] | None:
    """The section that each value is, of a field that maps names to sections."""
    kinds = get_args(field.annotation) if field is not None and get_origin(field.annotation) is dict else ()
    return kinds[1] if kinds else None


def _line_to_paste(names: list[str], field: Any) -> str:
    """The YAML that would supply a missing key."""
    if _is_section(field):
        parts = field.annotation.model_fields.items()
        lines = [f"  {name}: {json.dumps(part.examples[0])}" for name, part in parts]
        return f"Paste this section:\n{names[-1]}:\n" + "\n".join(lines)
    place, indent = (f" under `{visible(names[-2])}:`", "  ") if len(names) > 1 else ("", "")
    return f"Paste{place} the line `{indent}{names[-1]}: {json.dumps(field.examples[0])}`."


def _is_section(field: Any) -> bool:
    return field is not None and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def wants_name(place: Place, root: type[BaseModel]) -> bool:
    """Whether a place of the file holds a name, or a list of names: what YAML may take for a number."""
    _, field = _field([name for name in place if isinstance(name, str)], root)
    return field is not None and _holds_str(field.annotation)


def _holds_str(annotation: Any) -> bool:
    return annotation is str or any(_holds_str(each) for each in get_args(annotation))


def echo(value: Any) -> str:
    """A value as Python writes it, short."""
    return ECHO.repr(value)


def _how_to_write(error: Any) -> str:
    """What to write in place of a text that means a number or a truth."""
    value, kind = str(error["input"]), error["type"].partition("_")[0]
    if not isinstance(error["input"], str):
        return ""
    if kind == "bool" and value.lower() in TRUTHS:
        return f" Write {TRUTHS[value.lower()]}."
    try:
        number = float(value) if kind in ("int", "float") else math.nan
    except ValueError:
        return ""
    return f" Write it without quotes: {number:g}." if math.isfinite(number) else ""
