"""YAML files, read in the one dialect that DVC reads and writes: YAML 1.2, by ruamel.yaml's safe loader.

A value is what YAML takes it for, except where a name is wanted: there `0` or `true` is the name that stands in
the file. What could be another name to DVC, which watches the value, is refused: 007 and 7 are one number. So is an
unquoted date, for DVC stops at it without naming the line.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from graft.files import visible

if TYPE_CHECKING:
    from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

Place = tuple[str | int, ...]
"""names of keys and positions in lists, from the top of the file to a value"""
MOST_VALUES = 10_000
"""of a file once its aliases are written out; params.yaml has about 150"""
MERGE = "tag:yaml.org,2002:merge"
PLAIN = re.compile(r"(?!(?:null|true|false|yes|no|on|off|y|n)$)[A-Za-z_][\w./-]*", re.ASCII | re.IGNORECASE)
"""text that needs no quotes in any dialect"""
COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class _File(NamedTuple):
    path: Path
    construct: Callable[[Any], Any]
    """the value that the library takes a scalar for"""
    wants_name: Callable[[Place], bool]
    left: Iterator[int]
    """as many as values may still come"""


def read_yaml(path: Path, wants_name: Callable[[Place], bool] = lambda place: False) -> Any:
    """The dictionaries, lists and values of a YAML file; every key is a str.

    Args:
        path: of the file, in UTF-8.
        wants_name: of a place, whether a name is wanted there.

    Raises:
        ValueError: not YAML 1.2, a key twice, a value that the library cannot hold, or more than 10,000 values.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml, text = YAML(typ="safe", pure=True), _text(path)
    try:
        node = yaml.compose(text)
        file = _File(path, yaml.constructor.construct_object, wants_name, iter(range(MOST_VALUES)))
        return None if node is None else _value(node, (), file)
    except YAMLError as error:
        line, problem = _problem(error, text)
        raise ValueError(f"{path}, line {line}: want YAML, got: {problem}. Mend that line.") from None
    except RecursionError:
        raise ValueError(f"{path}: want YAML, got lists in lists without end. Mend the brackets and aliases.") from None


def with_values(path: Path, values: Mapping[Place, Any]) -> str:
    """The text of a YAML file with other values at some places, and every other character as it stands.

    Args:
        path: of the file, in UTF-8, which `read_yaml` takes.
        values: what shall stand at each place: None, truths, numbers, text, or lists of them.

    Raises:
        ValueError: a place does not stand in the file, or an anchor or alias (`&name`, `*name`) stands on the way
            to it, so that a new value would change other places too.
    """
    from ruamel.yaml import YAML

    text = _text(path)
    root = YAML(typ="safe", pure=True).compose(text)
    spans = {_span(path, root, place, text): written(value) for place, value in values.items()}
    for (start, end, margin), value in sorted(spans.items(), reverse=True):
        text = text[:start] + margin + value + text[end:]
    return text


def _span(path: Path, root: Any, place: Place, text: str) -> tuple[int, int, str]:
    """From where to where a value stands, and the spaces that a new one needs before it.

    Where a key has no value, that is the end of its colon twice.
    """
    node, after, column = root, 0, -1
    for name in place:
        pairs = node.value if isinstance(node.value, list) else []
        found = [(key, value) for key, value in pairs if key.value == name]
        if not found or found[0][1].anchor is not None:
            dotted = ".".join(map(str, place))
            got = "an anchor or an alias" if found else "none"
            raise ValueError(f"{path}, {dotted}: want a value of its own, got {got}. Write it out in its section.")
        key, node = found[0]
        after, column = key.end_mark.index, key.start_mark.column
    start, end = node.start_mark.index, _end(node)
    if start == end:
        after = text.index(":", after) + 1
        return after, after, " "
    in_line_with_key = node.start_mark.column == column  # as DVC writes lists; only those in lines may stand there
    return start, start + len(text[start:end].rstrip()), "  " if in_line_with_key else ""


def _end(node: Any) -> int:
    """Where a value ends; the library's own mark of a list in lines stands where the next key begins."""
    in_lines = isinstance(node.value, list) and not node.flow_style and node.value
    return _end(node.value[-1]) if in_lines else int(node.end_mark.index)


