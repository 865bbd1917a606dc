"""Run the stages prepare_data and validate_data as DVC does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from graft.files import file_sha256, read_record
from graft.records.catalog import CatalogRecord
from graft.records.validation import Stamp, ValidationRecord
from graft.store.catalogue import check_judged, open_images, read_catalog

ROOT = Path(__file__).parents[2]
NAMES = {
    "example": "example", "source-catalog": "s.csv", "target-catalog": "t.csv", "source-images": "s.npy",
    "target-images": "t.npy", "catalog": "catalog.json", "docs": "docs", "failing": "failing.csv",
    "stamp": "validated.json", "preprocessing": "preprocessing.json", "target-stamp": "validated_target.json",
    "unlabeled-catalog": "u.csv", "unlabeled-images": "u.npy",
}  # fmt: skip


def run(stage: str, folder: Path, *options: str, code: str = "") -> subprocess.CompletedProcess[str]:
    """Run a stage script in a folder, with its outputs there."""
    script = ROOT / "stages" / f"{stage}.py"
    names = {**NAMES, "record": "catalog.json" if stage == "prepare_data" else "validation.json"}
    argv = [each for name in options for each in (f"--{name}", names[name])]
    command = [str(script), "--params", "params.yaml", *argv]
    if stage == "prepare_data":
        command += ["--raw", "raw"]
    if code:
        as_main = f"runpy.run_path({str(script)!r}, run_name='__main__')"
        command = ["-c", f"import runpy, sys; sys.argv = {command!r}; {as_main}; {code}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "error"}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


MADE = tuple(f"{name}-{what}" for name in ("source", "target", "unlabeled") for what in ("catalog", "images"))
PREPARE = ("example", *MADE, "record", "preprocessing")
VALIDATE = ("catalog", *MADE, "record", "stamp", "target-stamp", "failing", "docs")


def params(folder: Path, dataset: str) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert "dataset: example" in text
    (folder / "params.yaml").write_text(text.replace("dataset: example", f"dataset: {dataset}"), encoding="utf-8")


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # images with equal means and deviations would be taken for normalised ones
    brightest = 100 + 5 * (seed % 31)
    pixels = np.random.default_rng(seed).integers(0, brightest, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def test_the_example_is_written_and_catalogued_quietly_and_without_torch(tmp_path: Path) -> None:
    params(tmp_path, "example")
    code = "sys.exit(any(name in sys.modules for name in ('torch', 'great_expectations')))"
    done = run("prepare_data", tmp_path, *PREPARE, code=code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "prepare_data\n")
    record = read_record(CatalogRecord, tmp_path / "catalog.json")
    assert record.dataset == "example"
    for domain, name in ((record.source, "s"), (record.target, "t")):
        assert len(read_catalog(tmp_path / f"{name}.csv")) == domain.n_images
        assert open_images(tmp_path / f"{name}.npy").shape == (domain.n_images, 32, 32, 3)
    assert record.target.counts["train"] == {str(digit): 10 for digit in range(10)}


def test_folders_are_catalogued_with_no_source_and_an_empty_example(tmp_path: Path) -> None:
    params(tmp_path, "folders")
    for number in range(30):
        draw(tmp_path / "raw" / "target" / ("cat" if number % 2 else "dog") / f"{number}.png", number)
    done = run("prepare_data", tmp_path, *PREPARE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "prepare_data\n")
    record = read_record(CatalogRecord, tmp_path / "catalog.json")
    assert (record.source.present, record.target.n_images) == (False, 30)
    assert read_catalog(tmp_path / "s.csv") == ()
    assert len(open_images(tmp_path / "s.npy")) == 0
    assert [each.name for each in (tmp_path / "example").iterdir()] == ["README.md"]


def test_the_service_applies_the_bits_of_the_target(tmp_path: Path) -> None:
    params(tmp_path, "folders")
    for number in range(12):
        for domain, highest in (("source", 60_000), ("target", 4_000)):
            path = tmp_path / "raw" / domain / ("cat" if number % 2 else "dog") / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            values = np.random.default_rng(number).integers(0, highest, (40, 40), dtype=np.uint16)
            Image.fromarray(values).save(path)
    done = run("prepare_data", tmp_path, *PREPARE)
    assert (done.returncode, done.stderr) == (0, "prepare_data\n")
    record = read_record(CatalogRecord, tmp_path / "catalog.json")
    assert (record.source.value_bits, record.target.value_bits, record.preprocessing.value_bits) == (16, 12, 12)
    assert record.preprocessing.max_pixels == 25_000_000


def test_folders_without_a_target_are_an_error_and_write_no_data(tmp_path: Path) -> None:
    params(tmp_path, "folders")
    done = run("prepare_data", tmp_path, *PREPARE)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "prepare_data\n\nraw/target: want a folder of images for each class, got no such folder."
    )
    assert sorted(each.name for each in tmp_path.iterdir()) == ["example", "params.yaml", "reports"]


def test_a_critical_finding_fails_after_record_and_docs_are_written(tmp_path: Path) -> None:
    params(tmp_path, "folders")
    for number in range(60):
        draw(tmp_path / "raw" / "target" / ("cat" if number % 2 else "dog") / f"{number}.png", number)
    (tmp_path / "raw/target/cat/broken.jpg").write_bytes(b"broken")
    run("prepare_data", tmp_path, *PREPARE)
    done = run("validate_data", tmp_path, *VALIDATE)
    assert done.returncode == 1
    assert done.stderr.startswith("validate_data\n\nimages: want no unreadable images, got 1: ")
    assert "target/cat/broken.jpg (want a whole image, got: none that can be read as JPEG" in done.stderr
    assert done.stderr.rstrip().endswith("failing.csv has a line for each of them, 1 in all.")
    assert not read_record(ValidationRecord, tmp_path / "validation.json").ok
    with pytest.raises(RuntimeError, match="want data without critical findings"):
        check_judged(tmp_path / "validated.json", tmp_path / "t.csv")
    assert (tmp_path / "docs/index.html").is_file()
    assert len((tmp_path / "failing.csv").read_text().splitlines()) == 2


def test_an_unlabelled_test_image_fails_with_both_files_in_the_table(tmp_path: Path) -> None:
    params(tmp_path, "folders")
    for split in ("train", "val", "test"):
        for number in range(40):
            label = "cat" if number % 2 else "dog"
            draw(tmp_path / f"raw/target/{split}/{label}/{number}.png", number + 100 * len(split))
    for number in range(25):
        draw(tmp_path / f"raw/target_unlabeled/{number}.png", 2_000 + number)
    shutil.copy(tmp_path / "raw/target/test/cat/7.png", tmp_path / "raw/target_unlabeled/seen.png")
    run("prepare_data", tmp_path, *PREPARE)
    done = run("validate_data", tmp_path, *VALIDATE)
    assert done.returncode == 1
    assert "images: want no test images of the target among unlabelled images, got 2: target/test/cat/7.png = " in (
        done.stderr
    )
    lines = (tmp_path / "failing.csv").read_text().splitlines()[1:]
    assert [line.split(",")[1:6] for line in lines] == [
        ["critical", "target", "test/cat/7.png", "cat", "test"],
        ["critical", "unlabeled", "seen.png", "", "train"],
    ]
    for name, catalogs in (("validated", "stu"), ("validated_target", "t")):
        stamp = read_record(Stamp, tmp_path / f"{name}.json")
        paths = {"s": "source", "t": "target", "u": "unlabeled"}
        assert (stamp.ok, stamp.catalogs) == (
            False,
            {paths[each]: file_sha256(tmp_path / f"{each}.csv") for each in catalogs},
        )


def test_an_earlier_stamp_does_not_outlive_a_judgement_whose_evidence_cannot_be_written(tmp_path: Path) -> None:
    params(tmp_path, "folders")
    for number in range(60):
        draw(tmp_path / "raw" / "target" / ("cat" if number % 2 else "dog") / f"{number}.png", number)
    run("prepare_data", tmp_path, *PREPARE)
    assert run("validate_data", tmp_path, *VALIDATE).returncode == 0
    np.save(tmp_path / "t.npy", np.zeros_like(np.load(tmp_path / "t.npy")))
    (tmp_path / "failing.csv").unlink()
    (tmp_path / "failing.csv").mkdir()
    assert run("validate_data", tmp_path, *VALIDATE).returncode == 1
    with pytest.raises(RuntimeError, match="want data without critical findings"):
        check_judged(tmp_path / "validated.json", tmp_path / "t.csv")


def test_sound_data_pass_quietly(tmp_path: Path) -> None:
    params(tmp_path, "folders")
    for number in range(60):
        draw(tmp_path / "raw" / "target" / ("cat" if number % 2 else "dog") / f"{number}.png", number)
    run("prepare_data", tmp_path, *PREPARE)
    done = run("validate_data", tmp_path, *VALIDATE, code="sys.exit('torch' in sys.modules)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "validate_data\n")
    assert read_record(ValidationRecord, tmp_path / "validation.json").ok
    check_judged(tmp_path / "validated.json", tmp_path / "s.csv", tmp_path / "t.csv")
    assert len((tmp_path / "failing.csv").read_text().splitlines()) == 1


def test_stages_write_only_into_their_folder_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "a$HOME b"
    folder.mkdir()
    params(folder, "folders")
    for number in range(60):
        draw(folder / "raw" / "target" / ("cat" if number % 2 else "dog") / f"{number}.png", number)
    assert run("prepare_data", folder, *PREPARE).returncode == 0
    done = run("validate_data", folder, *VALIDATE)
    assert done.returncode == 0, done.stderr
    assert {each.name for each in tmp_path.iterdir()} == {folder.name}
    assert len([*(folder / "docs").rglob("*.html")]) > 1
