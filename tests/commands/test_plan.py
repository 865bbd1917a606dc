"""`graft plan`, from the records and folders that are there to its last line."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.examples import catalog_record, catalog_row, verdict_record
from tests.house import ROOT
from tests.start.folders import classes, picture

from graft import cli
from graft.decisions.verdict.looks import Trained, look_at
from graft.decisions.verdict.splits import splits_of
from graft.files import file_sha256, read_record, write_record
from graft.params.pipeline import Params, read_params
from graft.records.catalog import CatalogRecord
from graft.records.looks import LooksRecord
from graft.start import timing
from graft.start.timing import Costs
from graft.store.catalogue import read_catalog, write_catalog
from graft.yaml_files import with_values

# a minute for each pass through the network
COSTS = Costs(start=0, read=0, forward=0, top=0.01, full=0.01, head=0, n_blocks=3, n_processes=1)


def _costs(params: Params, n_classes: int, pictures: Sequence[Path]) -> Costs:
    assert all(each.is_file() for each in pictures)
    return COSTS


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with params.yaml alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(timing, "costs_here", _costs)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    _set(check_transfer__margin=0)
    return tmp_path


def _set(**values: Any) -> None:
    path = Path("params.yaml")
    path.write_text(with_values(path, {tuple(key.split("__")): value for key, value in values.items()}))


def _own_images(n: int = 200) -> Path:
    """So many images of each of two classes in data/raw/target."""
    _set(prepare_data__dataset="folders")
    return classes(Path("data/raw/target"), n)


def _plan(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    capsys.readouterr()
    cli.main(["plan", *options])
    return capsys.readouterr().out


def _refused(*options: str) -> str:
    with pytest.raises(SystemExit) as caught:
        cli.main(["plan", *options])
    assert caught.value.code not in (0, None)
    return str(caught.value)


def _catalogue(groups: Sequence[str] | None = None, n: int = 120, n_test: int = 60) -> None:
    """A catalogue of images that are elsewhere, of two classes, half of them test images."""
    _set(prepare_data__dataset="folders")
    names = [str(each) for each in range(n)] if groups is None else groups
    rows = [
        catalog_row(
            f"{each}.png", label="ab"[each % 2], row=each, group=names[each], split="test" if each < n_test else "train"
        )
        for each in range(n)
    ]
    write_catalog(rows, Path("data/catalogs/target.csv"))
    write_record(catalog_record("folders"), Path("data/records/catalog.json"))


def _features(n: int) -> None:
    Path("data/features").mkdir(parents=True)
    features = np.random.default_rng(0).normal(0, 1, (n, 4)) + 4 * (np.arange(n) % 2)[:, None]
    np.save("data/features/target.npy", features.astype(np.float32))


def test_from_folders_to_the_last_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _own_images()
    said = _plan(capsys)
    assert "60 images in 2 classes of 30 to 30, by the names in data/raw/target" in said
    assert "pilot     an assumption: the arms disagree on 25% of the test images" in said
    assert said.splitlines()[-1].startswith("plan      With 5 seeds and 60 test images this run can prove a gain of ")


def test_the_example_needs_its_record_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("data/records").mkdir(parents=True)
    shutil.copy(ROOT / "data/records/catalog.json", "data/records")
    assert "images in 10 classes" in _plan(capsys)


def test_more_seeds_take_more_minutes_and_thorough_trains_more_beside_them(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _own_images()
    rows = [line.split() for line in _plan(capsys).splitlines()]
    minutes = {int(row[0]): float(row[5]) for row in rows if row[0].isdigit()}
    thorough = minutes.pop(8)
    assert list(minutes.values()) == sorted(set(minutes.values()))
    assert thorough > minutes[12]


def test_a_named_gain_is_reckoned(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _own_images()
    assert "gain      2 points: no number of seeds shows it on 60 test images" in _plan(capsys, "--gain", "0.02")


@pytest.mark.parametrize("gain", ["2", "0", "-0.1", "nan"])
def test_a_gain_is_a_share(here: Path, gain: str) -> None:
    assert "graft plan, --gain: want a share above 0 and below 1" in _refused(f"--gain={gain}")


def test_a_margin_that_cannot_be_resolved_is_refused_after_the_table(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _own_images()
    _set(check_transfer__margin=0.01)
    said = _refused()
    assert said.startswith("params.yaml, check_transfer.margin: want 0.")
    assert "0 switches EQUIVALENT off" in said
    assert "this run can prove a gain of" in capsys.readouterr().out


def test_features_are_the_pilot_where_there_are_some(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _catalogue()
    _features(120)
    assert "pilot     the errors of a probe on the backbone's features" in _plan(capsys)


def test_features_of_other_images_are_not_the_pilot(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _catalogue()
    _features(119)
    assert "pilot     an assumption" in _plan(capsys)


def test_a_run_on_this_catalogue_is_the_pilot(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _catalogue()
    _features(120)
    made_from = {"catalog": file_sha256(Path("data/records/catalog.json"))}
    verdict = verdict_record("POSITIVE").model_copy(update={"made_from": made_from})
    write_record(verdict, Path("models/records/verdict.json"))
    assert f"the spread of the run of {verdict.n_seeds} seeds in models/records/verdict.json" in _plan(capsys)


def test_a_run_on_other_images_is_not(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _catalogue()
    write_record(verdict_record("POSITIVE"), Path("models/records/verdict.json"))
    assert "pilot     an assumption" in _plan(capsys)


def test_a_record_that_cannot_be_read_is_not_either(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _catalogue()
    Path("models/records").mkdir(parents=True)
    Path("models/records/verdict.json").write_text('{"schema_version": 1}')
    assert "pilot     an assumption" in _plan(capsys)


def test_a_large_group_is_said_beforehand(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _catalogue(["large"] * 20 + [str(each) for each in range(100)])
    said = _plan(capsys)
    assert "limit     One group makes up 33% of the test images" in said
    assert "this run can only end INCONCLUSIVE: one group" in said.splitlines()[-1]


def test_an_absent_class_is_said_beforehand(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _catalogue()
    rows = [
        catalog_row(f"{each}.png", label="c" if each else "a", split="train" if each else "test") for each in (0, 1)
    ]
    write_catalog(rows, Path("data/catalogs/target.csv"))
    assert "limit     Class c has no image in the test split" in _plan(capsys)


def test_an_unplanned_look_is_said_beforehand(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _catalogue()
    assert "can prove a gain" in _plan(capsys)
    splits = splits_of(read_catalog(Path("data/catalogs/target.csv")), ("a", "b"))
    source = read_record(CatalogRecord, Path("data/records/catalog.json")).source.sha256
    look = look_at(splits, read_params(Path("params.yaml")), Trained("norms", 5, source))
    assert look is not None
    earlier = look.model_copy(update={"verdict": "INCONCLUSIVE"})
    write_record(LooksRecord(looks=(earlier,)), Path("models/records/looks.json"))
    assert "this run can only end INCONCLUSIVE: these test images were looked at before" in _plan(capsys)


def test_three_test_images_prove_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _set(training__budget="standard", check_transfer__metric="accuracy")
    _catalogue(n_test=3)
    assert "can prove no gain up to 50 points" in _plan(capsys).splitlines()[-1]


def test_without_a_test_split_there_is_no_verdict(here: Path) -> None:
    _catalogue(n_test=0)
    assert "want a labelled test split, got no image in it" in _refused()


def test_a_smoke_run_is_told_what_it_is(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _own_images()
    _set(training__budget="smoke", check_transfer__margin=0.01)
    assert "With 2 seeds this run can only end INCONCLUSIVE" in _plan(capsys).splitlines()[-1]


def test_without_params_the_way_is_shown(here: Path) -> None:
    Path("params.yaml").unlink()
    assert _refused() == "params.yaml: want a file, got none. Run from the top of the repository."


def test_without_images_the_way_is_shown(here: Path) -> None:
    _set(prepare_data__dataset="folders")
    assert "data/raw/target: want a folder of images for each class" in _refused()


def test_the_example_that_was_never_prepared_is_to_be_validated(here: Path) -> None:
    assert "Run `dvc repro validate_data`" in _refused()


def test_the_same_plan_twice_is_the_same(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(_own_images() / "cat" / "more.png")
    assert _plan(capsys) == _plan(capsys)


def test_the_command_costs_nothing_until_it_runs() -> None:
    code = "import sys, graft.commands.plan; print(sorted(set(sys.modules) & {'numpy', 'torch', 'pydantic', 'PIL'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
