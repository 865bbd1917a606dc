import json
import runpy
from pathlib import Path

import pytest
from tests.house import ROOT

from graft.files import file_sha256, write_record
from graft.records.release import Reason, ReleaseRecord

pytestmark = pytest.mark.exact

MODEL = "a" * 64


def _gate(folder: Path, level: str) -> None:
    reason = Reason.model_validate({"check": "verdict", "level": level, "sentence": "The sentence."})
    release = ReleaseRecord(passed=level != "fail", model_sha256=MODEL, reasons=(reason,), next_steps=())
    write_record(release, folder / "release.json")
    (folder / "card.json").write_text("the card")
    names = ("release", "card", "record")
    argv = [part for name in names for part in (f"--{name}", str(folder / f"{name}.json"))]
    main = runpy.run_path(str(ROOT / "stages" / "gate_release.py"))["main"]
    main([*argv, "--report", "reports/report.md"])


@pytest.mark.parametrize("level", ["pass", "warn"])
def test_a_good_model_passes(tmp_path: Path, level: str) -> None:
    _gate(tmp_path, level)
    record = json.loads((tmp_path / "record.json").read_text())
    assert (record["passed"], record["model_sha256"]) == (True, MODEL)


def test_the_record_names_the_release_and_the_card_by_hash(tmp_path: Path) -> None:
    _gate(tmp_path, "pass")
    judged = json.loads((tmp_path / "record.json").read_text())["made_from"]
    assert judged == {name: file_sha256(tmp_path / f"{name}.json") for name in ("release", "card")}


def test_a_refusal_is_written_before_it_is_raised(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"got a refusal\. The sentence\. See reports/report\.md"):
        _gate(tmp_path, "fail")
    record = json.loads((tmp_path / "record.json").read_text())
    assert (record["passed"], record["model_sha256"]) == (False, MODEL)
