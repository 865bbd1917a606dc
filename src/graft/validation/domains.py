"""Open the catalogue and image store of a domain, checked against the record of prepare_data."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.files import AT_A_TIME, let_go
from graft.records.catalog import Domain, LeftOut
from graft.records.common import SHA256_DIGITS
from graft.store.catalogue import CatalogRow, open_images, read_catalog

Name = Literal["source", "target", "unlabeled"]


class OpenDomain(NamedTuple):
    """The catalogue and the image store of a domain."""

    name: Name
    """unlabeled: images of the target without labels"""
    rows: tuple[CatalogRow, ...]
    images: NDArray[np.uint8]
    """(n readable images, s, s, 3); empty if the store is damaged"""
    fault: str
    """how the store is damaged; empty if it is not"""
    value_bits: int | None = None
    """bits in use in 16-bit files; None if there are no such files"""
    left_out: tuple[LeftOut, ...] = ()
    """files that are left out"""
    table_doubts: tuple[str, ...] = ()
    """what looks like a mistake in the table of labels"""

    @property
    def readable(self) -> tuple[CatalogRow, ...]:
        """Rows of readable images."""
        return tuple(row for row in self.rows if row.row >= 0)


class Domains(NamedTuple):
    """All domains; those that are absent have no rows."""

    source: OpenDomain
    target: OpenDomain
    unlabeled: OpenDomain

    @property
    def learns_from(self) -> Name:
        """The domain whose labels are learned: the target, or the source where the target has no train images."""
        return "target" if any(row.split == "train" for row in self.target.rows) else "source"


def open_domain(name: Name, record: Domain, catalog: Path, store: Path) -> OpenDomain:
    """Open a domain. Its image store is mapped into memory only if its SHA-256 is the recorded one.

    Raises:
        FileNotFoundError: the catalogue or the store does not exist.
    """
    rows = read_catalog(catalog)
    if not store.is_file():
        raise FileNotFoundError(f"{store}: want an image store, got no file. Run `dvc repro prepare_data`.")
    with store.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    told = (record.value_bits, record.left_out, record.table_doubts)
    if sha256 == record.store_sha256:
        return OpenDomain(name, rows, open_images(store), "", *told)
    found, made = sha256[:SHA256_DIGITS], record.store_sha256[:SHA256_DIGITS]
    fault = f"{store}: its sha256 is {found}..., but was {made}... when it was made"
    return OpenDomain(name, rows, np.zeros((0, 1, 1, 3), dtype=np.uint8), fault, *told)


def pictures(domain: OpenDomain, places: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    """Copies of images of a store, one after the other. Memory of the mapped store is freed from time to time.

    Args:
        domain: the domain.
        places: places of the images in its store.
    """
    for number, place in enumerate(places, 1):
        yield domain.images[place].copy()
        if number % AT_A_TIME == 0:
            let_go(domain.images)
