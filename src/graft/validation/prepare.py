"""Read every image of a domain once: its catalogue row, and its pixels into the image store."""

import hashlib
import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from graft import images
from graft.records import Domain, Preprocessing
from graft.store import SPLITS, CatalogRow, class_names
from graft.validation.scan import Found
from graft.validation.splits import Unit, assign_splits

IN_FLIGHT = 2
"""images read ahead for each core; memory does not grow with the number of images"""

T = TypeVar("T")
U = TypeVar("U")


class Prepared(NamedTuple):
    """A domain, read."""

    rows: tuple[CatalogRow, ...]
    domain: Domain


def prepare(folder: Path, found: Sequence[Found], store: Path, preprocessing: Preprocessing, seed: int) -> Prepared:
    """Decode every image, write the readable ones into an image store, and catalogue all of them.

    Args:
        folder: of the domain.
        found: the files in it; none where the domain is absent.
        store: the .npy file, (n readable images, crop_px, crop_px, 3) uint8, written whole or not at all.
        preprocessing: what the images become.
        seed: of the splits that the folders do not name.

    Raises:
        ValueError: a class has fewer readable images than there are splits.
    """
    temporary = store.with_suffix(".tmp")
    temporary.parent.mkdir(parents=True, exist_ok=True)
    try:
        drafts = _read_all(folder, found, temporary, preprocessing)
        rows = _with_splits(folder, found, drafts, seed)
        temporary.replace(store)
    finally:
        temporary.unlink(missing_ok=True)
    return Prepared(rows, _describe(rows))


def _read_all(folder: Path, found: Sequence[Found], store: Path, preprocessing: Preprocessing) -> list[CatalogRow]:
    """Rows of all files, their splits still open; fills the store."""
    rows: list[CatalogRow] = []

    def readable() -> Iterator[NDArray[np.uint8]]:
        n = 0
        read = _in_order(lambda each: _read(folder, each, preprocessing), found)
        for row, image in tqdm(read, str(folder), len(found), unit=" images", disable=None):
            rows.append(row._replace(row=-1 if image is None else n))
            if image is not None:
                n += 1
                yield image

    _write_images(store, readable(), preprocessing.crop_px)
    return rows


def _read(folder: Path, each: Found, preprocessing: Preprocessing) -> tuple[CatalogRow, NDArray[np.uint8] | None]:
    """The row of one file and its pixels, or the row with the reason why there are none."""
    row = CatalogRow(each.path, each.label, each.split or "train", each.path, "", 0, 0, 0, "", "", -1, "")
    try:
        content = (folder / each.path).read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        row = row._replace(group=sha256, sha256=sha256, n_bytes=len(content))
        pixels, mode, form = images.read(content, each.path)
    except OSError as error:
        return row._replace(error=f"want a readable file, got: {error.strerror}. Look at its permissions."), None
    except ValueError as error:
        return row._replace(error=str(error).removeprefix(f"{each.path}: ")), None
    height, width = pixels.shape[:2]
    return row._replace(width=width, height=height, mode=mode, format=form), images.fit(pixels, preprocessing)


def _write_images(path: Path, pixels: Iterable[NDArray[np.uint8]], size_px: int) -> None:
    """An .npy file of as many images as come; numpy leaves room in the header for their number."""
    header = {"descr": "|u1", "fortran_order": False}
    n = 0
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {**header, "shape": (n, size_px, size_px, 3)})
        for image in pixels:
            file.write(image.tobytes())
            n += 1
        file.seek(0)
        np.lib.format.write_array_header_1_0(file, {**header, "shape": (n, size_px, size_px, 3)})


def _with_splits(folder: Path, found: Sequence[Found], rows: Sequence[CatalogRow], seed: int) -> tuple[CatalogRow, ...]:
    """Rows with their splits; what cannot be read keeps that of its folder, or train."""
    _check_enough(folder, rows)
    named = {each.path: each.split for each in found}
    readable = [row for row in rows if row.row >= 0]
    units = [Unit(row.label, row.group, named[row.path]) for row in readable]
    splits = assign_splits(units, str(folder), seed)
    split_of = {row.path: split for row, split in zip(readable, splits, strict=True)}
    return tuple(row._replace(split=split_of.get(row.path, row.split)) for row in rows)


def _check_enough(folder: Path, rows: Sequence[CatalogRow]) -> None:
    n_readable = Counter(row.label for row in rows if row.row >= 0)
    for label in class_names(rows):
        if n_readable[label] < len(SPLITS):
            broken = [row.path for row in rows if row.label == label and row.row < 0]
            unreadable = f" ({len(broken)} cannot be read, such as {broken[0]})" if broken else ""
            raise ValueError(
                f"{folder}, class {label}: want at least {len(SPLITS)} readable images, one for each of "
                f"{', '.join(SPLITS)}, got {n_readable[label]}{unreadable}. "
                "Add images to its folder, or remove it."
            )


def _describe(rows: Sequence[CatalogRow]) -> Domain:
    """The record of a domain: n_images are the readable ones."""
    classes = class_names(rows)
    readable = [row for row in rows if row.row >= 0]
    counts = Counter((row.split, row.label) for row in readable)
    identity = [(row.path, row.label, row.split, row.group, row.sha256) for row in rows]
    return Domain(
        present=bool(rows),
        n_images=len(readable),
        n_undecodable=len(rows) - len(readable),
        classes=classes,
        counts={split: {name: counts[split, name] for name in classes} for split in SPLITS},
        sha256=hashlib.sha256(json.dumps(identity).encode()).hexdigest(),
    )


def _in_order(work: Callable[[T], U], items: Iterable[T]) -> Iterator[U]:
    """Results of work in threads, in the order of the items, few of them in flight."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pending: deque[Future[U]] = deque()
    with ThreadPoolExecutor(n_cores) as pool:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) >= IN_FLIGHT * n_cores:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
