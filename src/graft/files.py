"""Records, tables and names, written so that nobody is misled: whole or not at all, in plain characters.

Names that a user chose are made safe where a person meets them: on a terminal, in JSON, in a spreadsheet.
"""

import csv
import errno
import hashlib
import io
import json
import mmap
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydantic import BaseModel

SIGNIFICANT_DIGITS = 6
AT_A_TIME = 64
"""images read from a mapped store before their pages are let go: up to 2 MB stand in memory around each"""
FULL = (errno.ENOSPC, errno.EDQUOT)
"""error numbers of a full disk and of a user's share of it"""
R = TypeVar("R", bound="BaseModel")
UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""what moves the cursor, hides or turns the direction of writing: controls (escape sequences begin with one), line
breaks, bidirectional marks, characters of no width, halves of a pair; not the joiners that Persian and emoji need"""
FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""a cell that begins so, which a spreadsheet would compute, or so behind quotes that `to_cell` would have put there"""


def to_json(record: "BaseModel") -> str:
    """Text of a record: keys in the order of the class, floats to 6 significant digits."""
    return plain_json(json.dumps(_rounded(record.model_dump(mode="json")), indent=1, ensure_ascii=False)) + "\n"


def write_record(record: "BaseModel", path: Path) -> None:
    """Write a record whole or not at all."""
    write_whole(path, to_json(record).encode())


def read_record(kind: type[R], path: Path) -> R:
    """Read a record.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a record of this kind and version.
    """
    from pydantic import ValidationError

    if not path.is_file():
        raise FileNotFoundError(f"{path}: want a {kind.__name__}, got no file. Run `dvc repro`.")
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ValueError(
            f"{path}: want a {kind.__name__}, got {where}: {first['msg']}. Run `dvc repro`; it writes the file anew."
        ) from None


def write_table(columns: Sequence[str], rows: Iterable[Iterable[Any]], path: Path) -> None:
    """Write a CSV with a header; text that begins like a formula gets a quote before it (`graft.files`)."""
    text = io.StringIO()
    # all text in quotes: left to itself, csv does not quote a name that holds a carriage return
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(columns)
    writer.writerows(map(to_cell, row) for row in rows)
    write_whole(path, text.getvalue().encode())


def file_sha256(path: Path) -> str:
    """What `sha256sum` prints for a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def named_path(text: str) -> Path:
    """A path that a user wrote: `~` is the home folder, where there is one."""
    try:
        return Path(text).expanduser()
    except RuntimeError:  # no home: then the file is not found under the name that was written
        return Path(text)


def check_named_file(path: Path, sha256: str | None, key: str, wanted: str) -> None:
    """Hold a file that params.yaml names against the sha256 that stands beside it.

    Args:
        path: of the file.
        sha256: what it should be.
        key: in params.yaml, which has a `_file` and a `_sha256`.
        wanted: the rest of the sentence where there is no such file: want what, got what, and what to do.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: its sha256 is another.
    """
    if not path.is_file():
        raise FileNotFoundError(f"params.yaml, {key}_file: {visible(wanted)}")
    found = file_sha256(path)
    if found != sha256:
        raise ValueError(
            f"params.yaml, {key}_sha256: want the sha256 of {visible(path)}, which is {found}, got {sha256}. "
            "Fetch the file again if it should be the other one."
        )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: to a temporary neighbour, then rename.

    Raises:
        OSError: the disk is full; the sentence says how much was wanted.
    """
    with room_for(path, len(content)):
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def room_for(path: Path, n_bytes: int | None = None) -> Iterator[None]:
    """One sentence where the disk fills up while a file of so many bytes, where that is known, is written.

    torch says the same in a RuntimeError of its own, which has the system's error as its context.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        cause = error if isinstance(error, OSError) else error.__context__
        if not isinstance(cause, OSError) or cause.errno not in FULL:
            raise
        raise OSError(no_room(path, cause, "room" if n_bytes is None else f"{n_bytes / 1e6:,.1f} MB")) from None


def no_room(path: Path, error: OSError, wanted: str = "room") -> str:
    """The sentence for a full disk."""
    there = next(each for each in (path.absolute(), *path.absolute().parents) if each.is_dir())
    free = shutil.disk_usage(there).free
    return (
        f"{path}: want {wanted} on the disk of {there}, got {free / 1e6:,.1f} MB free ({error.strerror}). Free some; "
        "`dvc gc --all-commits --all-experiments` drops what no commit names from .dvc/cache."
    )


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return value


def let_go(images: "NDArray[np.uint8]") -> None:
    """Free the memory behind a mapped image store; its pages are read again when they are touched.

    The system maps up to 2 MB around each image that is touched; a few thousand would fill gigabytes.
    """
    mapped = getattr(images, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


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
