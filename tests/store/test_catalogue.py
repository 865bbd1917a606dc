import csv
from pathlib import Path

import numpy as np
import pytest
from tests.examples import catalog_row, write_stamp

from graft.files import let_go
from graft.records.common import Split
from graft.store import catalogue


def row(path: str, label: str, split: Split, number: int) -> catalogue.CatalogRow:
    error = "" if number >= 0 else 'want a whole image, got: "x", y\nz.'
    return catalog_row(
        path, label=label, split=split, group=f"g{path}", sha256=f"s{path}", mode="I;16", row=number, error=error
    )


ROWS = (
    row("a", "cat", "train", 0),
    row("b", "dog", "train", 1),
    row("c", "cat", "test", -1),
    row("d", "cat", "test", 2),
)


def test_a_catalogue_comes_back_as_it_was_written(tmp_path: Path) -> None:
    catalogue.write_catalog(ROWS, tmp_path / "deep" / "catalog.csv")
    assert catalogue.read_catalog(tmp_path / "deep" / "catalog.csv") == ROWS


@pytest.mark.parametrize(
    "name", ["a b", "a\nb", "a\rb", "a\r\nb", 'a"b,c', "\u306d\u3053", " a ", "1.5", "=1+1", "'=1"]
)
def test_any_file_name_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    rows = (row(name, name, "train", 0), row("b", "dog", "train", 1))
    catalogue.write_catalog(rows, tmp_path / "catalog.csv")
    assert catalogue.read_catalog(tmp_path / "catalog.csv") == rows


def test_names_that_look_like_formulas_are_quoted_for_spreadsheets(tmp_path: Path) -> None:
    hostile = row("=cmd|' /C calc'!A0/a.png", "=cmd|' /C calc'!A0", "train", 0)._replace(group="+1", error="@x")
    catalogue.write_catalog((hostile,), tmp_path / "catalog.csv")
    with (tmp_path / "catalog.csv").open(newline="") as file:
        _, cells = csv.reader(file)
    assert sum(cell.startswith("'") for cell in cells) == 4
    assert not any(cell.startswith(tuple("=+-@")) for cell in cells)


def test_ordinary_names_are_written_unchanged(tmp_path: Path) -> None:
    catalogue.write_catalog(ROWS[:1], tmp_path / "catalog.csv")
    _, line = (tmp_path / "catalog.csv").read_text().splitlines()
    assert line.startswith("a,cat,train,ga,sa,")
    catalogue.write_catalog((row("a", "cat", "train", -1),), tmp_path / "catalog.csv")
    assert ',-1,"want' in (tmp_path / "catalog.csv").read_text()  # a number is none of a formula


def test_a_catalogue_without_rows_comes_back_empty(tmp_path: Path) -> None:
    catalogue.write_catalog((), tmp_path / "catalog.csv")
    assert catalogue.read_catalog(tmp_path / "catalog.csv") == ()


def test_an_absent_catalogue_names_the_stage_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.csv: want a catalogue, got no file\. Run"):
        catalogue.read_catalog(tmp_path / "none.csv")


def test_class_names_are_sorted_and_single() -> None:
    assert catalogue.class_names(ROWS) == ("cat", "dog")
    assert catalogue.class_names(row(label, label, "train", 0) for label in "cbedab") == tuple("abcde")


def test_the_number_of_a_class_is_its_index_among_the_given_names() -> None:
    assert catalogue.labelled(ROWS, ("dog", "bird", "cat")).labels.tolist() == [2, 0, 2]


def test_labelled_keeps_the_readable_rows_of_a_split() -> None:
    train, test = (catalogue.labelled(ROWS, ("cat", "dog"), split) for split in ("train", "test"))
    assert (train.rows.tolist(), train.labels.tolist()) == ([0, 1], [0, 1])
    assert (test.rows.tolist(), test.groups.tolist(), test.sha256.tolist()) == ([2], ["gd"], ["sd"])
    assert catalogue.labelled(ROWS, ("cat", "dog")).rows.tolist() == [0, 1, 2]


