"""Read CSV tables that users write, as spreadsheets, editors and programs save them."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

from graft.files import from_cell, visible
from graft.store.catalogue import look

# Spreadsheets write semicolons in locales with a decimal comma.
SEPARATORS = (",", ";", "\t")
# Longest header in characters; a file of other content may have no line break.
MOST_CHARACTERS = 100_000


class CsvHeader(NamedTuple):
    """The first line of a table."""

    written: tuple[str, ...]
    """column names as they were written, without spaces at their ends"""
    separator: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names in lower case."""
        return tuple(map(look, self.written))

    @property
    def shown(self) -> str:
        """The header as error messages show it."""
        return visible(",".join(self.written)) or "an empty file"


def read_header(table: Path) -> CsvHeader:
    """The header of an existing file; its commonest character among comma, semicolon and tab is the separator.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a CSV in UTF-8, or names a column twice.
    """
    with _opened(table) as file:
        line = file.readline(MOST_CHARACTERS)
        separator = max(SEPARATORS, key=line.count)
        cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    header = CsvHeader(tuple(cell.strip() for cell in cells), separator)
    twice = [name for name, n in Counter(header.columns).items() if n > 1 and name]
    if twice:
        raise ValueError(
            f"{visible(table)}: want every column once, got {visible(twice[0])} more than once. Delete or rename one."
        )
    return header


def read_cells(table: Path, header: CsvHeader, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Cells of some columns, row by row, without spaces at their ends; empty rows are skipped.

    The quote that graft and spreadsheets put before a formula is removed.

    Args:
        table: the file.
        header: its header.
        columns: names in lower case; a missing column yields empty cells.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a CSV in UTF-8, or a row has more cells than the header.
    """
    names = header.columns
    # a missing column gets the position after the last, where every row is padded with an empty cell
    places = [names.index(each) if each in names else len(names) for each in columns]
    with _opened(table) as file:
        reader = csv.reader(file, delimiter=header.separator, skipinitialspace=True, strict=True)
        next(reader, None)
        for row in reader:
            if any(cell.strip() for cell in row[len(names) :]):
                raise ValueError(
                    f"{visible(table)}, line {reader.line_num}: want {len(names)} cells, as the header has, got "
                    f"{len(row)}. Put quotes around a cell that holds the separator."
                )
            if any(cell.strip() for cell in row):
                cells = [*row, *[""] * (len(names) + 1 - len(row))]
                yield tuple(from_cell(cells[place].strip()) for place in places)


@contextmanager
def _opened(table: Path) -> Iterator[TextIO]:
    """The opened file; faults of its content become one clear error."""
    try:
        # utf-8-sig: spreadsheets write a byte order mark
        with table.open(newline="", encoding="utf-8-sig") as file:
            yield file
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{visible(table)}: want a CSV in UTF-8, got {visible(error)}. Save it again as CSV UTF-8."
        ) from None
    except csv.Error as error:
        raise ValueError(
            f"{visible(table)}: want a CSV, got {visible(error)}. Look for a quote that is not closed, or for a cell "
            "of that size."
        ) from None
    except OSError as error:
        raise OSError(
            f"{visible(table)}: want a readable file, got: {error.strerror}. Check its permissions."
        ) from None
