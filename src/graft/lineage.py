"""Check that records were made from the files that exist now.

After a stage that failed, records of an earlier run remain. Each record has the SHA-256 of the files that its stage
read, by option name, so that records of two runs can be told from those of one. Only strategy.json does not name the
shift record. All that it takes from there is the similarity, and a new measurement that does not change the similarity
must not repeat all training.
"""

import json
import re
from pathlib import Path

from graft.files import file_sha256
from graft.yaml_files import read_yaml


def mixed(wiring: Path) -> list[str]:
    """A clause for each record that was made from another file than the current one; empty if all are of one run.

    Args:
        wiring: dvc.yaml, which names the record of each stage and the files that the stage reads.
    """
    clauses = []
    for stage in read_yaml(wiring)["stages"].values():
        command = stage.get("cmd")
        # stages that users add may have no command, or a list of commands
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
