"""Names, records, tables, arrays and whole files: one reader and one writer for each kind of file.

Names that a user chose are made safe wherever a person meets them: on a terminal, in JSON and in a spreadsheet. A file
is written whole or not at all.
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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydantic import BaseModel

# Characters that move the cursor, are invisible, or reverse the direction of text: control characters (escape sequences
# begin with one), line breaks, bidirectional marks, zero-width characters and lone surrogates. The joiners U+200C and
# U+200D are not among them: Persian and emoji need them.
UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
# The start of a cell that a spreadsheet would compute. Leading quotes are matched too, so that `from_cell` can tell a
# quote that `to_cell` added from one that was part of the text.
FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
SIGNIFICANT_DIGITS = 6
# Images read from a mapped store before `let_go`. The system maps up to 2 MB around each image.
AT_A_TIME = 64
# Error numbers of a full disk and of an exhausted quota.
FULL = (errno.ENOSPC, errno.EDQUOT)
R = TypeVar("R", bound="BaseModel")


def visible(text: object) -> str:
    r"""A name on one line, with every character that UNSEEN matches as an escape such as `\n` or `\x1b`."""
    return UNSEEN.sub(lambda found: ascii(found[0])[1:-1], str(text))


def printable(text: str) -> str:
    """A text of several lines, each made `visible`; its line breaks stay."""
    return "\n".join(map(visible, text.split("\n")))


def plain_json(text: str) -> str:
    """Equivalent JSON in which line breaks are the only characters that UNSEEN matches."""
    return "\n".join(UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], line) for line in text.split("\n"))


def to_json(record: "BaseModel") -> str:
    """JSON of a record: keys in the order of its class, floats to 6 significant digits."""
    return plain_json(json.dumps(_rounded(record.model_dump(mode="json")), indent=1, ensure_ascii=False)) + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return value


def record_sha256(record: "BaseModel") -> str:
    """Hash of a record, by which another one is told from it."""
    return hashlib.sha256(to_json(record).encode()).hexdigest()


def write_record(record: "BaseModel", path: Path) -> None:
    """Write a record as JSON, whole or not at all."""
    write_whole(path, to_json(record).encode())


def read_record(kind: type[R], path: Path) -> R:
    """Read a record.

    Raises:
        FileNotFoundError: the file does not exist.
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
            f"{path}: want a {kind.__name__}, got {where}: {first['msg']}. Run `dvc repro`; it rewrites the file."
        ) from None


def write_table(columns: Sequence[str], rows: Iterable[Iterable[Any]], path: Path) -> None:
    """Write a CSV with a header, whole or not at all.

    Cells go through `to_cell`. Only those that need quotes get them.
    """
    lines = [_line(columns), *map(_line, rows)]
    write_whole(path, "".join(lines).encode())


def _line(cells: Iterable[Any]) -> str:
    text = io.StringIO()
    # csv quotes only the characters of its own line end. With "\n" alone, a carriage return in a name would stay bare
    # and split the row when it is read.
    csv.writer(text, lineterminator="\r\n").writerow(map(to_cell, cells))
    return text.getvalue().removesuffix("\r\n") + "\n"


def read_table(columns: Sequence[str], path: Path, wanted: str, stage: str) -> Iterator[dict[str, str]]:
    """Rows of a CSV that `write_table` wrote, as the text of each cell by column name.

    Args:
        columns: the columns that the table must begin with; others may follow.
        path: the CSV file.
        wanted: what the file should hold, for the error message, such as "a catalogue".
        stage: the stage that writes the file, for the error message.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the columns are others, or a row is not as long as the header.
    """
    again = f"Run `dvc repro {stage}`; it rewrites the file."
    if not path.is_file():
        raise FileNotFoundError(f"{path}: want {wanted}, got no file. Run `dvc repro {stage}`.")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = [from_cell(name) for name in next(reader, [])]
        if header[: len(columns)] != [*columns]:
            found = visible(", ".join(header)) or "none"
            raise ValueError(f"{path}: want the columns {', '.join(columns)}, got {found}. {again}")
        for row in reader:
            if len(row) != len(header):
                where = f"{path}, line {reader.line_num}"
                raise ValueError(f"{where}: want {len(header)} cells, got {len(row)}. {again}")
            yield dict(zip(header, map(from_cell, row), strict=True))


