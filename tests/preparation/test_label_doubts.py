from collections.abc import Sequence
from pathlib import Path

import pytest

from graft.files import UNSEEN
from graft.preparation.found import Found
from graft.preparation.label_doubts import table_doubts
from graft.records.common import Split

CLASSES = ("cat", "dog")


def doubts(folder: Path, table: str, found: Sequence[Found], has_groups: bool = False) -> tuple[str, ...]:
    (folder / "labels.csv").write_text(table)
    return table_doubts(folder, found, has_groups)


def images(*folders: str, split: Split | None = None) -> list[Found]:
    """Ten images of each folder, labelled by the last part of its name, or by cat and dog in turn."""

    def label(folder: str, number: int) -> str:
        last = folder.split("/")[-1]
        return last if last in CLASSES else CLASSES[number % 2]

    return [Found(f"{name}/{number}.png", label(name, number), split) for name in folders for number in range(10)]


def column(name: str, values: Sequence[str]) -> str:
    return f"path,label,{name}\n" + "".join(f"x/{number}.png,cat,{value}\n" for number, value in enumerate(values))


PATIENTS = [f"p{number // 2}" for number in range(10)]


def test_a_sound_table_or_none_raises_no_doubt(tmp_path: Path) -> None:
    assert table_doubts(tmp_path, images("cat", "dog"), False) == ()
    assert doubts(tmp_path, column("note", PATIENTS), images("cat", "dog", "any/folder")) == ()
    assert doubts(tmp_path, column("note", PATIENTS), ()) == ()


@pytest.mark.parametrize("name", ["patient_id", "PatientID", "videos", "SITE", "patientid", "camera-no"])
def test_a_column_that_looks_like_groups_is_reported(tmp_path: Path, name: str) -> None:
    (said,) = doubts(tmp_path, column(name, PATIENTS), images("x"))
    assert said.startswith(
        f"column {name!r} looks like groups of images that belong together (5 values in 10 rows): if"
    )


@pytest.mark.parametrize("values", [[str(number) for number in range(10)], ["a", "b"] * 5, ["a"] * 10, [""] * 10])
def test_a_column_of_unique_values_or_of_whole_classes_is_not_a_group(tmp_path: Path, values: list[str]) -> None:
    assert doubts(tmp_path, column("patient", values), images("x")) == ()


@pytest.mark.parametrize("name", ["opposite", "casein", "id"])
def test_a_column_name_with_a_group_word_inside_another_word_is_not_a_group(tmp_path: Path, name: str) -> None:
    assert doubts(tmp_path, column(name, PATIENTS), images("x")) == ()


def test_if_groups_are_named_no_other_column_is_reported(tmp_path: Path) -> None:
    assert doubts(tmp_path, column("patient", PATIENTS), images("x"), has_groups=True) == ()


@pytest.mark.parametrize("name", ["fold", "Set", "data_split"])
def test_a_column_that_looks_like_splits_is_reported_if_there_are_none(tmp_path: Path, name: str) -> None:
    table = column(name, ["0", "1", "2", "3", "4"] * 2)
    (said,) = doubts(tmp_path, table, images("x"))
    assert said.startswith(f"column {name!r} looks like splits or folds (0, 1, 2, ...): if so, add a column split")
    assert doubts(tmp_path, table, images("x", split="train")) == ()


@pytest.mark.parametrize("values", [["one"] * 30, [str(number) for number in range(30)]])
def test_a_column_of_one_value_or_very_many_is_not_a_split(tmp_path: Path, values: list[str]) -> None:
    assert doubts(tmp_path, column("fold", values), images("x")) == ()


@pytest.mark.parametrize(
    ("label", "said"),
    [("1.0", "label '1.0' is a number with decimals"), ("NaN", "label 'NaN' looks like an empty cell")],
)
def test_a_label_that_a_program_may_have_written_is_reported(tmp_path: Path, label: str, said: str) -> None:
    found = [*images("x"), *(Found(f"y/{number}.png", label, None) for number in range(3))]
    (doubt,) = doubts(tmp_path, "path,label\n", found)
    assert doubt.startswith(said)


def test_many_labels_that_contradict_the_folders_are_reported_and_a_few_corrections_are_not(tmp_path: Path) -> None:
    right = images("cat", "dog", "other")
    wrong = [each._replace(label="dog") for each in right[:3]]
    (said,) = doubts(tmp_path, "path,label\n", [*wrong, *right[3:]])
    assert said.startswith(
        "3 of 20 images are in a folder named like another class, such as 'cat/0.png' with the label 'dog'"
    )
    assert doubts(tmp_path, "path,label\n", [*wrong[:2], *right[2:]]) == ()


def test_the_innermost_class_folder_counts_whatever_its_case(tmp_path: Path) -> None:
    assert (
        doubts(tmp_path, "path,label\n", [Found("dog/Cat/x/1.png", "cat", None), Found("dog/2.png", "dog", None)]) == ()
    )


def test_split_folders_that_the_table_does_not_name_are_reported(tmp_path: Path) -> None:
    (said,) = doubts(tmp_path, "path,label\n", images("Train/cat", "Train/dog", "test/cat", "test/dog"))
    assert said.startswith(
        "40 images are in folders named like splits, such as 'Train/cat/0.png', and the table has no"
    )
    assert doubts(tmp_path, "path,label\n", images("train/cat", "train/dog")) == ()


def test_many_splits_that_contradict_the_folders_are_reported(tmp_path: Path) -> None:
    named = [each._replace(split="train") for each in images("train/cat", "train/dog", "test/cat", "test/dog")]
    (said,) = doubts(tmp_path, "path,label,split\n", named)
    assert said.startswith(
        "20 of 40 images are in a folder named like another split, such as 'test/cat/0.png' with the"
    )


def test_a_class_named_test_is_not_a_split(tmp_path: Path) -> None:
    found = [*images("x/test", "y/train")]
    assert doubts(tmp_path, "path,label\n", [each._replace(label=each.path.split("/")[1]) for each in found]) == ()


def test_every_doubt_is_one_line_whatever_the_names(tmp_path: Path) -> None:
    evil = "\x1b[2J\u202e"
    table = f"path,label,patient{evil},fold{evil}\n" + "".join(
        f"{n},cat,{evil}{n // 2},{evil}{n % 4}\n" for n in range(10)
    )
    found = [Found(f"dog{evil}/{number}.png", f"cat{evil}", None) for number in range(5)]
    said = doubts(tmp_path, table, [*found, Found("x.png", f"dog{evil}", None)])
    assert len(said) == 3
    assert not any(UNSEEN.search(each) for each in said)