def written(value: Any) -> str:
    """A value on one line of YAML."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}: {written(each)}' for name, each in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, str) and PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def shown(text: str, n: int = 60) -> str:
    """A text for a sentence: about n characters of its beginning and end, on one line."""
    return visible(text if len(text) <= n else f"{text[: n // 2]}...{text[-n // 4 :]}")


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()  # line ends as they are
    except UnicodeDecodeError as error:
        line, got = error.object.count(b"\n", 0, error.start) + 1, error.object[error.start : error.end]
        want = "want YAML in UTF-8"
        raise ValueError(f"{path}, line {line}: {want}, got {got!r}. Mend that line, or save as UTF-8.") from None


def _problem(error: Any, text: str) -> tuple[int, str]:
    """The line, and what the library says is wrong, without its excerpts."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark and problem:
        return mark.line + 1, shown(problem, 200)
    return text.count("\n", 0, getattr(error, "position", 0)) + 1, shown(str(error).splitlines()[0], 200)


def _fault(file: _File, node: "Node", place: Place, sentence: str) -> ValueError:
    key = f", {shown('.'.join(str(part) for part in place), 100)}" if place else ""
    return ValueError(f"{file.path}, line {node.start_mark.line + 1}{key}: {sentence}")


def _value(node: Any, place: Place, file: _File) -> Any:
    from ruamel.yaml.nodes import ScalarNode, SequenceNode

    if next(file.left, None) is None:
        want = f"want at most {MOST_VALUES:,} values in the file"
        raise _fault(file, node, place, f"{want}, got more. Write fewer, or fewer aliases (`*name`).")
    if isinstance(node, ScalarNode):
        return _scalar(node, place, file)
    if str(node.tag) not in COLLECTIONS:
        raise _fault(file, node, place, f"want a plain list or keys, got the tag {node.tag}. Leave it out.")
    if isinstance(node, SequenceNode):
        return [_value(each, (*place, index), file) for index, each in enumerate(node.value)]
    return _mapping(node, place, file)


def _mapping(node: "MappingNode", place: Place, file: _File) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for key, value in node.value:
        if str(key.tag) == MERGE:
            merged |= _merged(value, place, file)
            continue
        name = _key(key, place, file)
        if name in own:
            raise _fault(file, key, place, f"want YAML, got the key {shown(name)} twice. Delete one of them.")
        own[name] = _value(value, (*place, name), file)
    return {**merged, **own}


def _merged(node: "Node", place: Place, file: _File) -> dict[str, Any]:
    """What `<<: *one` or `<<: [*one, *another]` brings: the first that has a key counts."""
    value = _value(node, place, file)
    sources = value if isinstance(value, list) else [value]
    if not all(isinstance(each, dict) for each in sources):
        raise _fault(file, node, place, "want the alias of a section after `<<`, got a value. Mend that line.")
    return {key: each for source in reversed(sources) for key, each in source.items()}


def _key(node: Any, place: Place, file: _File) -> str:
    from ruamel.yaml.nodes import ScalarNode

    if not isinstance(node, ScalarNode):
        raise _fault(file, node, place, "want a name before the colon, got a list or keys. Mend that line.")
    return _name(node, _constructed(node, place, file), place, file)


def _scalar(node: "ScalarNode", place: Place, file: _File) -> Any:
    value = _constructed(node, place, file)
    in_list = bool(place) and isinstance(place[-1], int)
    if not file.wants_name(place) or (value is None and not in_list):
        return value
    return _name(node, value, place, file)


def _constructed(node: "ScalarNode", place: Place, file: _File) -> Any:
    try:
        value = file.construct(node)
    except (ArithmeticError, AttributeError, LookupError, ValueError) as error:  # such as a date that there is not
        got = f"{shown(node.value)} ({shown(str(error), 100)})"
        raise _fault(file, node, place, f"want a value that YAML knows, got {got}. Quote it if it is a name.") from None
    if isinstance(value, date):
        got = f"got the date {shown(node.value)}, which DVC refuses"
        raise _fault(file, node, place, f"want a text or a number, {got}. Put it in quotes: '{shown(node.value)}'.")
    return value


def _name(node: "ScalarNode", value: Any, place: Place, file: _File) -> str:
    """The text of a scalar, where no other text is the same value."""
    if isinstance(value, str):
        return value
    if str(value).lower() == node.value:
        return str(node.value)
    text, kind = shown(node.value), type(value).__name__
    taken = f"which YAML takes for the {kind} {shown(str(value))}"
    raise _fault(file, node, place, f"want a name, got {text}, {taken}. Put it in quotes: '{text}'.")
