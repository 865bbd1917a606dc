"""Match the file names in a table to files. Accents have two encodings, and disks keep either."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from graft.store.catalogue import nfc

# Files that an error message names.
MOST_NAMED = 3


def some(names: Sequence[str]) -> str:
    """The number of files and the first few names, for an error message."""
    shown = ", ".join(repr(name) for name in names[:MOST_NAMED])
    return f"{len(names)} of them: {shown}{', ...' if len(names) > MOST_NAMED else ''}"


def finder(folder: Path, files: Sequence[str]) -> Callable[[str], str | None]:
    r"""A function that maps a path as written in a table to the file it means, or to None if there is none.

    A file of exactly that name comes first. Otherwise accents may be in the other encoding, separators may be
    backslashes, and the path may begin with `./` or with the end of the folder's own path, as in
    `data/raw/target/cat/1.png`.

    Args:
        folder: the domain's folder.
        files: paths of the files in it, relative to it, with forward slashes.
    """
    there, by_nfc = set(files), {nfc(name): name for name in files}

    def find(written: str) -> str | None:
        if written in there:
            return written
        return next((by_nfc[each] for each in _spellings(nfc(written), folder) if each in by_nfc), None)

    return find


def _spellings(written: str, folder: Path) -> Iterator[str]:
    yield written
    # PurePosixPath drops `.` and doubled slashes
    parts = PurePosixPath(written.replace("\\", "/")).parts
    yield "/".join(parts)
    for n_parts in range(1, len(parts)):
        if parts[:n_parts] == folder.parts[-n_parts:]:
            yield "/".join(parts[n_parts:])
