import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.house import ROOT
from tests.preparation.test_scan import EVIL

from graft.files import UNSEEN
from graft.preparation.found import Found
from graft.preparation.label_table import read_labels, table_in

FILES = ("a/1.png", "a/2.png", "b/3.png", "b/4.png")
CATS_AND_DOGS = "a/1.png,cat\na/2.png,cat\nb/3.png,dog\nb/4.png,dog\n"
TABLE = "path,label\n" + CATS_AND_DOGS


def labels(folder: Path, content: str | bytes, files: Sequence[str] = FILES) -> tuple[Found, ...]:
    """The files that a table of this content names, of these files below data/raw/target."""
    table = folder / "data/raw/target/labels.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_labels(table, files)


def refusal(folder: Path, content: str, files: Sequence[str] = FILES) -> str:
    """The error for a table of this content, from its `want` on."""
    with pytest.raises(ValueError, match="want") as caught:
        labels(folder, content, files)
    where, _, sentence = str(caught.value).partition(": ")
    assert where.endswith("data/raw/target/labels.csv")
    return sentence


def paths(folder: Path, written: str, files: Sequence[str]) -> list[str]:
    """The files that a table names with this path; its others are a/2.png, b/3.png and b/4.png."""
    content = TABLE.replace("a/1.png", written)
    return [each.path for each in labels(folder, content, [*files, *FILES[1:]]) if each.path not in FILES[1:]]


def test_path_and_label_give_files_sorted_by_path(tmp_path: Path) -> None:
    content = "label,path\ndog,z/9.png\ndog,b.png\ncat,a.png\ncat,c.png\n"
    assert labels(tmp_path, content, ("a.png", "b.png", "c.png", "z/9.png")) == (
        Found("a.png", "cat", None),
        Found("b.png", "dog", None),
        Found("c.png", "cat", None),
        Found("z/9.png", "dog", None),
    )


def test_split_and_group_are_read_in_any_case(tmp_path: Path) -> None:
    cats = "a/1.png,cat,Train,p1\na/2.png,cat,TEST,p2\n"
    content = f"path,label,SPLIT,Group\n{cats}b/3.png,dog,training,p1\nb/4.png,dog,test,p2\n"
    assert [(each.split, each.group) for each in labels(tmp_path, content)] == [
        *(("train", "p1"), ("test", "p2")),
        *(("train", "p1"), ("test", "p2")),
    ]


def test_columns_of_empty_cells_name_neither_splits_nor_groups(tmp_path: Path) -> None:
    content = "path,label,split,group\n" + CATS_AND_DOGS.replace("\n", ",,\n")
    assert {(each.split, each.group) for each in labels(tmp_path, content)} == {(None, None)}


def test_a_file_that_is_not_in_the_table_is_not_found(tmp_path: Path) -> None:
    assert len(labels(tmp_path, TABLE, [*FILES, "a/5.png", "labels.csv"])) == 4


def test_equal_rows_count_once(tmp_path: Path) -> None:
    assert len(labels(tmp_path, TABLE + "./a/1.png,cat\n")) == 4


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("a/1.png", "a/1.png"),
        ("./a/1.png", "a/1.png"),
        ("a\\1.png", "a/1.png"),
        (".\\a//1.png", "a/1.png"),
        ("data/raw/target/a/1.png", "a/1.png"),
        ("target\\a\\1.png", "a/1.png"),
        ("cafe\u0301.png", "caf\u00e9.png"),
        ("caf\u00e9.png", "cafe\u0301.png"),
        ("back\\slash.png", "back\\slash.png"),
        ("target/1.png", "target/1.png"),
        ("'-1.png", "-1.png"),
        ('"a,b.png"', "a,b.png"),
    ],
)
def test_a_path_may_be_written_as_other_programs_write_it(tmp_path: Path, written: str, there: str) -> None:
    assert paths(tmp_path, written, [there]) == [there]


