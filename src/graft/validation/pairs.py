"""Images that are nearly the same, as a table of pairs."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graft.store import CatalogRow
from graft.validation.duplicates import (
    Candidates,
    compared,
    duplicate_pairs,
    hash_numbers,
    near_duplicates,
    thumbnails,
)
from graft.validation.sides import Side


class Pair(NamedTuple):
    """Two images that are nearly the same, but not the same file; what does not apply is None."""

    name: str
    in_one_split: int | None
    in_two_splits: int | None
    under_two_classes: int | None
    in_source_and_test: int | None


def pair_table(source: Side, target: Side, bits: int) -> pd.DataFrame:
    """One row a pair of near duplicates in a domain, or in the source and in the target's test split.

    Columns: name (both files), in_one_split, in_two_splits, under_two_classes (0 or 1, within a domain) and
    in_source_and_test (1, between the domains). Of many images that are all alike not every pair is there, but
    enough to connect them.

    Args:
        source: the source.
        target: the target.
        bits: of perceptual hashes that may differ for two pictures to be compared.
    """
    pairs = [*_within(source, bits), *_within(target, bits), *_between(source, target, bits)]
    columns = {name: [getattr(pair, name) for pair in pairs] for name in Pair._fields}
    numbers = {name: pd.Series(values, dtype="float64") for name, values in columns.items() if name != "name"}
    return pd.DataFrame({"name": pd.Series(columns["name"], dtype="str"), **numbers})


def _within(side: Side, bits: int) -> list[Pair]:
    rows = side.readable
    return [
        Pair(
            _name(side.name, one, side.name, two),
            int(one.split == two.split),
            int(one.split != two.split),
            int(one.label != two.label),
            None,
        )
        for one, two in _different(rows, duplicate_pairs(rows, side.images, bits))
    ]


def _between(source: Side, target: Side, bits: int) -> list[Pair]:
    of_source, of_test = source.readable, tuple(row for row in target.readable if row.split == "test")
    rows = (*of_source, *of_test)
    stored = np.array([row.row for row in rows], dtype=np.int64)
    pairs, rivals = near_duplicates(hash_numbers(rows), bits)
    across = (pairs < len(of_source)).sum(axis=1) == 1

    def small(places: NDArray[np.int64]) -> NDArray[np.float32]:
        firsts, seconds = np.split(places, [np.searchsorted(places, len(of_source))])
        return np.concatenate([thumbnails(source.images, stored[firsts]), thumbnails(target.images, stored[seconds])])

    found = compared(Candidates(pairs[across], np.concatenate([pairs[~across], rivals])), small)
    return [
        Pair(_name(source.name, one, target.name, two), None, None, None, 1) for one, two in _different(rows, found)
    ]


def _different(rows: Sequence[CatalogRow], pairs: NDArray[np.int64]) -> list[tuple[CatalogRow, CatalogRow]]:
    """Rows of pairs that are not the same file."""
    couples = [(rows[first], rows[second]) for first, second in pairs.tolist()]
    return [(one, two) for one, two in couples if one.sha256 != two.sha256]


def _name(first: str, one: CatalogRow, second: str, two: CatalogRow) -> str:
    return f"{first}/{one.path} ~ {second}/{two.path}"
