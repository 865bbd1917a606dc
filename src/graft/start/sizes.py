"""Classes, groups and numbers of images before any training: from the catalogue, else from the folders."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from graft.files import read_record, visible
from graft.params.pipeline import Params
from graft.preparation.found import Found
from graft.preparation.raw import scan_raw
from graft.preparation.scan import scan_optional
from graft.records.catalog import CatalogRecord
from graft.records.common import Split
from graft.start.minutes import Counts
from graft.start.survey import cut
from graft.store.catalogue import CatalogRow, Labelled, class_names, labelled, read_catalog

CURE = "Run `dvc repro validate_data`, which writes it."


class Files(NamedTuple):
    """Files that prepare_data wrote, and the folder of the user's images."""

    record: Path
    target: Path
    """catalogue of the target"""
    raw: Path


class Sizes(NamedTuple):
    """The images of the target as far as they are known before any training."""

    where: str
    """what they are known from"""
    classes: tuple[str, ...]
    test: Labelled
    """classes and groups of the n test images; without rows, and with empty hashes, where there is no catalogue"""
    counts: Counts
    catalogued: bool
    """whether they are the images of the record of the catalogue"""


def sizes_of(params: Params, files: Files) -> Sizes:
    """Sizes from the catalogue if it is of the images that the next run will see, else from the folders.

    Raises:
        FileNotFoundError: there are no images, or the example's record is missing.
        ValueError: the folder cannot be used.
    """
    dataset, target = params.prepare_data.dataset, files.raw / "target"
    found = None
    if dataset == "folders" and (target.is_dir() or not files.target.is_file()):
        found = scan_raw(files.raw).target
    record = read_record(CatalogRecord, files.record) if files.record.is_file() else None
    if record is not None and record.dataset == dataset:
        rows = read_catalog(files.target) if files.target.is_file() else ()
        # a target without labels to train on may have none at all
        there = bool(rows) or record.labels_from == "source"
        if there and (found is None or {each.path for each in rows} == {each.path for each in found}):
            return _of_catalogue(rows, record, files)
        if dataset == "example":
            return _of_record(record, files)
    if found is None or {each.split for each in found} <= {"test"}:
        raise FileNotFoundError(f"{files.target}: want the catalogue of this data set, got none. {CURE}")
    return sizes_in(target, found, params, len(scan_optional(files.raw / "source")))


def sizes_in(folder: Path, found: Sequence[Found], params: Params, n_source: int) -> Sizes:
    """Sizes from the names of files; which of them cannot be read or are near duplicates is not known.

    Args:
        folder: folder of the target.
        found: files in the folder.
        params: the seed of the cut, and the groups, if any.
        n_source: number of source images.

    Raises:
        ValueError: a class has fewer groups than splits to be cut, or images lack a group.
    """
    units = cut(folder, found, params)
    classes = tuple(sorted({each.label for each in units}))
    test = [each for each in units if each.split == "test"]
    n = Counter(each.split for each in units)
    return Sizes(
        where=f"the names in {visible(folder)}",
        classes=classes,
        test=_without_files([classes.index(each.label) for each in test], [each.group for each in test]),
        counts=Counts(n_source, n["train"], n["val"], n["test"], len(classes)),
        catalogued=False,
    )


def _of_catalogue(rows: Sequence[CatalogRow], record: CatalogRecord, files: Files) -> Sizes:
    classes = class_names(rows) if record.labels_from == "target" else record.classes
    test = labelled(rows, classes, "test")
    return Sizes(str(files.target), classes, test, _counts(record), catalogued=True)


def _of_record(record: CatalogRecord, files: Files) -> Sizes:
    """Sizes from the record alone, which does not know groups."""
    classes = record.classes
    of_class = [record.target.counts["test"].get(name, 0) for name in classes]
    labels = [number for number, n in enumerate(of_class) for _ in range(n)]
    test = _without_files(labels, [str(place) for place in range(len(labels))])
    return Sizes(str(files.record), classes, test, _counts(record), catalogued=True)


def _without_files(labels: Sequence[int], groups: Sequence[str]) -> Labelled:
    return Labelled(
        rows=np.array([], dtype=np.int64),
        labels=np.array(labels, dtype=np.int64),
        groups=np.array(groups, dtype=np.str_),
        sha256=np.full(len(labels), "", dtype=np.str_),
    )


def _counts(record: CatalogRecord) -> Counts:
    learned = record.target if record.labels_from == "target" else record.source
    n: dict[Split, int] = {split: sum(of_class.values()) for split, of_class in learned.counts.items()}
    n_test = sum(record.target.counts["test"].values())
    n_unlabelled = record.unlabeled.n_images
    return Counts(record.source.n_images, n["train"], n["val"], n_test, len(record.classes), n_unlabelled)
