"""params.yaml with other values, and every other character unchanged."""

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from graft.files import write_whole
from graft.params.errors import wants_name
from graft.params.pipeline import Params, read_params
from graft.yaml_files import read_yaml, with_values


class Setting(NamedTuple):
    """New value of a key of params.yaml."""

    value: Any
    why: str
    """reason for the value, in a few words"""


class Edits(NamedTuple):
    """The file with its new values, before it is written."""

    before: dict[str, Any]
    """values of the file before"""
    changed: dict[str, Setting]
    """settings that differ from these, by dotted key"""
    text: str
    """text of the file with the changed settings"""
    params: Params
    """params that this text holds"""
    was: bytes
    """bytes of the file when it was read"""


def edits(path: Path, settings: Mapping[str, Setting]) -> Edits:
    """Prepare settings as edits of a file; nothing is written.

    Args:
        path: params.yaml, which holds valid params.
        settings: new values by dotted key.

    Raises:
        ValueError: a value is part of an anchor or alias, or the new values do not go together with the others.
    """
    was = path.read_bytes()
    before = read_yaml(path, partial(wants_name, root=Params))
    changed = {key: each for key, each in settings.items() if value_at(before, key) != _plain(each.value)}
    text = with_values(path, {tuple(key.split(".")): each.value for key, each in changed.items()})
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / path.name
        trial.write_bytes(text.encode())
        try:
            params = read_params(trial)
        except ValueError as error:
            raise ValueError(str(error).replace(str(trial), str(path))) from None
    return Edits(before, changed, text, params, was)


def write_edits(path: Path, made: Edits) -> None:
    """Write a file with its edits; links and permissions are kept.

    Raises:
        OSError: the disk is full, or the file cannot be written.
        RuntimeError: the file has changed since it was read.
    """
    if path.read_bytes() != made.was:
        raise RuntimeError(
            f"{path}: want it as it was when `graft start` began, got edits made since then. They stay, and no values "
            "were written: run `graft start` again."
        )
    file = path.resolve()
    mode = file.stat().st_mode
    write_whole(file, made.text.encode())
    file.chmod(mode & 0o7777)


def value_at(values: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key; None if a part of the key is missing."""
    value: Any = values
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
