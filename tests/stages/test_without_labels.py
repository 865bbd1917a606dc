"""All stages where the target has no labels to train on: with a labelled test split there is a verdict, else none."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
from tests.stages.without_labels import CLASSES, N_SOURCE, N_TEST, run_stages, write_images, write_params

from graft.files import read_record
from graft.records.cards import ModelCard
from graft.records.catalog import CatalogRecord
from graft.records.checks import ChecksRecord
from graft.records.gain import GainRecord
from graft.records.looks import LooksRecord
from graft.records.release import ExportRecord, GateRecord, ReleaseRecord
from graft.records.shift import ShiftRecord
from graft.records.strategy import StrategyRecord
from graft.records.training import TrainingRecord
from graft.records.variants import VariantsRecord
from graft.records.verdict import NoVerdictRecord, VerdictRecord, read_verdict
from graft.store.catalogue import read_catalog

ALONE = "trained on the source's labels alone"
RECORDS = Path("models/records")


def _ran(folder: Path, *, with_test: bool) -> Path:
    write_images(folder, with_test)
    write_params(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAFT_PROCESSES", "1")
        run_stages(folder)
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No image of the target has a label."""
    return _ran(tmp_path_factory.mktemp("bare"), with_test=False)


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Test images of the target have labels, and no others."""
    return _ran(tmp_path_factory.mktemp("tested"), with_test=True)


@pytest.fixture(scope="module", params=["bare", "tested"])
def either(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.getfixturevalue(request.param)
    return folder


def test_labels_and_classes_are_those_of_the_source(either: Path) -> None:
    record = read_record(CatalogRecord, either / "data/records/catalog.json")
    assert (record.labels_from, record.classes) == ("source", CLASSES)


def test_the_shift_is_measured_on_the_unlabelled_images(either: Path) -> None:
    shift = read_record(ShiftRecord, either / "data/records/shift.json")
    n_unlabelled = read_record(CatalogRecord, either / "data/records/catalog.json").unlabeled.n_images
    assert shift.n_target == n_unlabelled > 0
    assert shift.test is not None


def test_the_choice_rests_on_no_label_of_the_target(either: Path) -> None:
    record = read_record(StrategyRecord, either / RECORDS / "strategy.json")
    assert (record.choice, record.probe, record.probe_c, record.knn) == ("full", None, None, None)
    assert "no labelled image to train on" in record.reasons[0]
    checks = read_record(ChecksRecord, either / RECORDS / "checks.json")
    assert (checks.labels.n_images, checks.labels.accuracy) == (0, None)
    assert not any(each.warns for each in checks.splits)


def test_both_arms_see_the_labelled_source_images_and_transfer_adapts(either: Path) -> None:
    transfer, scratch = (
        read_record(TrainingRecord, either / RECORDS / f"{name}.json") for name in ("training", "scratch")
    )
    counts = read_record(CatalogRecord, either / "data/records/catalog.json").source.counts
    rows = read_catalog(either / "data/companions/labelled.csv")
    assert len(rows) == sum(sum(counts[split].values()) for split in ("train", "val"))
    assert transfer.techniques == ("coral",)
    assert scratch.techniques == ()
    n_seen = {run.n_images_seen // (2 * 2) for run in scratch.runs}
    assert n_seen <= {round(0.9 * sum(counts["train"].values())) + extra for extra in (-2, -1, 0, 1, 2)}


def test_transfer_is_chosen_by_unlabelled_images_and_the_control_by_validation(either: Path) -> None:
    transfer, scratch = (
        read_record(TrainingRecord, either / RECORDS / f"{name}.json") for name in ("training", "scratch")
    )
    assert transfer.choose_by == "information_maximisation"
    assert all(run.unlabelled_score is not None for run in transfer.runs)
    assert all(run.unlabelled_score is None for run in scratch.runs)
    for run in transfer.runs:
        scores = [each.unlabelled_score for each in transfer.trials if each.seed == run.seed]
        assert run.unlabelled_score == max(scores)  # type: ignore[type-var]


def test_nothing_is_trained_beside_the_arms(either: Path) -> None:
    record = read_record(VariantsRecord, either / RECORDS / "variants.json")
    assert record.variants == ()
    assert "labels to train on" in record.left_out[0]


def test_without_a_labelled_test_image_there_is_no_verdict_and_no_look(bare: Path) -> None:
    verdict = read_verdict(bare / RECORDS / "verdict.json")
    assert isinstance(verdict, NoVerdictRecord)
    assert verdict.headline == "No verdict: no labelled test images"
    assert ALONE in verdict.sentence
    assert read_record(LooksRecord, bare / RECORDS / "looks.json").looks == ()


def test_a_labelled_test_split_gives_the_usual_verdict_which_says_what_was_compared(tested: Path) -> None:
    verdict = read_verdict(tested / RECORDS / "verdict.json")
    assert isinstance(verdict, VerdictRecord)
    assert (verdict.n_images, verdict.labels_from) == (len(CLASSES) * N_TEST, "source")
    assert ALONE in verdict.sentence
    assert "CORAL and the choice of its epochs and rates" in verdict.sentence
    assert len(read_record(LooksRecord, tested / RECORDS / "looks.json").looks) == 1


def test_the_gain_is_said_as_far_as_labels_tell_it(bare: Path, tested: Path) -> None:
    none, some = (read_record(GainRecord, each / RECORDS / "gain.json") for each in (bare, tested))
    assert (none.metric, none.majority, none.classes.scores, none.labels.points) == (None, None, (), ())
    assert len(some.classes.scores) == len(CLASSES)
    for each in (none, some):
        assert each.speed.target is None
        assert each.forgetting.state in ("measured", "frozen")


def test_what_ships_says_in_its_card_what_is_known_of_it(bare: Path, tested: Path) -> None:
    none, some = (read_record(ModelCard, each / "models/final/card.json") for each in (bare, tested))
    assert {none.labels, some.labels} == {CLASSES}
    assert {none.labels_from, some.labels_from} == {"source"}
    assert (none.verdict, none.test_score, none.metric, none.n_test_images) == ("NONE", None, None, 0)
    assert (some.n_test_images, some.metric) == (len(CLASSES) * N_TEST, "accuracy")
    assert some.test_score is not None


def test_the_export_is_compared_on_unlabelled_images(bare: Path) -> None:
    record = read_record(ExportRecord, bare / RECORDS / "export.json")
    assert record.n_images == read_record(CatalogRecord, bare / "data/records/catalog.json").unlabeled.n_images


def test_the_gate_warns_that_nothing_was_verified(bare: Path) -> None:
    release = read_record(ReleaseRecord, bare / RECORDS / "release.json")
    reason = next(each for each in release.reasons if each.check == "verdict")
    assert reason.level == "warn"
    assert "check_transfer.on_inconclusive says warn" in reason.sentence
    assert "data/raw/target/test/<class>/" in release.next_steps[0]
    assert read_record(GateRecord, bare / RECORDS / "gate.json").passed


def test_report_and_numbers_say_that_there_is_no_verdict(bare: Path) -> None:
    page, text = ((bare / "reports" / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html", "md"))
    assert text.startswith("# No verdict: no labelled test images\n")
    assert "<h1>No verdict: no labelled test images</h1>" in page
    assert "## The model may be released, though nothing verified it\n" in text
    numbers = json.loads((bare / "reports/metrics.json").read_text())
    assert (numbers["n_test_images"], numbers["transfer_accuracy"], numbers["difference"]) == (0, None, None)


def test_the_report_of_a_verdict_says_what_was_compared(tested: Path) -> None:
    page, text = ((tested / "reports" / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html", "md"))
    assert ALONE in text
    assert "trained on the source&#39;s labels alone" in page
    assert json.loads((tested / "reports/metrics.json").read_text())["n_test_images"] == len(CLASSES) * N_TEST


def test_the_summary_says_it_too(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from graft.commands.summary import summary

    monkeypatch.chdir(bare)
    told = summary()
    assert "verdict   NONE: No verdict: no labelled test images." in told
    assert "\ntransfer " not in told


def test_the_features_of_unlabelled_images_are_written(either: Path) -> None:
    n = read_record(CatalogRecord, either / "data/records/catalog.json").unlabeled.n_images
    assert len(np.load(either / "data/features/unlabeled.npy")) == n
    assert n > N_SOURCE


def test_a_plan_needs_labelled_test_images_and_no_others(
    bare: Path, tested: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from graft.commands import plan

    monkeypatch.chdir(bare)
    with pytest.raises(ValueError, match="want a labelled test split"):
        plan.run(argparse.Namespace(gain=None))
    monkeypatch.chdir(tested)
    plan.run(argparse.Namespace(gain=None))
    assert f"{len(CLASSES) * N_TEST} images in {len(CLASSES)} classes" in capsys.readouterr().out
