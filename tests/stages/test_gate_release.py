import json
import runpy
from pathlib import Path

import pytest
from tests.examples import CLEAN, EXPORT, catalog_record, strategy_record, training_record, verdict_record
from tests.house import ROOT

from graft.files import file_sha256, write_record

pytestmark = pytest.mark.exact

JUDGED = ("catalog", "validation", "strategy", "training", "scratch", "verdict", "export", "card")


def _gate(folder: Path, outcome: str) -> None:
    write_record(catalog_record("example"), folder / "catalog.json")
    write_record(CLEAN, folder / "validation.json")
    write_record(strategy_record(), folder / "strategy.json")
    write_record(training_record(), folder / "training.json")
    write_record(training_record(), folder / "scratch.json")
    write_record(verdict_record(outcome), folder / "verdict.json")
    write_record(EXPORT, folder / "export.json")
    (folder / "card.json").write_text("the card")
    names = (*JUDGED, "record")
    argv = [part for name in names for part in (f"--{name}", str(folder / f"{name}.json"))]
    main = runpy.run_path(str(ROOT / "stages" / "gate_release.py"))["main"]
    main([*argv, "--params", str(ROOT / "params.yaml"), "--report", "reports/report.md"])


def test_a_good_model_passes(tmp_path: Path) -> None:
    _gate(tmp_path, "POSITIVE")
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["passed"] is True
    assert "graft start --from FOLDER" in record["next_steps"][0]


def test_the_record_names_all_that_was_judged_by_hash(tmp_path: Path) -> None:
    _gate(tmp_path, "POSITIVE")
    judged = json.loads((tmp_path / "record.json").read_text())["made_from"]
    assert judged == {name: file_sha256(tmp_path / f"{name}.json") for name in JUDGED}


def test_a_refusal_is_written_before_it_is_raised(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"got a refusal\. The sentence\..*See reports/report\.md"):
        _gate(tmp_path, "NEGATIVE")
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["passed"] is False
    assert record["model_sha256"] == EXPORT.onnx_sha256
