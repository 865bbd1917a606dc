import shutil
from pathlib import Path

import pytest

from graft.params import ValidateData
from graft.records import Finding, ValidationRecord
from graft.store import CatalogRow
from graft.validation.expectations import critical_sentences, validate

PARAMS = ValidateData(min_images_per_class=2, min_side_px=8)


def row(path: str, sha256: str = "", group: str = "", error: str = "", side: int = 32) -> CatalogRow:
    split, label, _ = path.split("/")
    sha256 = sha256 or f"sha of {path}"
    side, place = (0, -1) if error else (side, 0)
    return CatalogRow(path, label, split, group or sha256, sha256, 9, side, side, "RGB", "PNG", place, error)  # type: ignore[arg-type]


SOUND = [
    row(f"{split}/{label}/{n}") for split in ("train", "val", "test") for label in ("cat", "dog") for n in range(2)
]


def check(target: list[CatalogRow], docs: Path, source: list[CatalogRow] | None = None) -> ValidationRecord:
    docs.mkdir(exist_ok=True)
    return validate(source or [], target, PARAMS, docs)


def failed(record: ValidationRecord) -> Finding:
    """The one finding that is not ok."""
    (finding,) = (each for each in record.findings if not each.ok)
    return finding


def test_sound_data_have_no_finding_and_data_docs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = [each._replace(sha256=f"source {each.path}", group=f"source {each.path}") for each in SOUND]
    record = check(SOUND, tmp_path / "docs", source)
    assert record.ok
    assert all(each.ok and each.examples == () and each.advice for each in record.findings)
    assert len(record.findings) == 10
    assert critical_sentences(record) == []
    assert (tmp_path / "docs/index.html").is_file()
    assert len(list((tmp_path / "docs").glob("validations/**/*.html"))) == 2
    assert capfd.readouterr() == ("", "")


def test_an_image_that_cannot_be_read_is_critical_and_named_with_its_reason(tmp_path: Path) -> None:
    record = check([*SOUND, row("train/cat/x", error="truncated")], tmp_path)
    assert (failed(record).severity, failed(record).n_unexpected) == ("critical", 1)
    assert failed(record).examples == ("target/train/cat/x (truncated)",)
    assert not record.ok


def test_a_small_image_is_a_warning(tmp_path: Path) -> None:
    record = check([*SOUND, row("train/cat/x", side=7), row("train/cat/y", side=8)], tmp_path)
    assert (failed(record).severity, failed(record).examples) == ("warning", ("target/train/cat/x",))
    assert record.ok


def test_equal_images_in_two_splits_are_critical_and_both_are_named(tmp_path: Path) -> None:
    record = check([*SOUND, row("test/cat/x", "same"), row("train/cat/y", "same")], tmp_path)
    assert failed(record).name == "no image in two splits"
    assert failed(record).severity == "critical"
    assert failed(record).examples == ("target/test/cat/x = target/train/cat/y",)
    assert critical_sentences(record) == [
        "images: want no image in two splits, got 2 against it: target/test/cat/x = target/train/cat/y. "
        "These files are equal: keep each image in one split, or results on test are too good."
    ]


def test_equal_images_under_two_classes_are_critical(tmp_path: Path) -> None:
    record = check([*SOUND, row("train/cat/x", "same"), row("train/dog/y", "same")], tmp_path)
    names = {each.name: each for each in record.findings if not each.ok}
    assert names["no image under two classes"].severity == "critical"
    assert names["no image under two classes"].examples == ("target/train/cat/x = target/train/dog/y",)


def test_a_group_in_two_splits_is_critical(tmp_path: Path) -> None:
    record = check([*SOUND, row("train/cat/x", group="patient 7"), row("val/dog/y", group="patient 7")], tmp_path)
    assert (failed(record).name, failed(record).severity) == ("no group in two splits", "critical")
    assert failed(record).examples == ("target/train/cat/x = target/val/dog/y",)


def test_equal_images_in_one_split_are_a_warning(tmp_path: Path) -> None:
    record = check([*SOUND, row("train/cat/x", "same"), row("train/cat/y", "same")], tmp_path)
    assert (failed(record).name, failed(record).severity) == ("no image twice in a split", "warning")
    assert failed(record).examples == ("target/train/cat/x = target/train/cat/y",)


def test_a_test_image_that_stands_in_the_source_is_critical_and_both_are_named(tmp_path: Path) -> None:
    source = [each._replace(sha256=f"source {each.path}", group=f"source {each.path}") for each in SOUND]
    record = check([*SOUND, row("test/cat/x", "same")], tmp_path, [*source, row("train/dog/y", "same")])
    assert (failed(record).name, failed(record).severity) == (
        "no test image of the target in the source",
        "critical",
    )
    assert failed(record).examples == ("source/train/dog/y = target/test/cat/x",)


def test_a_class_without_readable_images_in_a_split_is_critical(tmp_path: Path) -> None:
    rows = [each for each in SOUND if not each.path.startswith("val/dog")]
    record = check(rows, tmp_path)
    assert (failed(record).name, failed(record).severity) == ("every class in every split", "critical")
    assert failed(record).examples == ("target/dog",)


def test_too_few_train_images_of_a_class_are_critical(tmp_path: Path) -> None:
    record = check([each for each in SOUND if each.path != "train/dog/1"], tmp_path)
    assert failed(record).name == "at least 2 readable train images a class"
    assert (failed(record).severity, failed(record).examples) == ("critical", ("target/dog",))


def test_a_class_ten_times_smaller_is_a_warning(tmp_path: Path) -> None:
    even = [row(f"train/cat/more {n}") for n in range(18)]
    assert check([*SOUND, *even], tmp_path).ok
    record = check([*SOUND, *even, row("train/cat/one more")], tmp_path)
    assert (failed(record).severity, failed(record).examples) == ("warning", ("target/dog",))


def test_at_most_ten_files_are_named(tmp_path: Path) -> None:
    broken = [row(f"train/cat/x{n:02}", error="truncated") for n in range(13)]
    pairs = [row(f"{split}/cat/{n}p", f"same {n}") for n in range(8) for split in ("train", "test")]
    record = check([*SOUND, *broken, *pairs], tmp_path)
    unread, twice = (each for each in record.findings if not each.ok)
    assert (unread.n_unexpected, len(unread.examples)) == (13, 10)
    assert (twice.n_unexpected, len(twice.examples)) == (16, 5)
    assert all("; ..." in sentence for sentence in critical_sentences(record))


def test_twice_the_same_gives_the_same_record(tmp_path: Path) -> None:
    rows = [*SOUND, row("test/cat/x", "same"), row("train/cat/y", "same")]
    first = check(rows, tmp_path / "docs")
    shutil.rmtree(tmp_path / "docs")
    assert check(rows, tmp_path / "docs") == first