def test_a_file_of_exactly_that_name_comes_first(tmp_path: Path) -> None:
    assert paths(tmp_path, "target/1.png", ["1.png", "target/1.png"]) == ["target/1.png"]
    assert paths(tmp_path, "x\\1.png", ["x/1.png", "x\\1.png"]) == ["x\\1.png"]


def test_labels_and_groups_are_in_nfc(tmp_path: Path) -> None:
    content = "path,label,group\n" + "".join(f"{name},cafe\u0301,e\u0301\n" for name in FILES[:2])
    found = labels(tmp_path, content + "".join(f"{name},dog,p\n" for name in FILES[2:]))[0]
    assert (found.label, found.group) == ("caf\u00e9", "\u00e9")


def test_the_example_of_the_tutorial_is_read(tmp_path: Path) -> None:
    (content,) = re.findall(r"```csv\n(.*?)```", (ROOT / "docs/tutorial-own-images.md").read_text(), re.DOTALL)
    files = [line.split(",")[0] for line in content.splitlines()[1:]]
    assert labels(tmp_path, content, files) == (
        Found("scans/2024/0001.png", "ants", "train", "colony1"),
        Found("scans/2024/0002.png", "bees", "train", "hive1"),
        Found("scans/2025/0003.png", "ants", "test", "colony2"),
        Found("scans/2025/0004.png", "bees", "test", "hive2"),
    )


# --- refused: the header ---


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("filename,class", "got filename,class. Rename filename to path and class to label."),
        ("Image ; Category", "got Image,Category. Rename Image to path and Category to label."),
        ("path,target,class", "got path,target,class. Rename target to label."),
        ("file,kind", "got file,kind. Name the columns so in its first line,"),
        ("id,label", "got id,label. Name the columns so in its first line, or rename the file if it is not a table"),
        ("a/1.png,cat", "got a/1.png,cat. Name the columns so in its first line,"),
        ("", "got an empty file. Name the columns so in its first line,"),
    ],
)
def test_wrong_columns_are_an_error_that_shows_what_to_rename(tmp_path: Path, header: str, told: str) -> None:
    sentence = refusal(tmp_path, header)
    assert sentence.startswith("want a header with the columns path and label, and optionally split and group, " + told)


def test_a_table_with_only_a_header_is_an_error(tmp_path: Path) -> None:
    assert refusal(tmp_path, "path,label\n,\n").startswith("want a row for each image, got only a header. Add rows")


# --- refused: cells ---


def test_a_row_without_a_path_is_an_error(tmp_path: Path) -> None:
    assert refusal(tmp_path, TABLE + ",elk\n").startswith(
        "want a path in every row, got none in 1, such as one with the label 'elk'. Add it"
    )


@pytest.mark.parametrize("cell", ["", " ", ","])
def test_a_row_without_a_label_is_an_error_that_names_the_image(tmp_path: Path, cell: str) -> None:
    content = TABLE.replace("b/3.png,dog", f"b/3.png{cell}")
    assert refusal(tmp_path, content).startswith("want a label for every image, got none for 1 of them: 'b/3.png'. Add")


def test_a_table_without_any_label_is_an_error(tmp_path: Path) -> None:
    content = TABLE.replace("cat", "").replace("dog", "")
    assert refusal(tmp_path, content).startswith("want a label for every image, got none for 4 of them: 'a/1.png', ")


@pytest.mark.parametrize("column", ["split", "group"])
def test_a_column_that_is_only_partly_filled_is_an_error(tmp_path: Path, column: str) -> None:
    content = f"path,label,{column}\n" + CATS_AND_DOGS.replace("cat\n", "cat,train\n")
    assert refusal(tmp_path, content).startswith(
        f"want a {column} for every image, got none for 2 of them: 'b/3.png', 'b/4.png'. Write"
    )


# --- refused: paths ---


