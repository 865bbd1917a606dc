import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from tests.examples import write_stamp

from graft import stage
from graft.files import file_sha256, read_record, write_record
from graft.records.release import ReleaseRecord
from graft.store.catalogue import write_catalog
from graft.store.features import write_map

pytestmark = pytest.mark.exact

ROOT = Path(__file__).parents[2]
RECORDS = ("catalog", "validation", "shift", "strategy", "checks", "transfer", "scratch", "verdict", "gain", "export")


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{path.stem}_of_test_write_report", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All inputs as the stages before would leave them, and the options that name them."""
    monkeypatch.setattr(stage, "PROVENANCE", tmp_path / "provenance")
    samples = _module(ROOT / "tests/reporting/conftest.py")
    evidence, target = samples.sample_evidence(), samples.sample_target()
    for name in RECORDS:
        write_record(getattr(evidence, name), tmp_path / f"{name}.json")
    samples.write_predictions(evidence.predictions, tmp_path / "predictions.csv")
    write_catalog(target.catalog, tmp_path / "target.csv")
    np.save(tmp_path / "target.npy", target.images)
    write_catalog(target.catalog, tmp_path / "source.csv")
    write_catalog((), tmp_path / "unlabeled.csv")
    write_stamp(tmp_path)
    np.save(tmp_path / "source.npy", target.images)
    np.save(tmp_path / "unlabeled.npy", target.images[:0])
    write_map(samples.sample_map(), tmp_path / "map.csv")
    np.save(tmp_path / "sheet.npy", samples.sample_sheet())
    files = {name: tmp_path / f"{name}.json" for name in RECORDS if name != "transfer"}
    files |= {
        "stamp": tmp_path / "validated.json",
        "params": ROOT / "params.yaml",
        "training": tmp_path / "transfer.json",
    }
    files |= {"predictions": tmp_path / "predictions.csv", "target-catalog": tmp_path / "target.csv"}
    files |= {"source-catalog": tmp_path / "source.csv", "source-images": tmp_path / "source.npy"}
    files |= {"unlabeled-catalog": tmp_path / "unlabeled.csv", "unlabeled-images": tmp_path / "unlabeled.npy"}
    files |= {"shift-map": tmp_path / "map.csv", "sheet": tmp_path / "sheet.npy"}
    files |= {"target-images": tmp_path / "target.npy", "html": tmp_path / "out/report.html"}
    files |= {"markdown": tmp_path / "out/report.md", "metrics": tmp_path / "out/metrics.json"}
    files |= {"record": tmp_path / "out/release.json"}
    return [part for name, path in files.items() for part in (f"--{name}", str(path))]


def _run(options: Sequence[str]) -> None:
    _module(ROOT / "stages/write_report.py").main(options)


def test_page_markdown_and_metrics_are_written(options: list[str], tmp_path: Path) -> None:
    _run(options)
    assert (tmp_path / "out/report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (
        (tmp_path / "out/report.md").read_text(encoding="utf-8").startswith("# Transfer by tuning all blocks helped\n")
    )
    assert json.loads((tmp_path / "out/metrics.json").read_text())["n_test_images"] == 300


def test_the_record_of_the_release_holds_what_the_report_shows_and_names_what_was_judged(
    options: list[str], tmp_path: Path
) -> None:
    _run(options)
    release = read_record(ReleaseRecord, tmp_path / "out/release.json")
    assert {each.check for each in release.reasons} == {"data", "rates", "verdict", "looks", "majority", "export"}
    text = (tmp_path / "out/report.md").read_text(encoding="utf-8")
    assert [each for each in release.reasons if f"**{each.level}**, {each.check}: " not in text] == []
    assert release.made_from["verdict"] == file_sha256(tmp_path / "verdict.json")
    assert set(release.made_from) == {*RECORDS, "training"} - {"transfer"}


def test_the_map_is_drawn_from_its_file(options: list[str], tmp_path: Path) -> None:
    _run(options)
    assert "source, 300 images" in (tmp_path / "out/report.html").read_text(encoding="utf-8")
    write_map((), tmp_path / "map.csv")
    _run(options)
    assert "source, 300 images" not in (tmp_path / "out/report.html").read_text(encoding="utf-8")


def test_provenance_shows_in_the_page_and_changes_nothing_else(options: list[str], tmp_path: Path) -> None:
    _run(options)
    before = {each: (tmp_path / "out" / each).read_bytes() for each in ("report.md", "metrics.json")}
    note = {
        "stage": "train_scratch",
        "started": "2026-01-01",
        "seconds": 1.5,
        "memory_mib": 9,
        "device": "cpu",
    }
    (tmp_path / "provenance").mkdir()
    text = json.dumps(note | {"machine": "a box", "python": "3.11.9", "packages": {}})
    (tmp_path / "provenance/train_scratch.json").write_text(text)
    _run(options)
    assert "a box" in (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert before == {each: (tmp_path / "out" / each).read_bytes() for each in before}


def test_nothing_is_written_if_an_input_is_missing(options: list[str], tmp_path: Path) -> None:
    (tmp_path / "verdict.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"verdict\.json: want a VerdictRecord"):
        _run(options)
    assert not (tmp_path / "out").exists()
