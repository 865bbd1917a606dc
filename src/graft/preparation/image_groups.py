"""Which images belong together: the user's groups, exact copies and near duplicates."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graft.images.duplicates.chains import chains, connected
from graft.images.duplicates.pairs import duplicate_pairs
from graft.params.data import PrepareData
from graft.preparation.csv_table import read_cells, read_header
from graft.preparation.found import Found
from graft.preparation.label_table import TABLE
from graft.preparation.names import finder, some
from graft.store.catalogue import CatalogRow, nfc


def grouped(
    rows: Sequence[CatalogRow],
    images: NDArray[np.uint8],
    params: PrepareData,
    folder: Path,
    of_table: Mapping[str, str],
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
        of_table: groups that the table of labels names, by path; none where it names none.

    Raises:
        FileNotFoundError: there is no group file.
        ValueError: the group file cannot be used, or an image has no group where others have one.
    """
    readable = [row for row in rows if row.row >= 0]
    named = of_table or _user_groups(rows, params, folder)
    copies = _alike((row.split, row.sha256) for row in readable)
    users = _alike(named.get(row.path) for row in readable)
    near = _near(readable, images, params.near_duplicate_bits)
    names = iter(_names(readable, connected(len(readable), chain(copies, users, near)), named))
    return tuple(row._replace(group=next(names)) if row.row >= 0 else row for row in rows)


def table_groups(found: Sequence[Found], params: PrepareData, folder: Path) -> dict[str, str]:
    """The groups that the table of labels names, by path.

    Raises:
        ValueError: params name groups, too.
    """
    groups = {each.path: each.group for each in found if each.group is not None}
    for key, value in (("group_pattern", params.group_pattern), ("group_file", params.group_file)):
        if groups and value is not None:
            raise ValueError(
                f"{folder / TABLE}: want no column group where params.yaml sets prepare_data.{key}, got both. "
                f"Set {key} to null, or call the column otherwise."
            )
    return groups


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
            f"in {some(missed)}. Widen the pattern, rename these files, or use prepare_data.group_file."
        )
    return groups


def _from_file(rows: Sequence[CatalogRow], path: Path) -> dict[str, str]:
    """The group of each image as a CSV says, path,group; it must say one for every readable image."""
    find = finder(path.parent, [row.path for row in rows])
    lines = [(find(name), name, group) for name, group in _lines(path)]
    twice = [place for place, n in Counter(place for place, _, _ in lines if place).items() if n > 1]
    unknown = sorted({name for place, name, _ in lines if place is None})
    groups = {place: group for place, _, group in lines if place and group}
    missed = [row.path for row in rows if row.row >= 0 and row.path not in groups]
    for names, want, cure in (
        (twice, "every path once", "Delete the lines that are too many."),
        (unknown, f"paths of images under {path.parent}, with forward slashes", "Mend or delete these lines."),
        (missed, "a group for every image", "Add them; an image that stands alone gets a group of its own."),
    ):
        if names:
            raise ValueError(f"{path}: want {want}, got it wrong for {some(names)}. {cure}")
    return groups


def _lines(path: Path) -> list[tuple[str, str]]:
    """Path and group of each line of a group file."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: want a CSV with the columns path,group, got no file. "
            "Put it there, or set prepare_data.group_file to null."
        )
    header = read_header(path)
    if not {"path", "group"} <= set(header.columns):
        raise ValueError(f"{path}: want the columns path,group, got {header.told}. Name them so in the first line.")
    return [(name, nfc(group)) for name, group in read_cells(path, header, ("path", "group"))]


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