def test_missing_files_are_an_error_with_their_number_and_the_first_names(tmp_path: Path) -> None:
    content = TABLE + "".join(f"gone/{number}.png,cat\n" for number in range(7, 12))
    assert refusal(tmp_path, content).startswith(
        "want a file for every row, got none for 5 of them: 'gone/7.png', 'gone/8.png', 'gone/9.png', .... Fix"
    )


@pytest.mark.parametrize(
    ("written", "there"),
    [("A/1.PNG", "a/1.png"), ("1.png", "a/1.png"), ("a/1", "a/1.png"), ("x/1.png", "a/1.png"), ("1", "a/1.png")],
)
def test_a_missing_file_is_reported_with_one_that_it_may_mean(tmp_path: Path, written: str, there: str) -> None:
    content = TABLE.replace("a/1.png", written)
    assert f"got none for 1 of them: {written!r} ({there!r} exists). Fix" in refusal(tmp_path, content)


def test_a_missing_file_that_resembles_no_other_is_reported_alone(tmp_path: Path) -> None:
    assert "1 of them: 'gone.png'. Fix" in refusal(tmp_path, TABLE.replace("a/1.png", "gone.png"))


OUTSIDE = ("/home/me/a/1.png", "C:\\a\\1.png", "../target/a/1.png", "a/../a/1.png", "\\a\\1.png")


@pytest.mark.parametrize("written", OUTSIDE)
def test_paths_that_leave_the_folder_are_an_error(tmp_path: Path, written: str) -> None:
    sentence = refusal(tmp_path, TABLE.replace("a/1.png", written), ["labels.csv", *FILES])
    assert sentence.startswith("want paths relative to ")
    assert f"data/raw/target, such as 'a/1.png', got others for 1 of them: {written!r}. Put" in sentence


@pytest.mark.parametrize("written", [".hidden/1.png", "a/._1.png", "@eaDir/1.png", "Thumbs.db"])
def test_a_file_that_is_always_left_out_is_an_error(tmp_path: Path, written: str) -> None:
    assert refusal(tmp_path, TABLE.replace("a/1.png", written)).startswith(
        f"want no hidden files and no files of the operating system, got 1 of them: {written!r}. Delete these rows"
    )


@pytest.mark.parametrize(
    ("column", "row"),
    [("label", "a/1.png,dog,train,p"), ("split", "a/1.png,cat,test,p"), ("group", "a/1.png,cat,train,q")],
)
def test_rows_that_contradict_each_other_are_an_error(tmp_path: Path, column: str, row: str) -> None:
    content = "path,label,split,group\n" + CATS_AND_DOGS.replace("\n", ",train,p\n") + row + "\n"
    assert refusal(tmp_path, content).startswith(
        f"want one {column} for every image, got several for 1 of them: 'a/1.png'. Keep one row for each image."
    )


# --- refused: labels and splits ---


@pytest.mark.parametrize(
    ("one", "other"),
    [("Cat", "cat"), ("1", "1.0"), ("01", "1"), ("STRASSE", "straße"), ("cat", "cat\u200b"), ("a b", "a\u00a0 b")],
)
def test_labels_that_look_alike_are_an_error_with_their_numbers(tmp_path: Path, one: str, other: str) -> None:
    content = f"path,label\na/1.png,{one}\na/2.png,{other}\nb/3.png,{other}\nb/4.png,dog\n"
    sentence = refusal(tmp_path, content)
    assert sentence.startswith("want labels that differ in more than case, spaces, accents' encoding or decimals, got ")
    assert f"{one!r} in 1" in sentence
    assert f"{other!r} in 2" in sentence


def test_numbers_are_labels(tmp_path: Path) -> None:
    content = TABLE.replace("cat", "1").replace("dog", "10")
    assert {each.label for each in labels(tmp_path, content)} == {"1", "10"}


