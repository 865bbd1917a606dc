"""Hostile names at the last step before a person meets them."""

import json

import pytest

from graft.files import from_cell, plain_json, printable, to_cell, visible

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
def test_what_cannot_be_seen_is_written_out_on_one_line(name: str, shown: str) -> None:
    assert visible(name) == shown
    assert visible(shown) == shown


@pytest.mark.parametrize("name", ORDINARY)
def test_names_in_any_letters_stay_as_they_are(name: str) -> None:
    assert visible(name) == name


def test_a_text_of_ours_keeps_its_lines() -> None:
    assert printable("first\n\n  second \x1b[31m\n") == "first\n\n  second \\x1b[31m\n"


@pytest.mark.parametrize("name", [name for name, _ in UNSEEN] + ORDINARY)
def test_json_says_the_same_with_nothing_unseen(name: str) -> None:
    text = json.dumps({name: [name]}, indent=1, ensure_ascii=False)
    plain = plain_json(text)
    assert json.loads(plain) == {name: [name]}
    assert printable(plain) == plain
    assert plain == text or name not in ORDINARY


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0", "\uff1d1+1"]
QUOTED = ["'=1", "''=1", "'@x"]


@pytest.mark.parametrize("name", FORMULAS + QUOTED)
def test_a_cell_never_begins_like_a_formula_and_reads_back(name: str) -> None:
    assert to_cell(name) == f"'{name}"
    assert from_cell(to_cell(name)) == name


@pytest.mark.parametrize("cell", [*ORDINARY, "", "'", "'tis", "a=1", " =1", -1, 0.5])
def test_other_cells_stay_as_they_are(cell: str | float) -> None:
    assert to_cell(cell) == cell
    assert not isinstance(cell, str) or from_cell(to_cell(cell)) == cell
