"""Unlabelled images that are also labelled ones: found in real files, by bytes and as near duplicates."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.validation.planting import faults, picture, run, save, without_split_folders

pytestmark = pytest.mark.usefixtures("by_limits")

EQUAL = "test images of the target among unlabelled images"
NEAR = "near duplicates of test images of the target among unlabelled images"
TRAIN = "train or val images of the target among unlabelled images"


@pytest.fixture
def unlabelled(raw: Path) -> Path:
    """Folder of sound unlabelled images beside a sound source and target."""
    for number in range(6):
        save(raw / f"target_unlabeled/day{number % 2}/{number}.png", picture(5_000 + number))
    return raw / "target_unlabeled"


def test_sound_unlabelled_images_break_no_rule(raw: Path, unlabelled: Path) -> None:
    assert faults(run(raw)) == {}


def test_a_copied_test_image_is_critical_and_both_files_are_named(raw: Path, unlabelled: Path) -> None:
    shutil.copy(raw / "target/test/dog/1.png", unlabelled / "day1/copy of 1.PNG")
    found = faults(run(raw))
    assert set(found) == {EQUAL}
    assert found[EQUAL].severity == "critical"
    assert found[EQUAL].examples == ("target/test/dog/1.png = unlabeled/day1/copy of 1.PNG",)


def test_a_test_image_that_was_saved_again_and_resized_is_found(raw: Path, unlabelled: Path) -> None:
    again = Image.open(raw / "target/test/cat/2.png").resize((40, 40), Image.Resampling.BICUBIC)
    save(unlabelled / "again.jpg", np.asarray(again), quality=85)
    found = faults(run(raw))
    assert set(found) == {NEAR}
    assert found[NEAR].severity == "critical"
    assert found[NEAR].examples == ("unlabeled/again.jpg ~ target/test/cat/2.png",)


def test_all_test_images_saved_again_are_no_chain_that_hides_them(raw: Path, unlabelled: Path) -> None:
    tested = sorted((raw / "target/test").rglob("*.png"))
    for number, path in enumerate(tested):
        save(unlabelled / f"again/{number}.jpg", np.asarray(Image.open(path)), quality=85)
    record = run(raw)
    (found,) = (each for each in record.findings if each.name == NEAR)
    assert (found.n_unexpected, record.ok) == (len(tested), False)


def test_overlap_with_train_is_said_and_stops_nothing(raw: Path, unlabelled: Path) -> None:
    shutil.copy(raw / "target/train/dog/1.png", unlabelled / "1.png")
    record = run(raw)
    assert record.ok
    assert faults(record)[TRAIN].examples == ("target/train/dog/1.png = unlabeled/1.png",)


def test_overlap_with_a_test_split_that_graft_cut_is_found_too(raw: Path, unlabelled: Path) -> None:
    without_split_folders(raw)
    for path in sorted((raw / "target").rglob("*.png")):
        shutil.copy(path, unlabelled / f"{path.parent.name} {path.name}")
    found = {each.name: each.n_unexpected for each in run(raw).findings if not each.ok}
    # both files of each pair: 2 test images a class
    assert found[EQUAL] == 8


def test_a_target_with_test_alone_is_checked_against_them_too(raw: Path, unlabelled: Path) -> None:
    for split in ("train", "val"):
        shutil.rmtree(raw / "target" / split)
    assert faults(run(raw)) == {}


def test_a_target_with_test_alone_overlaps_likewise(raw: Path, unlabelled: Path) -> None:
    for split in ("train", "val"):
        shutil.rmtree(raw / "target" / split)
    shutil.copy(raw / "target/test/dog/1.png", unlabelled / "1.png")
    assert set(faults(run(raw))) == {EQUAL}


def test_without_a_target_source_and_unlabelled_images_are_judged(raw: Path, unlabelled: Path) -> None:
    shutil.rmtree(raw / "target")
    (unlabelled / "day0/broken.png").write_bytes(b"no image")
    found = faults(run(raw))
    assert set(found) == {"unreadable images"}
    assert found["unreadable images"].examples[0].startswith("unlabeled/day0/broken.png (want ")
