"""A table of pairs of images that are nearly the same."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graft.images.duplicates.chains import Chain, chains
from graft.images.duplicates.pairs import (
    Candidates,
    compared,
    duplicate_pairs,
    hash_numbers,
    near_duplicates,
    thumbnails,
)
from graft.records.common import Split
from graft.store.catalogue import CatalogRow
from graft.validation.domains import Domains, OpenDomain


class Pair(NamedTuple):
    """Two images that are nearly the same but not equal files, or a class with too many; None where not applicable."""

    name: str
    in_one_split: int | None = None
    in_two_splits: int | None = None
    under_two_classes: int | None = None
    in_source_and_test: int | None = None
    in_unlabelled_and_test: int | None = None
    in_unlabelled_and_train: int | None = None
    chained: float | None = None
    domain: str = ""
    """domain of the first image, as are path, label and split"""
    path: str = ""
    label: str = ""
    split: str = ""
    other: str = ""
    """the second image, as domain and path"""


class _Part(NamedTuple):
    """Splits of the target that are compared with another domain."""

    domain: OpenDomain
    splits: tuple[Split, ...]
    column: str
    """column of the pairs that are found"""


# Columns of text; all others are numbers.
WORDS = ("name", "domain", "path", "label", "split", "with")


def pair_table(domains: Domains, bits: int) -> pd.DataFrame:
    """One row for each pair of near duplicates within source or target, or between the target and another domain.

    Of the source, only pairs with the target's test split count. Of unlabelled images, pairs among themselves do not.

    Columns: name (both files), domain, path, label and split of the first image, with (the second image),
    in_one_split, in_two_splits, under_two_classes (0 or 1, within a domain), in_source_and_test,
    in_unlabelled_and_test, in_unlabelled_and_train (1, between source or unlabelled images and test, or train and val,
    of the target) and chained. Pairs that connect too much of a class (`chains`) are left out. Such a class has a row
    of its own, whose chained is the share that they connect. If many images are all alike, not every pair has a row,
    but enough to connect them.

    Args:
        domains: the domains, with whole image stores.
        bits: bits in which the perceptual hashes of candidates may differ.
    """
    source, target, unlabelled = domains
    pairs = [
        *_within(source, bits),
        *_within(target, bits),
        *_between(source, _Part(target, ("test",), "in_source_and_test"), bits),
        *_between(unlabelled, _Part(target, ("test",), "in_unlabelled_and_test"), bits),
        *_between(unlabelled, _Part(target, ("train", "val"), "in_unlabelled_and_train"), bits),
    ]
    columns = {name: [getattr(pair, name) for pair in pairs] for name in Pair._fields}
    columns["with"] = columns.pop("other")
    kinds = {name: "str" if name in WORDS else "float64" for name in columns}
    return pd.DataFrame({name: pd.Series(values, dtype=kinds[name]) for name, values in columns.items()})


def _within(domain: OpenDomain, bits: int) -> list[Pair]:
    rows = domain.readable
    pairs = duplicate_pairs(rows, domain.images, bits)
    found = chains([_of_domain(row, domain) for row in rows], pairs)
    return [
        *map(_chained, found.classes),
        *(
            _pair(
                domain.name,
                one,
                f"{domain.name}/{two.path}",
                in_one_split=int(one.split == two.split),
                in_two_splits=int(one.split != two.split),
                under_two_classes=int(one.label != two.label),
            )
            for one, two in _different(rows, pairs[~found.pairs])
        ),
    ]


def _between(other: OpenDomain, part: _Part, bits: int) -> list[Pair]:
    """Pairs of an image of another domain and one of a part of the target."""
    target = part.domain
    of_other, of_part = other.readable, tuple(row for row in target.readable if row.split in part.splits)
    rows = (*of_other, *of_part)
    stored = np.array([row.row for row in rows], dtype=np.int64)
    pairs, rivals = near_duplicates(hash_numbers(rows), bits)
    # (m,) whether one image of a pair is in the other domain and one is not
    across = (pairs < len(of_other)).sum(axis=1) == 1

    def small(places: NDArray[np.int64]) -> NDArray[np.float32]:
        # positions are sorted, those in the other domain first
        firsts, seconds = np.split(places, [np.searchsorted(places, len(of_other))])
        return np.concatenate([thumbnails(other.images, stored[firsts]), thumbnails(target.images, stored[seconds])])

    alike = compared(Candidates(pairs[across], np.concatenate([pairs[~across], rivals])), small)
    known = [*(_of_domain(row, other) for row in of_other), *(_of_domain(row, target) for row in of_part)]
    # a chain is measured against all images of its class: of a small test split, one image may be a tenth
    beside = [_of_domain(row, target) for row in target.readable if row.split not in part.splits]
    found = chains(known, alike, beside)
    return [
        *map(_chained, found.classes),
        *(
            _pair(other.name, one, f"{target.name}/{two.path}", **{part.column: 1})
            for one, two in _different(rows, alike[~found.pairs])
        ),
    ]


def _of_domain(row: CatalogRow, domain: OpenDomain) -> CatalogRow:
    """The row with its domain before its class: equal names in the two domains are different classes."""
    return row._replace(label=f"{domain.name}/{row.label}")


def _chained(chain: Chain) -> Pair:
    share = chain.n_connected / chain.n_images
    return Pair(f"{chain.label.removesuffix('/')} ({chain.n_connected} of {chain.n_images} images)", chained=share)


def _different(rows: Sequence[CatalogRow], pairs: NDArray[np.int64]) -> list[tuple[CatalogRow, CatalogRow]]:
    """Rows of pairs that are not equal files."""
    couples = [(rows[first], rows[second]) for first, second in pairs.tolist()]
    return [(one, two) for one, two in couples if one.sha256 != two.sha256]


def _pair(domain: str, row: CatalogRow, other: str, **numbers: int) -> Pair:
    label = row.label.removeprefix(f"{domain}/")
    name = f"{domain}/{row.path} ~ {other}"
    return Pair(name, domain=domain, path=row.path, label=label, split=row.split, other=other, **numbers)
