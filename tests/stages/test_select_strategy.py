import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from tests.examples import catalog_record, catalog_row, unknown_shift, write_stamp

from graft.decisions.selection.choice import Target
from graft.decisions.selection.label_check import check_labels
from graft.files import read_record, write_record
from graft.params.pipeline import read_params
from graft.records.checks import ChecksRecord
from graft.records.common import Split
from graft.records.strategy import StrategyRecord
from graft.store.catalogue import read_catalog, write_catalog

ROOT = Path(__file__).parents[2]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


def _stage() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stage_select_strategy", ROOT / "stages/select_strategy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Two classes far apart in three splits, those of val a little brighter, and one wrong label."""
    labels, split = np.arange(180) % 2, np.arange(180) // 2 % 3
    features = np.random.default_rng(0).normal(size=(180, 6)) + 9 * labels[:, None] * np.eye(6)[0]
    features[split == 1, 1] += 3
    rows = [catalog_row(f"{i}.png", label="ab"[labels[i]], split=SPLITS[split[i]], row=i) for i in range(180)]
    rows[7] = rows[7]._replace(label="a")
    write_catalog(rows, tmp_path / "target.csv")
    write_stamp(tmp_path)
    np.save(tmp_path / "target.npy", features.astype(np.float32))
    write_record(unknown_shift(), tmp_path / "shift.json")
    files = {"params": ROOT / "params.yaml", "shift": tmp_path / "shift.json", "record": tmp_path / "strategy.json"}
    write_record(catalog_record("folders"), tmp_path / "catalog.json")
    files |= {"catalog": tmp_path / "catalog.json"}
    files |= {"checks": tmp_path / "checks.json"}
    files |= {
        "stamp": tmp_path / "validated.json",
        "target-catalog": tmp_path / "target.csv",
        "target-features": tmp_path / "target.npy",
    }
    return [part for name, path in files.items() for part in (f"--{name}", str(path))]


def test_the_choice_and_the_checks_are_two_records(options: list[str], tmp_path: Path) -> None:
    _stage().main(options)
    record = read_record(StrategyRecord, tmp_path / "strategy.json")
    assert record.n_train == 60
    checks = read_record(ChecksRecord, tmp_path / "checks.json")
    assert [each.path for each in checks.labels.suspects] == ["7.png"]
    assert [(each.other, each.warns) for each in checks.splits] == [("val", True), ("test", False)]


def test_labels_are_checked_by_the_probe_that_was_chosen(options: list[str], tmp_path: Path) -> None:
    _stage().main(options)
    c = read_record(StrategyRecord, tmp_path / "strategy.json").probe_c
    assert c is not None
    target = Target(np.load(tmp_path / "target.npy"), read_catalog(tmp_path / "target.csv"))
    params = read_params(ROOT / "params.yaml")
    (suspect,) = read_record(ChecksRecord, tmp_path / "checks.json").labels.suspects
    (expected,) = check_labels(target, c, params.select_strategy.folds, params.seed).suspects
    (other,) = check_labels(target, 100 * c, params.select_strategy.folds, params.seed).suspects
    assert suspect.of_label == pytest.approx(expected.of_label, rel=1e-5, abs=0)
    assert suspect.of_label != pytest.approx(other.of_label, rel=1e-5, abs=0)


def test_the_same_inputs_give_the_same_bytes(options: list[str], tmp_path: Path) -> None:
    _stage().main(options)
    first = [(tmp_path / name).read_bytes() for name in ("strategy.json", "checks.json")]
    _stage().main(options)
    assert [(tmp_path / name).read_bytes() for name in ("strategy.json", "checks.json")] == first
