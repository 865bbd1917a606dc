"""What was run here, how long and by which versions: shown where it is present, needed by nothing."""

import json
from pathlib import Path
from typing import NamedTuple


class StageRun(NamedTuple):
    """The last run of one stage on this machine."""

    stage: str
    started: str
    seconds: float
    memory_mib: int
    device: str


class Provenance(NamedTuple):
    """All stages that left a note."""

    stages: tuple[StageRun, ...]
    """in the order in which they ran"""
    machines: tuple[str, ...]
    versions: tuple[str, ...]
    """such as `numpy 2.4.1`"""

    @property
    def seconds(self) -> float:
        """Of all stages together."""
        return sum(each.seconds for each in self.stages)


def read_provenance(folder: Path, without: str) -> Provenance:
    """Notes of the stages, but for one stage; none where there is no folder.

    Args:
        folder: holds one JSON file a stage.
        without: the stage that asks, whose own note is of an earlier run.

    Raises:
        ValueError: a note is not one that graft.stage wrote.
    """
    runs: list[StageRun] = []
    machines: set[str] = set()
    versions: set[str] = set()
    for path in sorted(folder.glob("*.json")):
        if path.stem == without:
            continue
        try:
            note = json.loads(path.read_bytes())
            fields = {name: note[name] for name in StageRun._fields}
            machines.add(f"{note['machine']}, Python {note['python']}")
            versions.update(f"{name} {version}" for name, version in note["packages"].items())
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: want a note of a stage, got {error!r}. Delete the file.") from None
        runs.append(StageRun(**fields))
    runs.sort(key=lambda run: run.started)
    return Provenance(tuple(runs), tuple(sorted(machines)), tuple(sorted(versions)))
