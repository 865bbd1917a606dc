"""Which files a record was made from, and whether they are the ones that lie there now.

A stage that fails leaves records of an earlier run behind it. Each record holds the sha256 of what its stage read, by
the names of the stage's options, so that records of two runs are told from those of one. strategy.json alone does not
name the shift record: all that it takes from there is the similarity, and a new measurement that leaves the
similarity as it was must not train everything anew.
"""

import json
import re
from pathlib import Path

from graft.files import file_sha256
from graft.yaml_files import read_yaml


def mixed(wiring: Path) -> list[str]:
    """A clause for each record that was made from another file than the one that lies there; none: all are of one run.

    Args:
        wiring: dvc.yaml, which names the record of each stage and what the stage reads.
    """
    clauses = []
    for stage in read_yaml(wiring)["stages"].values():
        command = stage.get("cmd")
        # stages that users add may have none, or a list of them
        paths = dict(re.findall(r"--([\w-]+) (\S+)", command)) if isinstance(command, str) else {}
        record = Path(paths.get("record", ""))
        if record.is_file():
            clauses += _mixed(record, {name: Path(path) for name, path in paths.items()})
    return clauses


def _mixed(record: Path, paths: dict[str, Path]) -> list[str]:
    try:
        made_from = json.loads(record.read_bytes()).get("made_from", {})
    except ValueError:
        return [f"{record} cannot be read"]
    return [
        f"{record} was made from another {paths[name]}"
        for name, sha256 in made_from.items()
        if name in paths and paths[name].is_file() and file_sha256(paths[name]) != sha256
    ]