def test_one_label_only_is_an_error(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, TABLE.replace("dog", "cat"))
    assert sentence.startswith("want at least two labels, got only 'cat'. Add rows of another class.")


def test_a_label_for_every_row_is_an_error(tmp_path: Path) -> None:
    content = "path,label\na/1.png,0.31\na/2.png,0.54\nb/3.png,0.54\nb/4.png,0.77\n"
    assert refusal(tmp_path, content).startswith(
        "want several rows for each label, got 3 labels in 4 rows, such as '0.31', '0.54', '0.77'. If these are not"
    )


@pytest.mark.parametrize("word", ["holdout", "0"])
def test_an_unknown_word_for_a_split_is_an_error(tmp_path: Path, word: str) -> None:
    content = "path,label,split\n" + CATS_AND_DOGS.replace("\n", ",train\n").replace("dog,train", f"dog,{word}")
    assert refusal(tmp_path, content).startswith(
        f"want train, val or test in the column split, got {word!r} in 2 rows. Write one of these, or rename the column"
    )


def test_splits_without_train_are_an_error(tmp_path: Path) -> None:
    content = "path,label,split\n" + CATS_AND_DOGS.replace("cat\n", "cat,val\n").replace("dog\n", "dog,test\n")
    assert refusal(tmp_path, content).startswith("want rows of train in the column split, got only test and val. Add")


def test_a_label_that_a_split_lacks_is_an_error_that_names_both(tmp_path: Path) -> None:
    content = "path,label,split\na/1.png,cat,train\na/2.png,cat,test\nb/3.png,dog,train\nb/4.png,dog,train\n"
    assert refusal(tmp_path, content).startswith(
        "want rows of every label in every split, got none of 'dog' in test. Add"
    )


# --- the file itself ---


def test_the_table_is_found_whatever_its_case(tmp_path: Path) -> None:
    assert table_in(tmp_path) is None
    (tmp_path / "Labels.CSV").write_text(TABLE)
    assert table_in(tmp_path) == tmp_path / "Labels.CSV"


def test_two_tables_are_an_error(tmp_path: Path) -> None:
    for name in ("labels.csv", "Labels.csv"):
        (tmp_path / name).write_text(TABLE)
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this disk takes the two for one")
    with pytest.raises(ValueError, match=r"want one table of labels, got Labels\.csv and labels\.csv\. Delete"):
        table_in(tmp_path)


@pytest.mark.parametrize("kind", ["folder", "broken link", "pipe"])
def test_a_table_that_is_not_a_file_is_an_error(tmp_path: Path, kind: str) -> None:
    table = tmp_path / "labels.csv"
    if kind == "folder":
        table.mkdir()
    elif kind == "pipe":
        os.mkfifo(table)
    else:
        table.symlink_to("gone")
    with pytest.raises(ValueError, match=r"labels\.csv: want a CSV, got a folder, a pipe or a broken link\. Replace"):
        table_in(tmp_path)


def test_a_link_to_a_file_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").symlink_to(tmp_path / "elsewhere.csv")
    (tmp_path / "elsewhere.csv").write_text(TABLE)
    assert table_in(tmp_path) == tmp_path / "labels.csv"


@pytest.mark.parametrize(
    "content",
    [
        f"{EVIL},label\n",
        TABLE.replace("a/1.png", f'"{EVIL}"'),
        TABLE.replace("cat", f'"{EVIL}"').replace("dog", f'"{EVIL.upper()}"'),
        "path,label,split\n" + CATS_AND_DOGS.replace("\n", f',"{EVIL}"\n'),
        TABLE + f',"{EVIL}"\n',
        TABLE + f'"/{EVIL}",cat\n',
        TABLE.replace("cat", f'"{EVIL}"').replace("dog", f'"{EVIL}"'),
    ],
)
def test_every_error_is_one_line_whatever_the_cells(tmp_path: Path, content: str) -> None:
    assert not UNSEEN.search(refusal(tmp_path, content))
