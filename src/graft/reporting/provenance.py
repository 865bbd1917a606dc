"""When, where and how long the stages ran, and with which versions. Shown if present; nothing depends on it."""

import json
from pathlib import Path
from typing import NamedTuple


class StageRun(NamedTuple):
    """The last run of one stage on this machine."""

    stage: str
    started: str
    seconds: float
    memory_mib: int
    """peak memory of its largest process"""
    device: str
    seconds_a_step: float | None = None
    """seconds of one step of the optimizer; None where the stage took none"""


class Provenance(NamedTuple):
    """Provenance of all stages that left a note."""

    stages: tuple[StageRun, ...]
    """runs in the order of their start"""
    machines: tuple[str, ...]
    versions: tuple[str, ...]
    """versions of packages, such as `numpy 2.4.1`"""

    @property
    def seconds(self) -> float:
        """Duration of all stages together."""
        return sum(each.seconds for each in self.stages)


def read_provenance(folder: Path, without: str) -> Provenance:
    """Read the notes of all stages but one. There are none if the folder does not exist.

    Args:
        folder: folder with one JSON file per stage.
        without: the calling stage, whose own note is of an earlier run.

    Raises:
        ValueError: a note was not written by `graft.stage`.
    """
    runs: list[StageRun] = []
    machines: set[str] = set()
    versions: set[str] = set()
    for path in sorted(folder.glob("*.json")):
        if path.stem == without:
            continue
        try:
            note = json.loads(path.read_bytes())
            fields = {name: note[name] for name in StageRun._fields if name not in StageRun._field_defaults}
            fields["seconds_a_step"] = note.get("seconds_a_step")
            machines.add(f"{note['machine']}, Python {note['python']}")
            versions.update(f"{name} {version}" for name, version in note["packages"].items())
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: want a note of a stage, got {error!r}. Delete the file.") from None
        runs.append(StageRun(**fields))
    runs.sort(key=lambda run: run.started)
    return Provenance(tuple(runs), tuple(sorted(machines)), tuple(sorted(versions)))
