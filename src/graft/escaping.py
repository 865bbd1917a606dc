"""Names that a user chose, made safe where a person meets them: on a terminal, in JSON, in a spreadsheet."""

import json
import re
from typing import Any

UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""what moves the cursor, hides or turns the direction of writing: controls (escape sequences begin with one), line
breaks, bidirectional marks, characters of no width, halves of a pair; not the joiners that Persian and emoji need"""
FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""a cell that begins so, which a spreadsheet would compute, or so behind quotes that `to_cell` would have put there"""


def visible(text: object) -> str:
    r"""A name on one line: what UNSEEN matches is written as an escape, such as `\n` or `\x1b`."""
    return UNSEEN.sub(lambda found: ascii(found[0])[1:-1], str(text))


def printable(text: str) -> str:
    """The same for a text of our own that has several lines: its line breaks stay."""
    return "\n".join(map(visible, text.split("\n")))


def plain_json(text: str) -> str:
    """JSON with nothing unseen in it but its line breaks; it says the same."""
    return "\n".join(UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], line) for line in text.split("\n"))


def to_cell(value: Any) -> Any:
    """A cell of a CSV that a person may open in a spreadsheet: text that begins like a formula gets a quote before it.

    Numbers stay numbers. The quote is the spreadsheet's own mark of a text. `from_cell` takes it away again.

    Source: OWASP, CSV Injection.
    """
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


def from_cell(cell: str) -> str:
    """The text that `to_cell` was given."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell
