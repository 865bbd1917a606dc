"""Which images belong together: the user's groups, exact copies and near duplicates."""

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graft.escaping import visible
from graft.params import PrepareData
from graft.store import CatalogRow
from graft.validation.chains import chains, connected
from graft.validation.duplicates import duplicate_pairs
from graft.validation.names import nfc

MOST_NAMED = 3
"""files that a sentence names"""


def grouped(
    rows: Sequence[CatalogRow], images: NDArray[np.uint8], params: PrepareData, folder: Path
) -> tuple[CatalogRow, ...]:
    """Rows with the group of each readable image.

    A group is what a chain of equal user groups, exact copies and near duplicates connects. Copies connect only
    within a split that the folders name: across them they are a fault, which validate_data finds and tells apart
    from a user's group that stands in two splits. Near duplicates that chain too much of a class (`chains`) connect
    nothing: one group of them could not be cut into splits. The group's name is the user's, the first of several,
    else the smallest sha256; an image alone is called by its own.

    Args:
        rows: of a domain, with `split` as the folders name it, or train.
        images: its image store, (n, s, s, 3).
        params: which groups there are, and how near duplicates are looked for.
        folder: of the domain; the one called source may do without groups of the user's.

    Raises:
        FileNotFoundError: there is no group file.
        ValueError: the group file cannot be used, or an image has no group where others have one.
    """
    readable = [row for row in rows if row.row >= 0]
    named = _user_groups(rows, params, folder)
    copies = _alike((row.split, row.sha256) for row in readable)
    users = _alike(named.get(row.path) for row in readable)
    near = _near(readable, images, params.near_duplicate_bits)
    names = iter(_names(readable, connected(len(readable), chain(copies, users, near)), named))
    return tuple(row._replace(group=next(names)) if row.row >= 0 else row for row in rows)


def _user_groups(rows: Sequence[CatalogRow], params: PrepareData, folder: Path) -> Mapping[str, str]:
    """The user's group of each readable image by its path; empty where there are none."""
    is_source = folder.name == "source"
    if params.group_pattern is not None:
        return _from_pattern(rows, params.group_pattern, folder, is_source)
    if params.group_file is None or not rows or (is_source and not (folder / params.group_file).is_file()):
        return {}
    return _from_file(rows, folder / params.group_file)


def _from_pattern(rows: Sequence[CatalogRow], pattern: str, folder: Path, may_lack: bool) -> dict[str, str]:
    """What the pattern finds in each path.

    An image in which it finds nothing is refused, not left alone: most often the pattern misses one way of
    writing the name, and the same patient would stand in two splits.
    """
    found = {row.path: re.search(nfc(pattern), nfc(row.path)) for row in rows if row.row >= 0}
    groups = {path: match[1] for path, match in found.items() if match and match[1]}
    missed = [path for path in found if path not in groups]
    if missed and not (may_lack and not groups):
        raise ValueError(
            f"{folder}: want a match of prepare_data.group_pattern {pattern!r} in the path of every image, got none "
            f"in {_some(missed)}. Widen the pattern, rename these files, or use prepare_data.group_file."
        )
    return groups


def _from_file(rows: Sequence[CatalogRow], path: Path) -> dict[str, str]:
    """The group of each image as a CSV says, path,group; it must say one for every readable image.

    Both paths are compared in NFC: the disk may hold accents in another encoding than an editor writes.
    """
    lines = [(nfc(name), group) for name, group in _lines(path)]
    twice = [name for name, n in Counter(name for name, _ in lines).items() if n > 1]
    unknown = sorted({name for name, _ in lines} - {nfc(row.path) for row in rows})
    of_line = {name: group for name, group in lines if group}
    groups = {row.path: of_line[nfc(row.path)] for row in rows if nfc(row.path) in of_line}
    missed = [row.path for row in rows if row.row >= 0 and row.path not in groups]
    for names, want, cure in (
        (twice, "every path once", "Delete the lines that are too many."),
        (unknown, f"paths of images under {path.parent}, with forward slashes", "Mend or delete these lines."),
        (missed, "a group for every image", "Add them; an image that stands alone gets a group of its own."),
    ):
        if names:
            raise ValueError(f"{path}: want {want}, got it wrong for {_some(names)}. {cure}")
    return groups


def _lines(path: Path) -> list[tuple[str, str]]:
    """Path and group of each line of a group file."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: want a CSV with the columns path,group, got no file. "
            "Put it there, or set prepare_data.group_file to null."
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write a byte order mark
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            if not {"path", "group"} <= set(columns):
                raise ValueError(
                    f"{path}: want the columns path,group, got {visible(','.join(columns)) or 'an empty file'}. "
                    "Name them so in the first line, with commas between."
                )
            return [((line["path"] or "").strip(), (line["group"] or "").strip()) for line in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: want a CSV in UTF-8, got {error}. Save it again as CSV UTF-8.") from None


def _alike(keys: Iterable[object]) -> Iterator[tuple[int, int]]:
    """Pairs of places that connect all places of equal key; None is equal to nothing."""
    first: dict[object, int] = {}
    return ((first.setdefault(key, place), place) for place, key in enumerate(keys) if key is not None)


def _near(rows: Sequence[CatalogRow], images: NDArray[np.uint8], bits: int | None) -> Iterator[tuple[int, int]]:
    """Pairs of places of near duplicates in one split; none are looked for where bits is None."""
    if bits is None:
        return iter(())
    pairs = duplicate_pairs(rows, images, bits)
    copies = pairs[~chains(rows, pairs).pairs].tolist()
    return ((one, two) for one, two in copies if rows[one].split == rows[two].split)


def _names(rows: Sequence[CatalogRow], roots: Sequence[int], named: Mapping[str, str]) -> list[str]:
    """The name of each row's group."""
    of_user: defaultdict[int, list[str]] = defaultdict(list)
    hashes: defaultdict[int, list[str]] = defaultdict(list)
    for row, root in zip(rows, roots, strict=True):
        hashes[root].append(row.sha256)
        if row.path in named:
            of_user[root].append(named[row.path])
    name = {root: min(of_user.get(root) or members) for root, members in hashes.items()}
    return [name[root] for root in roots]


def _some(names: Sequence[str]) -> str:
    """So many files, and the first of them by name."""
    shown = ", ".join(repr(name) for name in names[:MOST_NAMED])
    return f"{len(names)} of them: {shown}{', ...' if len(names) > MOST_NAMED else ''}"
