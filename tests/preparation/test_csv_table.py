from pathlib import Path

import pytest

from graft.files import UNSEEN
from graft.preparation.csv_table import read_cells, read_header


def written(folder: Path, content: str | bytes) -> Path:
    table = folder / "t.csv"
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    return table


def cells(folder: Path, content: str | bytes, *columns: str) -> list[tuple[str, ...]]:
    table = written(folder, content)
    return list(read_cells(table, read_header(table), columns))


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n3,4\n",
        "a;b\n1;2\n3;4\n",
        "a\tb\n1\t2\n3\t4\n",
        "\ufeffa,b\r\n1,2\r\n3,4\r\n",
        "a,b\r1,2\r3,4",
        " A , B \n 1 , 2 \n\n3,4\n , \n",
        "a,b,\n1,2,\n3,4,,\n",
        'b,"a"\n"2",1\n4,3\n',
        "x,a,b\n,1,2\n,3,4\n",
        '"a", "b"\n"1", "2"\n"3", "4"\n',
    ],
    ids=[
        "comma",
        "semicolon",
        "tab",
        "windows",
        "old mac",
        "spaces",
        "trailing",
        "quotes",
        "more columns",
        "spaces before quotes",
    ],
)
def test_a_table_is_read_as_any_program_writes_it(tmp_path: Path, content: str) -> None:
    assert cells(tmp_path, content, "a", "b") == [("1", "2"), ("3", "4")]


def test_cells_of_a_missing_column_and_of_a_short_row_are_empty(tmp_path: Path) -> None:
    assert cells(tmp_path, "a,b\n1\n", "a", "b", "c") == [("1", "", "")]


def test_a_quote_that_keeps_a_spreadsheet_from_computing_is_removed(tmp_path: Path) -> None:
    assert cells(tmp_path, "a\n'=1.png\n'quoted'\n", "a") == [("=1.png",), ("'quoted'",)]


def test_a_cell_in_quotes_may_hold_the_separator_and_a_line_break(tmp_path: Path) -> None:
    assert cells(tmp_path, 'a,b\n"1,5","x\ny"\n', "a", "b") == [("1,5", "x\ny")]


def test_an_error_shows_the_header_as_it_was_written(tmp_path: Path) -> None:
    header = read_header(written(tmp_path, " Path ;LABEL\n"))
    assert (header.written, header.columns, header.shown) == (("Path", "LABEL"), ("path", "label"), "Path,LABEL")
    assert read_header(written(tmp_path, "")).shown == "an empty file"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a,b, A\n", r"t\.csv: want every column once, got a more than once\. Delete or rename one\."),
        ("a,b\n1,2\n1,2,3\n", r"t\.csv, line 3: want 2 cells, as the header has, got 3\. Put quotes around a cell"),
        ("a,b\né,2\n".encode("cp1252"), r"t\.csv: want a CSV in UTF-8, got .+\. Save it again as CSV UTF-8\."),
        ("a,b\n1,2\n".encode("utf-16"), r"t\.csv: want a CSV in UTF-8, got .+\. Save it again as CSV UTF-8\."),
        (
            'a,b\n"1,2\n3,4\n',
            r"t\.csv: want a CSV, got unexpected end of data\. Look for a quote that is not closed, or",
        ),
    ],
)
def test_a_file_that_is_not_a_table_is_an_error(tmp_path: Path, content: str | bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        cells(tmp_path, content, "a", "b")


def test_an_error_shows_a_header_of_other_content_on_one_line(tmp_path: Path) -> None:
    assert not UNSEEN.search(read_header(written(tmp_path, bytes(range(32)) * 100)).shown)


def test_an_unreadable_table_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    table = written(tmp_path, "a\n")
    monkeypatch.setattr(Path, "open", forbid)  # root may read whatever its permissions are
    with pytest.raises(OSError, match=r"t\.csv: want a readable file, got: Permission denied\. Check its"):
        read_header(table)
