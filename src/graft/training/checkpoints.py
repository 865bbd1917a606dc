"""Checkpoints of unfinished training, from which a killed stage continues; nothing else reads them.

A stage has one folder, named by a hash of everything that decides its result, so that a state is never loaded under
other params, data or code. The folder is deleted when the stage is done.
"""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from graft.files import room_for

FOLDER = Path("models/checkpoints")
SECONDS_BETWEEN = 10.0
# largest share of the time that saving may take
SHARE_OF_TIME = 0.02

# tensors, numbers and text, nested: what torch.load reads with weights_only, without running code of the file
State = dict[str, Any]


class Keeper(NamedTuple):
    """How one run loads and saves its state."""

    load: Callable[[], State | None]
    """Returns the last state; None where there is none."""
    save: Callable[[Callable[[], State]], None]
    """Is called after every step with a function that makes the state, and calls it when a save is due."""


# for a run that is too short to be worth saving
NOTHING = Keeper(lambda: None, lambda state: None)


def key_of(parts: Iterable[str], code: Iterable[Path]) -> str:
    """Hash of everything that decides a result, code included.

    Args:
        parts: params, records, hashes of data, device and versions.
        code: files and folders of Python source.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part.encode()).digest())
    for top in code:
        for file in sorted([top] if top.is_file() else top.rglob("*.py")):
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


@contextmanager
def checkpoints(stage: str, key: str) -> Iterator[Path]:
    """Folder of the stage's checkpoints under this key, locked by this process, deleted when the stage ends well.

    Folders of other keys are deleted at once, because no later run can load them.

    Raises:
        RuntimeError: another process trains this stage.
    """
    top = FOLDER / stage
    top.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{stage}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RuntimeError(
                f"{stage}: want to train alone, got another process that trains this stage here. "
                "Wait for it, or end it."
            ) from None
        for other in top.iterdir():
            if other.name != key:
                shutil.rmtree(other)
        folder = top / key
        folder.mkdir(exist_ok=True)
        yield folder
        shutil.rmtree(top)


def keeper_in(folder: Path, name: str) -> Keeper:
    """Keeper of one run that writes as often as SECONDS_BETWEEN and SHARE_OF_TIME allow."""
    path = folder / f"{name}.pt"
    due = time.monotonic() + SECONDS_BETWEEN

    def save(make: Callable[[], State]) -> None:
        nonlocal due
        start = time.monotonic()
        if start >= due:
            write_state(make(), path)
            took = time.monotonic() - start
            due = start + took + max(SECONDS_BETWEEN, took / SHARE_OF_TIME)

    return Keeper(lambda: read_state(path), save)


def write_state(state: State, path: Path) -> None:
    """Write a state whole or not at all, and flush it to the disk."""
    temporary = path.with_suffix(".tmp")
    with room_for(path), temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_state(path: Path) -> State | None:
    """Read a state that write_state wrote; None where there is no file."""
    if not path.is_file():
        return None
    state: State = torch.load(path, map_location="cpu", weights_only=True)
    return state
