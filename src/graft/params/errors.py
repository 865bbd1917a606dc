"""Errors of params.yaml as sentences: where, what was wanted, what was found, and what to do."""

import difflib
import json
import math
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel

from graft.files import visible
from graft.params.section import is_section, kinds_of, words_of
from graft.yaml_files import Place, shown, written

MOST_SENTENCES = 20
# shortens values in sentences: a file may hold megabytes where a number is wanted
ECHO = reprlib.Repr()
ECHO.maxstring = ECHO.maxother = ECHO.maxlong = 80
ECHO.maxlevel = 2
# words that mean true and false in YAML 1.1 and are text in YAML 1.2
TRUTHS = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
# keys of older files, and where their values went
MOVED = {
    "training.n_seeds": "Write `budget: standard` for 5 seeds, smoke for 2, thorough for 8, or another number of them.",
    "check_transfer.confidence": "Write `level: 0.05` in place of `confidence: 0.95`: what is left to 1.",
    "gate_release": "Move its line on_inconclusive to `check_transfer:`, and remove this section.",
    "network.head": "Move this line to `training:`.",
    "training.momentum": "It belongs to `optimizer: {kind: sgd, momentum: 0.9}`. Remove this line; adamw has none.",
    "training.restarts": "They belong to `schedule: {kind: warm_restarts, restarts: 3}`. Remove this line; no other "
    "schedule has restarts.",
    "training.mixing_alpha": "It belongs to mixup and cutmix: `mixing: {kind: mixup, alpha: 0.2}`. Remove this line; "
    "`mixing: none` has none.",
    "finetune_target.unfreeze_patience": "It belongs to `unfreeze: {kind: plateau, patience: 2}`, which goes with "
    "`overrule: gradual`. Remove this line, and under other strategies unfreeze too.",
}


