"""Read and edit YAML files in the dialect of DVC: YAML 1.2, by ruamel.yaml's safe loader.

Values have the types that YAML gives them, except where a name is wanted: there `0` and `true` are names. A name that
YAML would change is refused, because DVC sees only the value: 007 and 7 are one number. An unquoted date is refused,
because DVC fails on it without naming the line.
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

# Keys and positions in lists that lead from the top of the file to a value.
Place = tuple[str | int, ...]
# Values of a file after its aliases are expanded; params.yaml has about 150.
MOST_VALUES = 10_000
MERGE = "tag:yaml.org,2002:merge"
# Text that needs no quotes in any dialect.
PLAIN = re.compile(r"(?!(?:null|true|false|yes|no|on|off|y|n)$)[A-Za-z_][\w./-]*", re.ASCII | re.IGNORECASE)
COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class _File(NamedTuple):
    path: Path
    construct: Callable[[Any], Any]
    """function that converts a scalar node to a value"""
    wants_name: Callable[[Place], bool]
    left: Iterator[int]
    """counter with one item for each value that is still allowed"""


def read_yaml(path: Path, wants_name: Callable[[Place], bool] = lambda place: False) -> Any:
    """Dictionaries, lists and values of a YAML file; all keys are strings.

    Args:
        path: the file, in UTF-8.
        wants_name: function that tells for a place whether a name is wanted there.

    Raises:
        ValueError: the file is not YAML 1.2, has a key twice, an invalid value, or more than 10,000 values.
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
        raise ValueError(f"{path}, line {line}: want YAML, got: {problem}. Fix that line.") from None
    except RecursionError:
        raise ValueError(f"{path}: want YAML, got endlessly nested lists. Fix the brackets and aliases.") from None


def with_values(path: Path, values: Mapping[Place, Any]) -> str:
    """Text of a YAML file with new values at some places; all other characters stay.

    A key that its section leaves out gets a line of its own below the section's name.

    Args:
        path: the file, in UTF-8, which must be valid for `read_yaml`.
        values: new values by place: None, booleans, numbers, text, or lists of these.

    Raises:
        ValueError: the section of a place is not in the file, or an anchor or alias (`&name`, `*name`) is on the way
            to it, so that a new value would change other places too.
    """
    from ruamel.yaml import YAML

    text = _text(path)
    root = YAML(typ="safe", pure=True).compose(text)
    spans = {_span(path, root, place, text): written(value) for place, value in values.items()}
    # from the end of the file, so that the positions before an edit stay valid
    for (start, end, margin), value in sorted(spans.items(), reverse=True):
        text = text[:start] + margin + value + text[end:]
    return text


def _span(path: Path, root: Any, place: Place, text: str) -> tuple[int, int, str]:
    """Start and end of a value in the text, and the spaces that a new value needs before it.

    If a key has no value, start and end are the position after its colon.
    """
    node, after, column = root, 0, -1
    for name in place:
        pairs = node.value if isinstance(node.value, list) else []
        found = [(key, value) for key, value in pairs if key.value == name]
        if not found and len(place) > 1 and name == place[-1] and pairs and not node.flow_style and node.anchor is None:
            return _new_line(text, after, f"{' ' * pairs[0][0].start_mark.column}{name}: ")
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
    # DVC writes lists with their dashes below the key; there a value on one line would not be valid
    in_line_with_key = node.start_mark.column == column
    return start, start + len(text[start:end].rstrip()), "  " if in_line_with_key else ""


def _new_line(text: str, after: int, key: str) -> tuple[int, int, str]:
    """Position of a new line below the one at `after`, as an empty span, and the text that it begins with."""
    end = text.index("\n", after)
    line_end = "\r\n" if text[end - 1] == "\r" else "\n"
    start = end + 1 - len(line_end)
    return start, start, f"{line_end}{key}"


def _end(node: Any) -> int:
    """End of a value in the text. For a block list, the library's own end mark is the start of the next key."""
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
    """A text for an error message, on one line: about n characters from its beginning and end."""
    return visible(text if len(text) <= n else f"{text[: n // 2]}...{text[-n // 4 :]}")


def _text(path: Path) -> str:
    try:
        # bytes, because read_text would translate line ends
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        line, got = error.object.count(b"\n", 0, error.start) + 1, error.object[error.start : error.end]
        want = "want YAML in UTF-8"
        raise ValueError(f"{path}, line {line}: {want}, got {got!r}. Fix that line, or save as UTF-8.") from None


def _problem(error: Any, text: str) -> tuple[int, str]:
    """Line number and the library's description of the problem, without its excerpts of the file."""
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
        raise _fault(file, node, place, f"want a plain list or keys, got the tag {node.tag}. Remove it.")
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
    """Keys and values that `<<: *one` or `<<: [*one, *another]` merges; the first section with a key counts."""
    value = _value(node, place, file)
    sources = value if isinstance(value, list) else [value]
    if not all(isinstance(each, dict) for each in sources):
        raise _fault(file, node, place, "want the alias of a section after `<<`, got a value. Fix that line.")
    return {key: each for source in reversed(sources) for key, each in source.items()}


def _key(node: Any, place: Place, file: _File) -> str:
    from ruamel.yaml.nodes import ScalarNode

    if not isinstance(node, ScalarNode):
        raise _fault(file, node, place, "want a name before the colon, got a list or keys. Fix that line.")
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
    except (ArithmeticError, AttributeError, LookupError, ValueError) as error:
        # such as a date that does not exist
        got = f"{shown(node.value)} ({shown(str(error), 100)})"
        raise _fault(file, node, place, f"want a value that YAML knows, got {got}. Quote it if it is a name.") from None
    if isinstance(value, date):
        got = f"got the date {shown(node.value)}, which DVC refuses"
        raise _fault(file, node, place, f"want a text or a number, {got}. Put it in quotes: '{shown(node.value)}'.")
    return value


def _name(node: "ScalarNode", value: Any, place: Place, file: _File) -> str:
    """Text of a scalar, if no other text has the same value."""
    if isinstance(value, str):
        return value
    if str(value).lower() == node.value:
        return str(node.value)
    text, kind = shown(node.value), type(value).__name__
    taken = f"which YAML takes for the {kind} {shown(str(value))}"
    raise _fault(file, node, place, f"want a name, got {text}, {taken}. Put it in quotes: '{text}'.")
