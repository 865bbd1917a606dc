"""What is wrong with params.yaml, in sentences."""

import difflib
import json
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel

from graft.escaping import visible


class UniqueKeys(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error, not the last one's victory."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that stands twice."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.YAMLError(f"the key {twice[0]} twice, {str(node.start_mark).strip()}")
        return super().construct_mapping(node, deep)


def sentence(path: Path, error: Any, root: type[BaseModel]) -> str:
    """One sentence of where, what was wanted, what was got and what to do.

    Args:
        path: the file that was read.
        error: one of the errors of a ValidationError.
        root: the model of the whole file.
    """
    names = [name for name in error["loc"] if isinstance(name, str)]
    where = visible(f"{path}, {'.'.join(str(part) for part in error['loc'])}" if error["loc"] else path)
    section, field = _field(names, root)
    if error["type"] == "missing" or (error["input"] is None and _is_section(field)):
        return f"{where}: want this key, got none. {_line_to_paste(names, field)}"
    if error["type"] == "extra_forbidden":
        known = sorted(section.model_fields)
        close = difflib.get_close_matches(names[-1], known, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"Known here: {', '.join(known)}."
        return f"{where}: want a known key, got {visible(names[-1])}. {hint}"
    if error["type"] == "value_error":
        return f"{where}: {visible(error['ctx']['error'])}"
    want = error["msg"].replace("Input should be ", "").replace("Value should ", "").replace("String should ", "")
    meaning = f" It is {' '.join(field.description.split())}." if field is not None and field.description else ""
    return f"{where}: want {want}, got {error['input']!r}.{_float_trap(error['input'])}{meaning}"


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


def _float_trap(value: Any) -> str:
    """YAML takes 1e-3 for text: how to write it."""
    try:
        return f" YAML reads {value} as text: write {float(value):g}." if isinstance(value, str) else ""
    except ValueError:
        return ""
