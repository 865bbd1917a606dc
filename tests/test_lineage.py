"""Records are compared with the files that they were made from."""

import json
from pathlib import Path

import pytest

from graft.files import file_sha256
from graft.lineage import mixed

WIRING = """
stages:
  look:
    cmd: exec python stages/look.py --catalog {0}/catalog.json --rows {0}/rows.csv --record {0}/look.json
  tell:
    cmd: exec python stages/tell.py --look {0}/look.json --text {0}/text.md
"""


@pytest.fixture
def wiring(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text(WIRING.format(tmp_path))
    for name in ("catalog.json", "rows.csv"):
        (tmp_path / name).write_text("first")
    made_from = {
        name: file_sha256(tmp_path / file) for name, file in (("catalog", "catalog.json"), ("rows", "rows.csv"))
    }
    (tmp_path / "look.json").write_text(json.dumps({"made_from": made_from}))
    return tmp_path / "dvc.yaml"


def test_records_of_one_run_are_not_mixed(wiring: Path) -> None:
    assert mixed(wiring) == []


def test_a_record_of_another_file_is_named_with_it(wiring: Path) -> None:
    folder = wiring.parent
    (folder / "rows.csv").write_text("second")
    assert mixed(wiring) == [f"{folder}/look.json was made from another {folder}/rows.csv"]
    (folder / "catalog.json").write_text("second")
    assert len(mixed(wiring)) == 2


def test_missing_files_are_not_compared_with_a_record(wiring: Path) -> None:
    # a clone has no catalogue before DVC fetches it
    (wiring.parent / "rows.csv").unlink()
    assert mixed(wiring) == []
    (wiring.parent / "look.json").unlink()
    assert mixed(wiring) == []


def test_a_record_that_names_no_files_is_not_mixed(wiring: Path) -> None:
    (wiring.parent / "look.json").write_text("{}")
    assert mixed(wiring) == []


def test_a_record_with_merge_conflicts_is_reported_and_stages_of_users_are_skipped(wiring: Path) -> None:
    folder = wiring.parent
    wiring.write_text(wiring.read_text() + "  many: {foreach: [1], do: {cmd: echo}}\n  two: {cmd: [echo a, echo b]}\n")
    (folder / "look.json").write_text("<<<<<<< ours\n{}\n")
    assert mixed(wiring) == [f"{folder}/look.json cannot be read"]
