"""The DVC pipeline, run in a copy of the repository on the built-in example with very short training."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from graft.store.catalogue import CatalogRow, read_catalog
from tests.clone import RECORDS, STAGES, changed, copied, dvc, environment, rerun
from tests.house import ROOT

pytestmark = pytest.mark.pipeline


@pytest.fixture
def copy(short_run: Path) -> Path:
    return short_run


def test_a_failing_stage_leaves_every_file_that_git_holds_as_it_was(tmp_path: Path) -> None:
    copied(tmp_path, without=set())
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("seed:", "sead:", 1))  # no stage that reads params gets far
    before = {each: each.read_bytes() for each in tmp_path.rglob("*") if _is_result(each.relative_to(tmp_path))}
    stages = [each.stem for each in (ROOT / "stages").glob("*.py")]
    done = dvc(tmp_path, "repro", "--single-item", "--keep-going", *stages)
    assert "failed to reproduce stages: " in done.stderr
    assert {each for each in before if not each.exists() or each.read_bytes() != before[each]} == set()


def _is_result(path: Path) -> bool:
    return path.parts[0] in ("data", "models", "reports") and path.suffix in (".json", ".csv", ".md")


def _rows(copy: Path, split: str) -> list[CatalogRow]:
    return [row for row in read_catalog(copy / "data/catalogs/target.csv") if row.split == split]


def test_the_verdict_is_on_the_test_split_and_nothing_else(copy: Path) -> None:
    images = [line.split(",")[0] for line in (copy / "models/records/predictions.csv").read_text().splitlines()[1:]]
    assert images == sorted(row.sha256[:12] for row in _rows(copy, "test"))


def test_shift_and_strategy_look_at_the_train_split(copy: Path) -> None:
    n_train = len(_rows(copy, "train"))
    assert n_train not in (len(_rows(copy, "val")), len(_rows(copy, "test")))
    assert json.loads((copy / "models/records/strategy.json").read_text())["n_train"] == n_train
    assert json.loads((copy / "data/records/shift.json").read_text())["n_target"] == n_train


def test_the_export_is_checked_on_the_validation_split(copy: Path) -> None:
    n_images = json.loads((copy / "models/records/export.json").read_text())["n_images"]
    assert n_images == len(_rows(copy, "val")) < 256 < len(_rows(copy, "test"))


def test_every_record_lies_in_its_place(copy: Path) -> None:
    for name in RECORDS:
        assert (copy / name).stat().st_size > 0, name
    assert (copy / "reports" / "report.html").is_file()
    assert json.loads((copy / "models/records/verdict.json").read_text())["verdict"] in (
        "POSITIVE",
        "NEGATIVE",
        "EQUIVALENT",
        "INCONCLUSIVE",
    )


def test_every_record_names_what_it_was_made_from_and_all_are_of_one_run(copy: Path) -> None:
    records = [copy / name for name in RECORDS if name.endswith(".json") and "records/" in name]
    named = {each.stem: set(json.loads(each.read_text()).get("made_from", ())) for each in records}
    assert named == {
        "catalog": set(),
        "preprocessing": set(),
        "validation": {"catalog"},
        "shift": {"source-catalog", "target-catalog"},
        "validated": set(),
        "validated_target": set(),
        "strategy": {"target-catalog"},
        "checks": {"target-catalog"},
        "training": {"strategy", "target-catalog"},
        "scratch": {"preprocessing", "target-catalog"},
        "looks": set(),
        "variants": {"strategy", "target-catalog", "training", "scratch"},
        "verdict": {"catalog", "training", "scratch"},
        "gain": {"training", "scratch", "variants", "verdict"},
        "export": {"verdict"},
        "release": {
            *("catalog", "validation", "shift", "strategy", "checks"),
            *("training", "scratch", "verdict", "gain", "export"),
        },
        "gate": {"release", "card"},
    }
    command = [sys.executable, "-m", "graft.cli", "summary"]
    told = subprocess.run(
        command, cwd=copy, env={**environment(), "PYTHONPATH": "src"}, capture_output=True, text=True, check=True
    ).stdout
    assert told.startswith("\nverdict ")


def test_no_file_under_reports_loads_anything_from_elsewhere(copy: Path) -> None:
    loads = re.compile(
        r"""(?:src|srcset|data|poster)=["']?(?!data:)[^\s"'>]|<link\b|@import|url\(|https?://""", re.IGNORECASE
    )
    pages = [each for each in (copy / "reports").rglob("*") if each.suffix in (".html", ".css", ".js", ".svg")]
    assert len(pages) > 5
    found = {str(page): loads.findall(page.read_text(encoding="utf-8")) for page in pages}
    assert {name: texts for name, texts in found.items() if texts} == {}


def test_a_second_run_recomputes_nothing(copy: Path) -> None:
    assert rerun(dvc(copy, "repro")) == []


@pytest.mark.parametrize("stage", ["measure_shift", "gate_release", "extract_features"])
def test_a_comment_in_a_stage_script_runs_that_stage_alone(copy: Path, stage: str) -> None:
    with (copy / "stages" / f"{stage}.py").open("a") as script:
        script.write("# a comment\n")
    assert rerun(dvc(copy, "repro")) == [stage]


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("training/augmentation/colour.py", {"pretrain_source", "finetune_target", "train_scratch", "train_variants"}),
        ("transfer/variants/altered.py", {"train_variants"}),
        ("statistics/comparison/compare.py", {"check_transfer"}),
        ("decisions/gain/label_curve.py", {"measure_gain"}),
        ("reporting/figures/forest.py", {"write_report"}),
        ("shift/measurement.py", {"measure_shift"}),
        ("decisions/selection/tables.py", {"select_strategy"}),
        ("validation/expectations.py", {"validate_data"}),
        ("preparation/splits.py", {"prepare_data"}),
    ],
)
def test_an_edit_asks_for_the_stages_that_reach_the_file_and_no_other(copy: Path, file: str, stages: set[str]) -> None:
    module = copy / "src" / "graft" / file
    content = module.read_bytes()
    try:
        module.write_bytes(content + b"# a comment\n")
        assert changed(copy) == stages
    finally:
        module.write_bytes(content)


def test_a_stage_whose_outputs_stay_as_they_were_runs_alone(copy: Path) -> None:
    with (copy / "src/graft/decisions/selection/tables.py").open("a") as module:
        module.write("# a comment\n")
    assert rerun(dvc(copy, "repro")) == ["select_strategy"]


def test_two_forced_runs_give_the_same_records_to_the_last_byte(copy: Path) -> None:
    before = {name: (copy / name).read_bytes() for name in RECORDS}
    assert sorted(rerun(dvc(copy, "repro", "--force"))) == sorted(STAGES)
    assert [name for name in RECORDS if (copy / name).read_bytes() != before[name]] == []


def test_predictions_stay_small(copy: Path) -> None:
    content = (copy / "models/records/predictions.csv").read_bytes()
    n_images = content.count(b"\n") - 1
    assert len(content) / n_images * 10_000 < 2**20


def test_a_wrong_param_stops_the_run_in_one_sentence(copy: Path) -> None:
    path = copy / "params.yaml"
    text = path.read_text()
    try:
        path.write_text(text.replace("n_permutations: 99", "n_permutations: 5"))
        done = dvc(copy, "repro", "measure_shift")
    finally:
        path.write_text(text)
    assert done.returncode != 0
    assert "params.yaml, measure_shift.n_permutations: want greater than or equal to 99, got 5." in done.stderr
    assert "Traceback" not in done.stderr
