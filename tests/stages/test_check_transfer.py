"""The stage: it opens the test split once, and every later stage reads what it wrote."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.examples import catalog_record, training_record, write_stamp
from tests.house import ROOT
from tests.transfer.conftest import tiny_catalog, tiny_images

from graft.files import file_sha256, read_record, write_arrays, write_record
from graft.networks.networks import build_network
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.saving import load_network, save_network
from graft.records.looks import LooksRecord
from graft.records.training import TrainingRecord
from graft.records.variants import VariantRun, VariantsRecord
from graft.records.verdict import VerdictRecord
from graft.store.catalogue import write_catalog
from graft.store.predictions import read_logits, read_predictions

MAIN = runpy.run_path(str(ROOT / "stages" / "check_transfer.py"))["main"]
FILES = {
    "stamp": "validated.json",
    "catalog": "catalog.json",
    "training": "training.json",
    "scratch": "scratch.json",
    "transfer-weights": "finetuned",
    "scratch-weights": "scratch",
    "labelled-catalog": "labelled.csv",
    "target-catalog": "target.csv",
    "target-images": "target.npy",
    "target-features": "features.npy",
    "variants": "variants.json",
    "variant-weights": "variants",
    "looks": "looks.json",
    "logits": "predictions/logits.npz",
    "predictions": "predictions.csv",
    "record": "verdict.json",
}
VARIANT = {
    "share": 0.1,
    "n_labels": 2,
    "seed": 0,
    "network": "small_cnn",
    "block": None,
    "rate": 0.1,
    "best_epoch": 1,
    "val_accuracy": 0.5,
    "val_loss": 1.0,
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of each arm, judged on eight test images of two classes."""
    folder = tmp_path_factory.mktemp("check")
    write_catalog(tiny_catalog(), folder / "target.csv")
    write_catalog((), folder / "labelled.csv")
    np.save(folder / "target.npy", tiny_images())
    write_stamp(folder)
    write_record(catalog_record("folders").model_copy(update={"preprocessing": SMALL_CNN}), folder / "catalog.json")
    run = training_record().runs[0]
    for arm, record, weights in (("transfer", "training", "finetuned"), ("scratch", "scratch", "scratch")):
        runs = tuple(run.model_copy(update={"seed": seed}) for seed in (0, 1))
        made_from = {"target-catalog": file_sha256(folder / "target.csv")}
        changes = {"arm": arm, "runs": runs, "made_from": made_from}
        write_record(training_record().model_copy(update=changes), folder / f"{record}.json")
        for seed in (0, 1):
            torch.manual_seed(seed + 2 * (arm == "scratch"))
            save_network(
                build_network("small_cnn", 2, SMALL_CNN), "small_cnn", folder / weights / f"seed_{seed}.safetensors"
            )
    beside(folder)
    MAIN(arguments(folder))
    return folder


def beside(folder: Path) -> None:
    """A network and a head that were trained beside the arms, and the features that the head reads."""
    names = {"scratch10_0": "scratch", "head100_0": "head"}
    runs = tuple(VariantRun.model_validate(VARIANT | {"name": name, "kind": kind}) for name, kind in names.items())
    write_record(VariantsRecord(variants=runs, left_out=()), folder / "variants.json")
    torch.manual_seed(9)
    save_network(build_network("small_cnn", 2, SMALL_CNN), "small_cnn", folder / "variants/scratch10_0.safetensors")
    write_arrays({"head100_0": np.array([[1.0, 0.0], [0.0, 5.0]], dtype=np.float32)}, folder / "variants/heads.npz")
    np.save(folder / "features.npy", np.arange(40, dtype=np.float32)[:, None])


def arguments(folder: Path) -> list[str]:
    options = [part for name, file in FILES.items() for part in (f"--{name}", str(folder / file))]
    return [*options, "--params", str(ROOT / "params.yaml")]


def test_the_logits_are_those_of_every_run_on_the_test_split(done: Path) -> None:
    logits = read_logits(done / "predictions/logits.npz")
    arms = ["transfer_0", "transfer_1", "scratch_0", "scratch_1"]
    assert [*logits.by_run] == [*arms, "scratch10_0", "head100_0"]
    assert logits.sha256.tolist() == [row.sha256 for row in tiny_catalog() if row.split == "test"]
    network = load_network(done / "scratch/seed_1.safetensors")
    expected = outputs_of(network, tiny_images()[-8:]).logits
    np.testing.assert_allclose(logits.by_run["scratch_1"], expected, atol=1e-6)


