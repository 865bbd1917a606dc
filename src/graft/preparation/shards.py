"""Make shards of the image store, on any machine that has the images.

A shard is two files named by its key: pixels (.npy), and rows (.csv, written last). The key is a hash of everything
that determines the content. So a shard with the right name is the right shard, wherever it was made.
"""

import errno
import hashlib
import io
import json
import os
import shutil
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import PIL

from graft.images import decode, fingerprint, png, sixteen_bits
from graft.preparation import reading
from graft.preparation.found import Found
from graft.preparation.reading import read_file
from graft.records.common import Preprocessing
from graft.store.catalogue import CatalogRow, read_catalog, write_catalog

# Shards are kept here, in a folder for each domain, until the store is complete; no stage depends on them.
SHARDS = Path("data/shards")
N_PER_SHARD = 1000
# Images read ahead for each core, so that memory does not grow with the number of images.
IN_FLIGHT = 2
# Size of the header of an .npy file of images, whatever their number.
HEADER_BYTES = 128

Rows = tuple[CatalogRow, ...]
T = TypeVar("T")
U = TypeVar("U")


def shard_plan(found: Sequence[Found], n_per_shard: int) -> tuple[tuple[Found, ...], ...]:
    """The files of each shard, in the order of the catalogue."""
    return tuple(tuple(found[start : start + n_per_shard]) for start in range(0, len(found), n_per_shard))


def make_shard(folder: Path, files: Sequence[Found], out: Path, preprocessing: Preprocessing) -> Path:
    """Read the files of one shard into `out`, whole or not at all, unless the shard exists.

    Args:
        folder: the domain's folder.
        files: one entry of `shard_plan`.
        out: folder of the shards.
        preprocessing: sizes, interpolation, and limits of what is read.

    Returns:
        The file of the shard's rows; the file of its pixels is beside it.

    Raises:
        OSError: the disk is full.
    """
    shard = shard_file(folder, files, out, preprocessing)
    if made_rows(shard, len(files), preprocessing.crop_px) is not None:
        return shard
    check_room(out, len(files), preprocessing.crop_px)
    with told_when_full(out):
        out.mkdir(parents=True, exist_ok=True)
        temporary = _temporary(shard)
        try:
            rows = _write_pixels(folder, files, temporary, preprocessing)
            temporary.replace(shard.with_suffix(".npy"))
        finally:
            temporary.unlink(missing_ok=True)
        write_catalog(rows, shard)
    return shard


def shard_file(folder: Path, files: Sequence[Found], out: Path, preprocessing: Preprocessing) -> Path:
    """File of a shard's rows, named by a hash of the images, the preprocessing and the code that reads them.

    An image counts by path, label, split, size and time of modification, so that copies must keep their times.
    """
    code = [Path(module.__file__ or "").read_text() for module in (decode, png, sixteen_bits, fingerprint, reading)]
    content = [[each.path, each.label, each.split, *_size_and_time(folder / each.path)] for each in files]
    return out / f"{digest_of([preprocessing.model_dump(), PIL.__version__, code, content])}.csv"


def made_rows(shard: Path, n_files: int, size_px: int) -> Rows | None:
    """Rows of a shard; None if it does not exist, or was truncated when it was copied."""
    rows, pixels = written_rows(shard, n_files), shard.with_suffix(".npy")
    if rows is None or not pixels.is_file():
        return None
    return rows if pixels.stat().st_size == HEADER_BYTES + n_readable(rows) * image_bytes(size_px) else None


def written_rows(shard: Path, n_files: int) -> Rows | None:
    """Rows of a shard, whether or not its pixels are beside them; None if the rows are missing or incomplete."""
    rows = read_catalog(shard) if shard.is_file() else ()
    return rows if len(rows) == n_files else None


def read_files(
    folder: Path, files: Sequence[Found], write: Callable[[bytes], object], preprocessing: Preprocessing
) -> Rows:
    """Rows of the files, in order. The pixels of each readable file are passed to `write` as soon as they are read."""
    rows = []
    for row, image in in_order(lambda each: read_file(folder, each, preprocessing), files):
        rows.append(row)
        if image is not None:
            write(image.tobytes())
    return tuple(rows)


def check_room(folder: Path, n_images: int, size_px: int) -> None:
    """Check, before the work begins, that the disk has room for n images.

    Raises:
        OSError: it does not.
    """
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    needed, free = n_images * image_bytes(size_px), shutil.disk_usage(there).free
    if needed > free:
        raise OSError(
            f"{folder}: want {needed / 1e6:,.0f} MB of free disk for {n_images:,} images of {size_px} x {size_px} "
            f"pixels, got {free / 1e6:,.0f} MB. Free some, or lower images.size_px."
        )


@contextmanager
def told_when_full(folder: Path) -> Iterator[None]:
    """Turn a disk that fills up during the work into one clear error."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OSError(
            f"{folder}: want room for the images, got a full disk. Free some and run again: finished images are kept."
        ) from None


def image_bytes(size_px: int) -> int:
    """Size of one stored image in bytes."""
    return size_px * size_px * 3


def npy_header(n: int, size_px: int) -> bytes:
    """Header of an .npy file of n images."""
    file = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (n, size_px, size_px, 3)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def n_readable(rows: Iterable[CatalogRow]) -> int:
    """Number of rows with an image."""
    return sum(row.row >= 0 for row in rows)


def digest_of(value: object) -> str:
    """A short hash of a value that JSON can represent."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]


def in_order(work: Callable[[T], U], items: Iterable[T]) -> Iterator[U]:
    """Results of work in threads, in the order of the items, with only a few items in flight.

    Args:
        work: function of one item.
        items: the items, which are taken one at a time.
    """
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pending: deque[Future[U]] = deque()
    with ThreadPoolExecutor(n_cores) as pool:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) >= IN_FLIGHT * n_cores:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _temporary(shard: Path) -> Path:
    """A file name that no other process and no other machine uses for the same shard."""
    return shard.with_suffix(f".{socket.gethostname()}-{os.getpid()}.tmp")


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        # a broken link, or no permission: reading the file will report it
        return -1, 0
    return status.st_size, status.st_mtime_ns


def _write_pixels(folder: Path, files: Sequence[Found], pixels: Path, preprocessing: Preprocessing) -> Rows:
    """Rows of the files, after the pixels of the readable ones were written as an .npy file."""
    with pixels.open("wb") as file:
        file.write(npy_header(len(files), preprocessing.crop_px))
        rows = read_files(folder, files, file.write, preprocessing)
        # the header's length does not depend on the number of images
        file.seek(0)
        file.write(npy_header(n_readable(rows), preprocessing.crop_px))
    return rows