@contextmanager
def said_as_keys(keys: Mapping[str, str]) -> Iterator[None]:
    """Replace the name of an argument at the beginning of an error by its key in params.yaml.

    Rooms such as networks do not know params and name their own arguments, as in `size_px: want ...`. The caller knows
    where the value comes from: `params.yaml, images.size_px: want ...`. Works as a decorator too.

    Args:
        keys: dotted key by name of the argument.
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        key = keys.get(str(error).partition(":")[0])
        if key is None:
            raise
        said = str(error).partition(":")[2]
        raise type(error)(f"params.yaml, {key}:{said}") from None


def sentences(path: Path, errors: list[Any], root: type[BaseModel]) -> str:
    """One line for each error, at most 20, and the number of those left out.

    Args:
        path: the file that was read.
        errors: the errors of a ValidationError.
        root: the model of the whole file.
    """
    faults = [error for error in errors if not _follows_from_another(error, errors)]
    lines = [sentence(path, each, root) for each in faults[:MOST_SENTENCES]]
    more = len(faults) - MOST_SENTENCES
    return "\n".join([*lines, f"{path}: {more:,} more errors. Correct these first."] if more > 0 else lines)


def _follows_from_another(error: Any, errors: list[Any]) -> bool:
    """Whether a list is too short only because its items were refused."""
    n = len(error["loc"])
    return error["type"] == "too_short" and any(
        len(each["loc"]) > n and each["loc"][:n] == error["loc"] for each in errors
    )


def sentence(path: Path, error: Any, root: type[BaseModel]) -> str:
    """One sentence for an error: where, what was wanted, what was found and what to do.

    Args:
        path: the file that was read.
        error: one of the errors of a ValidationError.
        root: the model of the whole file.
    """
    found = _found(error["loc"], root)
    key, name = ".".join(map(str, found.names)), str(found.names[-1]) if found.names else ""
    where = f"{path}, {shown(key, 100)}" if key else str(path)
    if error["type"] == "missing" or (error["input"] is None and _section_of(found.field)):
        return f"{where}: want this key, got none. {_line_to_paste(found, error['input'])}"
    if error["type"] == "extra_forbidden":
        return f"{where}: want a known key, got {shown(name)}. {MOVED.get(key) or _hint(name, found.section)}"
    if error["type"].startswith("union_tag"):
        return f"{where}: {_choice_sentence(name, found.field, error['input'])}"
    if error["type"] == "value_error":
        return f"{where}: {shown(str(error['ctx']['error']), 1000)}"
    return f"{where}: want {_want(error)}, got {echo(error['input'])}.{_how_to_write(error)}{_meaning(found.field)}"


def _want(error: Any) -> str:
    """What was wanted; a list is called by the name that it has in YAML."""
    if error["type"] == "tuple_type":
        return "a list, such as [first, second]"
    if error["type"] == "too_short":
        return f"a list of at least {error['ctx']['min_length']}"
    said: str = error["msg"]
    for start in ("Input should be ", "Value should ", "String should "):
        said = said.replace(start, "")
    return said


class _Found(NamedTuple):
    """A place in the file."""

    names: tuple[str | int, ...]
    """keys and positions in lists, as the file has them"""
    section: type[BaseModel]
    """the section that holds the last key"""
    field: Any
    """the field of that key; None where there is none"""


def _found(loc: Sequence[str | int], root: type[BaseModel]) -> _Found:
    """Follow a place from the top of the file.

    Args:
        loc: names as pydantic gives them. Below a key that names a choice, pydantic adds the name of the choice's
            section, which is not in the file.
        root: the model of the whole file.
    """
    names: list[str | int] = []
    section, field, inner = root, None, root
    for name in loc:
        kind = next((each for each in _members(field) if is_section(each) and each.__name__ == name), None)
        if kind is not None:
            inner = kind
            continue
        names.append(name)
        if isinstance(name, str):
            # below a field that maps names to sections, the name is the user's own
            entry = _entry_of(field)
            section, field = inner, None if entry else inner.model_fields.get(name)
            inner = entry or _section_of(field) or inner
    return _Found(tuple(names), section, field)


def _members(field: Any) -> tuple[Any, ...]:
    """Members of the union if the field names a choice, such as `Literal["adamw"]` and `Sgd`; none for other fields."""
    # the union may be annotated, and optional: Annotated[Literal[...] | Plateau, ...] | None
    annotation = field.annotation if field is not None else None
    parts = [get_args(each)[0] if get_origin(each) is Annotated else each for each in get_args(annotation)]
    nested = [each for part in parts for each in (get_args(part) if any(map(is_section, get_args(part))) else (part,))]
    return tuple(nested) if any(map(is_section, nested)) and get_origin(annotation) is not dict else ()


def _section_of(field: Any) -> type[BaseModel] | None:
    """The section that a field holds; None for other fields, those that name a choice among them."""
    if field is None or not is_section(field.annotation):
        return None
    section: type[BaseModel] = field.annotation
    return section


def _entry_of(field: Any) -> type[BaseModel] | None:
    """The section of each entry, if the field maps names to sections."""
    kinds = get_args(field.annotation) if field is not None and get_origin(field.annotation) is dict else ()
    return kinds[1] if kinds else None


def _hint(name: str, section: type[BaseModel]) -> str:
    known = sorted(section.model_fields)
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known here: {', '.join(known)}."


def _meaning(field: Any) -> str:
    return f" It is {' '.join(field.description.split())}." if field is not None and field.description else ""


def _choice_sentence(name: str, field: Any, value: Any) -> str:
    """What is wrong with a choice, and the line to write if the choice that was meant is known."""
    members = _members(field)
    words = {word: word for each in members for word in words_of(each)}
    kinds = {kind: _example_of(each, kind) for each in members for kind in kinds_of(each)}
    *others, last = {**words, **kinds}.values()
    want = f"want {', '.join(others)} or {last}, got {echo(value)}."
    given = value.get("kind") if isinstance(value, Mapping) else value
    if isinstance(given, str) and given in words:
        return f"{want} {given} has no values of its own: write `{name}: {given}`."
    if isinstance(given, str) and given in kinds:
        return f"{want} {given} has values of its own: write `{name}: {kinds[given]}`."
    return want + _meaning(field)


def _example_of(section: type[BaseModel], kind: str) -> str:
    """A mapping to paste, such as `{kind: sgd, momentum: 0.9}`."""
    examples = {name: field.examples[0] for name, field in section.model_fields.items() if field.examples}
    return written({**examples, "kind": kind})


def _line_to_paste(found: _Found, holder: Any) -> str:
    """The YAML that supplies a missing key."""
    name, field = found.names[-1], found.field
    if is_section(field.annotation):
        parts = field.annotation.model_fields.items()
        lines = [f"  {key}: {json.dumps(part.examples[0])}" for key, part in parts if part.is_required()]
        return f"Paste this section:\n{name}:\n" + "\n".join(lines)
    if "kind" in found.section.model_fields:
        return f"Write `{found.names[-2]}: {_example_of(found.section, holder['kind'])}`."
    place, indent = (f" under `{visible(str(found.names[-2]))}:`", "  ") if len(found.names) > 1 else ("", "")
    return f"Paste{place} the line `{indent}{name}: {json.dumps(field.examples[0])}`."


def wants_name(place: Place, root: type[BaseModel]) -> bool:
    """Whether a place of the file holds a name, or a list of names, which YAML may take for numbers."""
    field = _found(place, root).field
    return field is not None and _holds_str(field.annotation)


def _holds_str(annotation: Any) -> bool:
    return annotation is str or any(_holds_str(each) for each in get_args(annotation))


def echo(value: Any) -> str:
    """A value as Python writes it, shortened."""
    return ECHO.repr(value)


def _how_to_write(error: Any) -> str:
    """What to write instead of a text that means a number or a truth value."""
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