def test_a_head_is_given_the_cached_features_of_the_test_images(done: Path) -> None:
    logits = read_logits(done / "predictions/logits.npz").by_run["head100_0"]
    # weight 1 and bias 0, weight 0 and bias 5, on the features 32 to 39
    assert logits.tolist() == [[float(place), 5.0] for place in range(32, 40)]


def test_the_table_of_predictions_holds_the_arms_alone(done: Path) -> None:
    header = (done / "predictions.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "image,label,transfer_0,transfer_1,scratch_0,scratch_1"


def test_the_predicted_classes_are_those_of_the_logits(done: Path) -> None:
    logits = read_logits(done / "predictions/logits.npz")
    arms = [each for name, each in logits.by_run.items() if name.startswith(("transfer_", "scratch_"))]
    classes = (logits.labels, *(each.argmax(axis=1) for each in arms))
    predictions = read_predictions(done / "predictions.csv", 2)
    columns = (predictions.labels, *predictions.by_arm["transfer"], *predictions.by_arm["scratch"])
    # the images of this test share their first digits, so that the table is sorted by what follows them
    assert list(zip(*columns, strict=True)) == sorted(zip(*classes, strict=True))


def test_the_verdict_is_on_these_predictions(done: Path) -> None:
    predictions = read_predictions(done / "predictions.csv", 2)
    verdict = read_record(VerdictRecord, done / "verdict.json")
    right = {arm: float((runs == predictions.labels).mean()) for arm, runs in predictions.by_arm.items()}
    assert (verdict.n_seeds, verdict.n_images) == (2, 8)
    assert verdict.difference.estimate == pytest.approx(right["transfer"] - right["scratch"])


def test_a_test_split_that_was_not_judged_is_not_opened(done: Path, tmp_path: Path) -> None:
    write_catalog(tiny_catalog()[1:], tmp_path / "target.csv")
    files = [*arguments(done), "--target-catalog", str(tmp_path / "target.csv")]
    with pytest.raises(
        RuntimeError, match=r"validated\.json: want the judgement of \S+target\.csv, got that of another"
    ):
        MAIN(files)


def test_the_look_is_in_the_ledger_with_its_verdict(done: Path) -> None:
    (look,) = read_record(LooksRecord, done / "looks.json").looks
    assert (look.n_seeds, look.verdict) == (2, "INCONCLUSIVE")


def test_a_run_that_breaks_off_leaves_its_look_and_can_be_taken_again(done: Path, tmp_path: Path) -> None:
    looks = tmp_path / "looks.json"
    with pytest.raises(FileNotFoundError):
        MAIN([*arguments(done), "--looks", str(looks), "--scratch-weights", str(tmp_path)])
    (broken,) = read_record(LooksRecord, looks).looks
    assert broken.verdict is None
    outs = ("logits", "predictions", "record")
    MAIN(
        [
            *arguments(done),
            "--looks",
            str(looks),
            *(part for each in outs for part in (f"--{each}", str(tmp_path / each))),
        ]
    )
    assert read_record(LooksRecord, looks) == read_record(LooksRecord, done / "looks.json")


def test_a_damaged_ledger_stops_the_stage_before_the_test_split_is_opened(done: Path, tmp_path: Path) -> None:
    (tmp_path / "looks.json").write_text("{")
    with pytest.raises(ValueError, match=r"looks\.json: .*restore it"):
        MAIN([*arguments(done), "--looks", str(tmp_path / "looks.json"), "--target-images", str(tmp_path / "none.npy")])


def test_arms_of_different_test_splits_are_refused_without_a_look(done: Path, tmp_path: Path) -> None:
    scratch = read_record(TrainingRecord, done / "scratch.json").model_copy(
        update={"made_from": {"target-catalog": "d"}}
    )
    write_record(scratch, tmp_path / "scratch.json")
    looks = tmp_path / "looks.json"
    with pytest.raises(ValueError, match=r"check_transfer, scratch: .*another test split"):
        MAIN([*arguments(done), "--scratch", str(tmp_path / "scratch.json"), "--looks", str(looks)])
    assert not looks.exists()


def test_a_missing_arm_is_one_clear_error(done: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"scratch\.json: want a TrainingRecord, got no file"):
        MAIN([*arguments(done), "--scratch", str(tmp_path / "scratch.json")])