def test_a_split_of_a_file_is_numbered_by_all_classes_of_the_file(tmp_path: Path) -> None:
    catalogue.write_catalog((*ROWS, row("e", "dog", "val", 3)), tmp_path / "catalog.csv")
    val = catalogue.read_labelled(tmp_path / "catalog.csv", "val")
    assert (val.rows.tolist(), val.labels.tolist()) == ([3], [1])
    assert catalogue.read_labelled(tmp_path / "catalog.csv").rows.tolist() == [0, 1, 2, 3]


def test_an_empty_selection_has_arrays_of_the_right_type() -> None:
    nothing = catalogue.labelled((), (), "val")
    assert nothing.rows.shape == nothing.labels.shape == (0,)
    assert nothing.rows.dtype == nothing.labels.dtype == np.int64


@pytest.mark.parametrize("n", [0, 3])
def test_images_come_back_as_they_were_written(tmp_path: Path, n: int) -> None:
    filled = np.arange(n * 48, dtype=np.uint8).reshape(n, 4, 4, 3)
    np.save(tmp_path / "images.npy", filled)
    opened = catalogue.open_images(tmp_path / "images.npy")
    np.testing.assert_array_equal(opened, filled)
    assert opened.dtype == np.uint8


def test_opened_images_cannot_be_changed(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.zeros((1, 4, 4, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        catalogue.open_images(tmp_path / "images.npy")[0] = 1


def test_an_absent_image_store_names_the_stage_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.npy: want an image store, got no file\. Run"):
        catalogue.open_images(tmp_path / "none.npy")


def test_images_can_be_read_again_after_their_memory_was_let_go(tmp_path: Path) -> None:
    made = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3), dtype=np.uint8)
    np.save(tmp_path / "store.npy", made)
    images = catalogue.open_images(tmp_path / "store.npy")
    images.sum()
    let_go(images)
    np.testing.assert_array_equal(images, made)
    let_go(made)


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """A folder with two catalogues, and the stamp on them."""
    catalogue.write_catalog(ROWS[:2], tmp_path / "source.csv")
    catalogue.write_catalog(ROWS, tmp_path / "target.csv")
    write_stamp(tmp_path)
    return tmp_path


def test_catalogues_that_were_judged_pass(judged: Path) -> None:
    catalogue.check_judged(judged / "validated.json", judged / "source.csv", judged / "target.csv")


@pytest.mark.parametrize("domain", ["source", "target"])
def test_a_catalogue_that_changed_after_it_was_judged_is_refused(judged: Path, domain: str) -> None:
    catalogue.write_catalog(ROWS[1:], judged / f"{domain}.csv")
    sentence = rf"validated\.json: want the judgement of \S+{domain}\.csv, got that of another.*dvc repro validate_data"
    with pytest.raises(RuntimeError, match=sentence):
        catalogue.check_judged(judged / "validated.json", judged / "source.csv", judged / "target.csv")


def test_catalogues_with_critical_findings_are_refused(judged: Path) -> None:
    write_stamp(judged, ok=False)
    with pytest.raises(RuntimeError, match=r"want data without critical findings, got some\. Run `dvc repro validate"):
        catalogue.check_judged(judged / "validated.json", judged / "target.csv")


def test_catalogues_that_nobody_judged_are_refused(judged: Path) -> None:
    (judged / "validated.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"validated\.json: want a Stamp, got no file"):
        catalogue.check_judged(judged / "validated.json", judged / "target.csv")


@pytest.mark.parametrize(
    ("split", "number", "whose"), [("train", 0, "target"), ("train", -1, "source"), ("test", 0, "source")]
)
def test_labels_are_the_target_s_where_a_readable_image_of_it_is_in_train(
    split: Split, number: int, whose: str
) -> None:
    assert catalogue.labels_from([row("a", "cat", split, number)]) == whose
    assert catalogue.labels_from([]) == "source"
