import json
from pathlib import Path

import pytest

from graft.reporting.provenance import read_provenance

NOTE = {
    "stage": "train_scratch",
    "started": "2026-01-02T00:00:00+00:00",
    "seconds": 12.5,
    "memory_mib": 512,
    "device": "cpu",
    "python": "3.11.9",
    "machine": "Linux x86_64, 2 cores",
    "packages": {"numpy": "2.4.1"},
}


def _write(folder: Path, **changes: object) -> None:
    note = NOTE | changes
    (folder / f"{note['stage']}.json").write_text(json.dumps(note))


def test_stages_come_in_the_order_in_which_they_ran(tmp_path: Path) -> None:
    _write(tmp_path)
    _write(tmp_path, stage="validate_data", started="2026-01-01T00:00:00+00:00", packages={"pandas": "3"})
    found = read_provenance(tmp_path, without="write_report")
    assert [each.stage for each in found.stages] == ["validate_data", "train_scratch"]
    assert found.versions == ("numpy 2.4.1", "pandas 3")
    assert found.machines == ("Linux x86_64, 2 cores, Python 3.11.9",)
    assert found.seconds == 25.0


def test_seconds_of_a_step_are_read_where_they_were_noted(tmp_path: Path) -> None:
    _write(tmp_path, seconds_a_step=0.012)
    _write(tmp_path, stage="validate_data", started="2026-01-01T00:00:00+00:00")
    assert [each.seconds_a_step for each in read_provenance(tmp_path, without="x").stages] == [None, 0.012]


def test_the_calling_stage_is_left_out(tmp_path: Path) -> None:
    _write(tmp_path, stage="write_report")
    assert read_provenance(tmp_path, without="write_report").stages == ()


def test_without_a_folder_there_is_no_provenance(tmp_path: Path) -> None:
    assert read_provenance(tmp_path / "none", without="write_report").stages == ()


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_broken_note_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"x\.json: want a note of a stage, .* Delete the file"):
        read_provenance(tmp_path, without="write_report")