def to_cell(value: Any) -> Any:
    """A CSV cell that no spreadsheet computes: text that looks like a formula gets a single quote before it.

    The quote is how spreadsheets themselves mark text. Numbers stay numbers. `from_cell` is the inverse.

    Source: OWASP, CSV Injection.
    """
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


def from_cell(cell: str) -> str:
    """The text that `to_cell` was given."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def write_arrays(arrays: "Mapping[str, NDArray[Any]]", path: Path) -> None:
    """Write named arrays as .npz in their order, whole or not at all."""
    import numpy as np

    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    write_whole(path, content.getvalue())


def read_arrays(path: Path, wanted: str, stage: str) -> "dict[str, NDArray[Any]]":
    """Named arrays of an .npz file, in the order in which they were written.

    Args:
        path: the file.
        wanted: what the file should hold, for the error message, such as "logits".
        stage: the stage that writes the file, for the error message.

    Raises:
        FileNotFoundError: the file does not exist.
    """
    import numpy as np

    if not path.is_file():
        raise FileNotFoundError(f"{path}: want {wanted}, got no file. Run `dvc repro {stage}`.")
    with path.open("rb") as file, np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a temporary file in the same folder is renamed.

    Raises:
        OSError: the disk is full; the message says how much room was needed.
    """
    with room_for(path, len(content)):
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp allows only the owner to read; the umask can only be read by setting it
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def room_for(path: Path, n_bytes: int | None = None) -> Iterator[None]:
    """Turn a full disk into one clear message while a file is written.

    Args:
        path: the file that is written.
        n_bytes: its size, where that is known beforehand.

    Raises:
        OSError: the disk is full.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        # torch raises a RuntimeError of its own, with the system's error as its context
        cause = error if isinstance(error, OSError) else error.__context__
        if not isinstance(cause, OSError) or cause.errno not in FULL:
            raise
        raise OSError(no_room(path, cause, "room" if n_bytes is None else f"{n_bytes / 1e6:,.1f} MB")) from None


def no_room(path: Path, error: OSError, wanted: str = "room") -> str:
    """The message for a full disk."""
    there = next(each for each in (path.absolute(), *path.absolute().parents) if each.is_dir())
    free = shutil.disk_usage(there).free
    return (
        f"{path}: want {wanted} on the disk of {there}, got {free / 1e6:,.1f} MB free ({error.strerror}). Free some; "
        "`dvc gc --all-commits --all-experiments` drops what no commit names from .dvc/cache."
    )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as `sha256sum` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def named_path(text: str) -> Path:
    """A path that a user wrote, with `~` expanded to the home folder if there is one."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        # without a home folder the path stays as written, and the error that the file is missing names it so
        return Path(text)


def check_named_file(path: Path, sha256: str | None, key: str, wanted: str) -> None:
    """Check a file that the user named against the sha256 given with it.

    Args:
        path: the file.
        sha256: the sha256 that it should have.
        key: prefix of the names of the two values, which end in `_file` and `_sha256`.
        wanted: the rest of the error message for a missing file: what is wanted, what was found, what to do.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: its sha256 is another.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{key}_file: {visible(wanted)}")
    found = file_sha256(path)
    if found != sha256:
        raise ValueError(
            f"{key}_sha256: want the sha256 of {visible(path)}, which is {found}, got {sha256}. "
            "Fetch the file again if it should be the other one."
        )


def let_go(images: "NDArray[np.uint8]") -> None:
    """Free the memory behind a mapped image store; pages are read again when they are touched.

    Without it, reading a few thousand images maps gigabytes: see AT_A_TIME.
    """
    mapped = getattr(images, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
