"""Group images that belong together: groups that the user names, exact copies and near duplicates."""

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
from graft.preparation.found import FOLDERS, Found
from graft.preparation.label_table import TABLE
from graft.preparation.names import finder, some
from graft.store.catalogue import CatalogRow, nfc

# Folders of domains that may have no user groups where the target has some.
MAY_LACK_GROUPS = (FOLDERS["source"], FOLDERS["unlabeled"])


def grouped(
    rows: Sequence[CatalogRow],
    images: NDArray[np.uint8],
    params: PrepareData,
    folder: Path,
    of_table: Mapping[str, str],
) -> tuple[CatalogRow, ...]:
    """Rows with the group of each readable image.

    A group is a connected component of images that share a user group, are exact copies, or are near duplicates.
    Copies connect only within a split that the folders name. Across splits they are a fault, which validate_data
    reports apart from a user group that is in two splits. Near duplicates that connect too much of a class
    (`chains`) are ignored, since a group that large could not be cut into splits.

    A group is named by the first of its user groups in alphabetical order, or else by its smallest sha256. An image
    on its own is named by its own sha256.

    Args:
        rows: rows of a domain, with `split` as the folders name it, or train.
        images: (n, s, s, 3) image store of the domain.
        params: where user groups come from, and how near duplicates are found.
        folder: the domain's folder. Source and unlabelled images may have no user groups where the target has some.
        of_table: user groups from the table of labels, by path; empty if it names none.

    Raises:
        FileNotFoundError: the group file does not exist.
        ValueError: the group file is invalid, or only some of the images have a group.
    """
    readable = [row for row in rows if row.row >= 0]
    unreadable = [row.path for row in rows if row.row < 0]
    named = of_table or named_groups([row.path for row in readable], params, folder, unreadable)
    copies = _alike((row.split, row.sha256) for row in readable)
    users = _alike(named.get(row.path) for row in readable)
    near = _near(readable, images, params.near_duplicate_bits)
    names = iter(_names(readable, connected(len(readable), chain(copies, users, near)), named))
    return tuple(row._replace(group=next(names)) if row.row >= 0 else row for row in rows)


def table_groups(found: Sequence[Found], params: PrepareData, folder: Path) -> dict[str, str]:
    """User groups from the table of labels, by path.

    Raises:
        ValueError: params.yaml names groups as well.
    """
    groups = {each.path: each.group for each in found if each.group is not None}
    for key, value in (("group_pattern", params.group_pattern), ("group_file", params.group_file)):
        if groups and value is not None:
            raise ValueError(
                f"{folder / TABLE}: want no column group where params.yaml sets prepare_data.{key}, got both. "
                f"Set {key} to null, or rename the column."
            )
    return groups


def named_groups(
    paths: Sequence[str], params: PrepareData, folder: Path, unreadable: Sequence[str] = ()
) -> Mapping[str, str]:
    """Group of each image, by path, as the pattern or the file of params.yaml names it; empty if neither is given.

    Args:
        paths: paths of the readable images, relative to the folder.
        params: the pattern or the file.
        folder: the domain's folder. Source and unlabelled images may have no groups where the target has some.
        unreadable: paths of files that cannot be read, which a group file may name or leave out.

    Raises:
        FileNotFoundError: the group file does not exist.
        ValueError: the group file is invalid, or only some of the images have a group.
    """
    may_lack = folder.name in MAY_LACK_GROUPS
    if params.group_pattern is not None:
        return _from_pattern(paths, params.group_pattern, folder, may_lack)
    if params.group_file is None or not paths or (may_lack and not (folder / params.group_file).is_file()):
        return {}
    return _from_file(paths, unreadable, folder / params.group_file)


def _from_pattern(paths: Sequence[str], pattern: str, folder: Path, may_lack: bool) -> dict[str, str]:
    """The group that the pattern captures in each path.

    A path without a match is an error, not a group of its own: most often the pattern misses one spelling of a name,
    and the same patient would be in two splits.
    """
    found = {path: re.search(nfc(pattern), nfc(path)) for path in paths}
    groups = {path: match[1] for path, match in found.items() if match and match[1]}
    missed = [path for path in found if path not in groups]
    if missed and not (may_lack and not groups):
        raise ValueError(
            f"{folder}: want a match of prepare_data.group_pattern {pattern!r} in the path of every image, got none "
            f"in {some(missed)}. Widen the pattern, rename these files, or use prepare_data.group_file."
        )
    return groups


def _from_file(paths: Sequence[str], unreadable: Sequence[str], path: Path) -> dict[str, str]:
    """Group of each image from a CSV with the columns path,group, which must name every readable image."""
    find = finder(path.parent, [*paths, *unreadable])
    lines = [(find(name), name, group) for name, group in _lines(path)]
    twice = [place for place, n in Counter(place for place, _, _ in lines if place).items() if n > 1]
    unknown = sorted({name for place, name, _ in lines if place is None})
    groups = {place: group for place, _, group in lines if place and group}
    missed = [each for each in paths if each not in groups]
    for names, want, cure in (
        (twice, "every path once", "Delete the extra lines."),
        (unknown, f"paths of images under {path.parent}, with forward slashes", "Fix or delete these lines."),
        (missed, "a group for every image", "Add them; an image that belongs to no other gets a group of its own."),
    ):
        if names:
            raise ValueError(f"{path}: want {want}, got it wrong for {some(names)}. {cure}")
    return groups


def _lines(path: Path) -> list[tuple[str, str]]:
    """Path and group from each line of a group file."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: want a CSV with the columns path,group, got no file. "
            "Put it there, or set prepare_data.group_file to null."
        )
    header = read_header(path)
    if not {"path", "group"} <= set(header.columns):
        raise ValueError(f"{path}: want the columns path,group, got {header.shown}. Name them so in the first line.")
    return [(name, nfc(group)) for name, group in read_cells(path, header, ("path", "group"))]


def _alike(keys: Iterable[object]) -> Iterator[tuple[int, int]]:
    """Pairs of positions that connect all positions with equal keys; None equals nothing."""
    first: dict[object, int] = {}
    return ((first.setdefault(key, place), place) for place, key in enumerate(keys) if key is not None)


def _near(rows: Sequence[CatalogRow], images: NDArray[np.uint8], bits: int | None) -> Iterator[tuple[int, int]]:
    """Pairs of positions of near duplicates within one split; none if bits is None."""
    if bits is None:
        return iter(())
    pairs = duplicate_pairs(rows, images, bits)
    copies = pairs[~chains(rows, pairs).pairs].tolist()
    return ((one, two) for one, two in copies if rows[one].split == rows[two].split)


def _names(rows: Sequence[CatalogRow], roots: Sequence[int], named: Mapping[str, str]) -> list[str]:
    """Name of each row's group, where rows with equal roots form a group."""
    of_user: defaultdict[int, list[str]] = defaultdict(list)
    hashes: defaultdict[int, list[str]] = defaultdict(list)
    for row, root in zip(rows, roots, strict=True):
        hashes[root].append(row.sha256)
        if row.path in named:
            of_user[root].append(named[row.path])
    name = {root: min(of_user.get(root) or members) for root, members in hashes.items()}
    return [name[root] for root in roots]
