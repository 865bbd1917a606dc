"""Make the catalogue, the image store and the record of a domain from its files."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from graft.files import visible
from graft.params.data import PrepareData
from graft.preparation.assembly import assemble
from graft.preparation.found import Found
from graft.preparation.image_groups import grouped, table_groups
from graft.preparation.label_doubts import table_doubts
from graft.preparation.leftovers import left_out, unlabelled
from graft.preparation.splits import Unit, assign_splits
from graft.preparation.value_range import recognised_bits
from graft.records.catalog import Domain, Quarantined
from graft.records.common import Preprocessing
from graft.store.catalogue import SPLITS, CatalogRow, class_names, open_images

# Unreadable files that the record names.
MOST_NAMED = 1000


class PrepareSettings(NamedTuple):
    """How images are preprocessed, grouped and split."""

    preprocessing: Preprocessing
    params: PrepareData
    """which images form groups"""
    seed: int
    """for splits that the folders do not name"""


class Prepared(NamedTuple):
    """The catalogue and the record of a domain."""

    rows: tuple[CatalogRow, ...]
    domain: Domain


def prepare(folder: Path, found: Sequence[Found], store: Path, shards: Path, settings: PrepareSettings) -> Prepared:
    """Decode every image, write the readable ones into an image store, and catalogue all of them.

    Args:
        folder: the domain's folder.
        found: the files in it; none if the domain is absent. Files without labels all stay in train.
        store: the .npy file, (n readable images, crop_px, crop_px, 3) uint8, written when all else has succeeded.
        shards: folder for intermediate results. An interrupted call resumes from it; a finished call deletes it.
        settings: how images are preprocessed, grouped and split.

    Raises:
        ValueError: a class has fewer readable images than there are splits, the groups are inconsistent, or the
            value range of 16-bit files cannot be determined.
        OSError: the disk is full.
    """
    of_table = table_groups(found, settings.params, folder)
    value_bits = recognised_bits(folder, found, settings.preprocessing)
    preprocessing = settings.preprocessing.model_copy(update={"value_bits": value_bits})
    assembled = assemble(folder, found, shards, preprocessing)
    _check_enough(folder, assembled.rows)
    drafts = grouped(assembled.rows, open_images(assembled.store), settings.params, folder, of_table)
    rows = _with_splits(folder, found, drafts, settings.seed)
    store.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(assembled.store, store)
    shutil.rmtree(shards)
    domain = _describe(rows, assembled.sha256)
    has_groups = bool(of_table or settings.params.group_pattern or settings.params.group_file)
    seen = {
        "value_bits": value_bits,
        "left_out": (*left_out(folder), *unlabelled(folder, found)),
        "table_doubts": table_doubts(folder, found, has_groups),
    }
    return Prepared(rows, domain.model_copy(update=seen))


def _with_splits(folder: Path, found: Sequence[Found], rows: Sequence[CatalogRow], seed: int) -> tuple[CatalogRow, ...]:
    """The rows with their splits. An unreadable file keeps the split of its folder, or train."""
    if not class_names(rows):
        return tuple(rows)
    named = {each.path: each.split for each in found}
    readable = [row for row in rows if row.row >= 0]
    units = [Unit(row.label, row.group, named[row.path]) for row in readable]
    splits = assign_splits(units, str(folder), seed)
    split_of = {row.path: split for row, split in zip(readable, splits, strict=True)}
    return tuple(row._replace(split=split_of.get(row.path, row.split)) for row in rows)


def _check_enough(folder: Path, rows: Sequence[CatalogRow]) -> None:
    n_readable = Counter(row.label for row in rows if row.row >= 0)
    # where the folders name test alone, nothing is cut
    wanted = ("test",) if {row.split for row in rows} == {"test"} else SPLITS
    for label in class_names(rows):
        if n_readable[label] < len(wanted):
            broken = [row.path for row in rows if row.label == label and row.row < 0]
            unreadable = f" ({len(broken)} cannot be read, such as {visible(broken[0])})" if broken else ""
            raise ValueError(
                f"{folder}, class {visible(label)}: want at least {len(wanted)} readable images, one for each of "
                f"{', '.join(wanted)}, got {n_readable[label]}{unreadable}. "
                "Add images of it, or leave the class out."
            )


def _describe(rows: Sequence[CatalogRow], store_sha256: str) -> Domain:
    """The record of a domain; its n_images counts readable images only."""
    classes = class_names(rows)
    readable = [row for row in rows if row.row >= 0]
    broken = [Quarantined(path=row.path, reason=row.error) for row in rows if row.row < 0]
    counts = Counter((row.split, row.label) for row in readable)
    identity = [(row.path, row.label, row.split, row.group, row.sha256) for row in rows]
    return Domain(
        present=bool(rows),
        n_images=len(readable),
        n_undecodable=len(broken),
        classes=classes,
        counts={split: {name: counts[split, name] for name in classes} for split in SPLITS},
        sha256=hashlib.sha256(json.dumps(identity).encode()).hexdigest(),
        store_sha256=store_sha256,
        quarantine=tuple(broken[:MOST_NAMED]),
    )
