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
        paths = {name: Path(path) for name, path in re.findall(r"--([\w-]+) (\S+)", stage["cmd"])}
        record = paths.get("record", Path())
        made_from = json.loads(record.read_bytes()).get("made_from", {}) if record.is_file() else {}
        clauses += [
            f"{record} was made from another {paths[name]}"
            for name, sha256 in made_from.items()
            if name in paths and paths[name].is_file() and file_sha256(paths[name]) != sha256
        ]
    return clauses
