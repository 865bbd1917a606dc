"""Names of files and classes, as they are compared: accents have two encodings, and disks keep either."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from graft.store.catalogue import nfc

MOST_NAMED = 3
"""files that a sentence names"""


def some(names: Sequence[str]) -> str:
    """So many files, and the first of them by name."""
    shown = ", ".join(repr(name) for name in names[:MOST_NAMED])
    return f"{len(names)} of them: {shown}{', ...' if len(names) > MOST_NAMED else ''}"


def finder(folder: Path, files: Sequence[str]) -> Callable[[str], str | None]:
    r"""A function from a path as a table writes it to the file that it means, None where there is none.

    A file of that very name comes first. Else accents may be in the other encoding, separators backslashes, and the
    path may begin with `./` or with the end of the folder's own path, as in `data/raw/target/cat/1.png`.

    Args:
        folder: of the domain.
        files: below it, relative to it, forward slashes.
    """
    there, by_nfc = set(files), {nfc(name): name for name in files}

    def find(written: str) -> str | None:
        if written in there:
            return written
        return next((by_nfc[each] for each in _spellings(nfc(written), folder) if each in by_nfc), None)

    return find


def _spellings(written: str, folder: Path) -> Iterator[str]:
    yield written
    parts = PurePosixPath(written.replace("\\", "/")).parts  # without `.` and doubled slashes
    yield "/".join(parts)
    for n_parts in range(1, len(parts)):
        if parts[:n_parts] == folder.parts[-n_parts:]:
            yield "/".join(parts[n_parts:])
