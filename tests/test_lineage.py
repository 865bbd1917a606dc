"""Records are held against the files that they were made from."""

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


def test_what_is_not_there_is_not_held_against_a_record(wiring: Path) -> None:
    (wiring.parent / "rows.csv").unlink()  # a clone has no catalogue before DVC brings it
    assert mixed(wiring) == []
    (wiring.parent / "look.json").unlink()
    assert mixed(wiring) == []


def test_a_record_that_names_nothing_is_not_mixed(wiring: Path) -> None:
    (wiring.parent / "look.json").write_text("{}")
    assert mixed(wiring) == []


def test_a_record_in_conflict_is_said_and_other_stages_than_ours_are_passed_over(wiring: Path) -> None:
    folder = wiring.parent
    wiring.write_text(wiring.read_text() + "  many: {foreach: [1], do: {cmd: echo}}\n  two: {cmd: [echo a, echo b]}\n")
    (folder / "look.json").write_text("<<<<<<< ours\n{}\n")
    assert mixed(wiring) == [f"{folder}/look.json cannot be read"]
