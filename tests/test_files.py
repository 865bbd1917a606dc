"""Names are safe wherever a person meets them, and tables can be read back."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from graft.files import (
    from_cell,
    plain_json,
    printable,
    read_arrays,
    read_table,
    to_cell,
    visible,
    write_arrays,
    write_table,
)

UNSEEN = [
    ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
    ("a\nwarning: b", r"a\nwarning: b"),
    ("a\rb", r"a\rb"),
    ("\x9b31m", r"\x9b31m"),
    ("invoice\u202egpj.exe", r"invoice\u202egpj.exe"),
    ("\u2066a\u2069", r"\u2066a\u2069"),
    ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
    ("a\u200bb\ufeff", r"a\u200bb\ufeff"),
    ("\udcff", r"\udcff"),
    ("\U000e0041", r"\U000e0041"),
    ("\x7f\x00", r"\x7f\x00"),
]
ORDINARY = ["cat", "кошка ё 猫", "it's 100 % \\n", "می\u200cخواهم", "👩\u200d🔬", "a\u00a0b", "naïve"]


@pytest.mark.parametrize(("name", "shown"), UNSEEN)
def test_invisible_characters_become_escapes_on_one_line(name: str, shown: str) -> None:
    assert visible(name) == shown
    assert visible(shown) == shown


@pytest.mark.parametrize("name", ORDINARY)
def test_names_in_any_script_stay_as_they_are(name: str) -> None:
    assert visible(name) == name


def test_a_printable_text_keeps_its_line_breaks() -> None:
    assert printable("first\n\n  second \x1b[31m\n") == "first\n\n  second \\x1b[31m\n"


@pytest.mark.parametrize("name", [name for name, _ in UNSEEN] + ORDINARY)
def test_plain_json_is_equivalent_and_has_no_invisible_characters(name: str) -> None:
    text = json.dumps({name: [name]}, indent=1, ensure_ascii=False)
    plain = plain_json(text)
    assert json.loads(plain) == {name: [name]}
    assert printable(plain) == plain
    assert plain == text or name not in ORDINARY


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0", "\uff1d1+1"]
QUOTED = ["'=1", "''=1", "'@x"]


@pytest.mark.parametrize("name", FORMULAS + QUOTED)
def test_a_cell_never_looks_like_a_formula_and_can_be_read_back(name: str) -> None:
    assert to_cell(name) == f"'{name}"
    assert from_cell(to_cell(name)) == name


@pytest.mark.parametrize("cell", [*ORDINARY, "", "'", "'tis", "a=1", " =1", -1, 0.5])
def test_other_cells_stay_as_they_are(cell: str | float) -> None:
    assert to_cell(cell) == cell
    assert not isinstance(cell, str) or from_cell(to_cell(cell)) == cell


def _read(path: Path, columns: tuple[str, ...] = ("name", "n")) -> list[dict[str, str]]:
    return list(read_table(columns, path, "a table", "prepare_data"))


@pytest.mark.parametrize(
    "name", [name for name, _ in UNSEEN if name != "\udcff"] + ORDINARY + FORMULAS + QUOTED + [" a "]
)
def test_a_table_can_be_read_back(tmp_path: Path, name: str) -> None:
    write_table(("name", "n"), [(name, 1), ("", -2)], tmp_path / "deep" / "t.csv")
    assert _read(tmp_path / "deep" / "t.csv") == [{"name": name, "n": "1"}, {"name": "", "n": "-2"}]


def test_a_table_quotes_only_cells_that_need_it(tmp_path: Path) -> None:
    write_table(("name", "n"), [("cat", 1), ('a,"b', 0.5), ("a\rb", 2), ("a\nb", 3)], tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == b'name,n\ncat,1\n"a,""b",0.5\n"a\rb",2\n"a\nb",3\n'


def test_no_cell_of_a_table_looks_like_a_formula(tmp_path: Path) -> None:
    write_table(("=name", "n"), [("=1+1", -1)], tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "'=name,n\n'=1+1,-1\n"
    assert _read(tmp_path / "t.csv", ("=name",)) == [{"=name": "=1+1", "n": "-1"}]


def test_a_table_of_one_empty_cell_keeps_its_row(tmp_path: Path) -> None:
    write_table(("name",), [("",)], tmp_path / "t.csv")
    assert _read(tmp_path / "t.csv", ("name",)) == [{"name": ""}]


def test_a_table_without_rows_has_none(tmp_path: Path) -> None:
    write_table(("name", "n"), (), tmp_path / "t.csv")
    assert _read(tmp_path / "t.csv") == []


def test_a_table_may_have_more_columns_than_wanted(tmp_path: Path) -> None:
    write_table(("name", "n", "more"), [("a", 1, 2)], tmp_path / "t.csv")
    assert _read(tmp_path / "t.csv") == [{"name": "a", "n": "1", "more": "2"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"t\.csv: want the columns name, n, got none\. Run `dvc repro prepare_data`"),
        ("n,name\n", r"want the columns name, n, got n, name\."),
        ("name\n", r"want the columns name, n, got name\."),
        ("name,\x1bn\n", r"want the columns name, n, got name, \\x1bn\."),
        ("name,n\na,1\nb\n", r"t\.csv, line 3: want 2 cells, got 1\. Run `dvc repro prepare_data`"),
        ("name,n\na,1,2\n", r"line 2: want 2 cells, got 3\."),
        ("name,n\n\n", r"line 2: want 2 cells, got 0\."),
    ],
)
def test_a_broken_table_is_an_error_that_says_where(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        _read(tmp_path / "t.csv")


def test_an_absent_table_names_the_stage_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"t\.csv: want a table, got no file\. Run `dvc repro prepare_data`\."):
        _read(tmp_path / "t.csv")


def test_any_csv_reader_understands_a_table(tmp_path: Path) -> None:
    write_table(("name", "n"), [("a\rb,c", 1)], tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as file:
        assert [*csv.reader(file)] == [["name", "n"], ["a\rb,c", "1"]]


def test_arrays_come_back_by_name_in_their_order(tmp_path: Path) -> None:
    arrays: dict[str, NDArray[Any]] = {"b": np.arange(3), "a": np.ones((2, 2), np.float32)}
    write_arrays(arrays, tmp_path / "deep" / "t.npz")
    read = read_arrays(tmp_path / "deep" / "t.npz", "arrays", "extract_features")
    assert [*read] == ["b", "a"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype


def test_absent_arrays_name_the_stage_that_writes_them(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"t\.npz: want arrays, got no file\. Run `dvc repro extract_features`\."
    ):
        read_arrays(tmp_path / "t.npz", "arrays", "extract_features")
