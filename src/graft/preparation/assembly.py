"""Make the image store of a domain, shard by shard, without a second copy on disk."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from io import BufferedRandom
from itertools import count
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tqdm import tqdm

from graft.files import visible
from graft.preparation.found import Found
from graft.preparation.shards import (
    HEADER_BYTES,
    N_PER_SHARD,
    Rows,
    check_room,
    digest_of,
    image_bytes,
    made_rows,
    n_readable,
    npy_header,
    read_files,
    shard_file,
    shard_plan,
    told_when_full,
    written_rows,
)
from graft.records.common import Preprocessing
from graft.store.catalogue import CatalogRow, write_catalog

CHUNK_BYTES = 2**20


class Assembled(NamedTuple):
    """A complete image store and its rows."""

    store: Path
    """the .npy file inside the folder of the shards, (n readable images, crop_px, crop_px, 3) uint8"""
    rows: Rows
    """catalogue rows of all files, without the splits that are still to be cut"""
    sha256: str
    """SHA-256 of the store"""


class Growing(NamedTuple):
    """An image store that is being written from its start."""

    file: BufferedRandom
    digest: "hashlib._Hash"
    """hash of the file's content up to the current position"""

    def write(self, content: bytes) -> None:
        """Write at the current position."""
        self.file.write(content)
        self.digest.update(content)


def assemble(folder: Path, found: Sequence[Found], out: Path, preprocessing: Preprocessing) -> Assembled:
    """Read the files of a domain into one image store inside `out`.

    Shards that were made before are appended to the store and deleted. Other files are read directly into the store,
    and their rows are kept in `out`. After a kill at any point, the next call resumes after the last complete shard.

    Args:
        folder: the domain's folder.
        found: the files in it; none if the domain is absent.
        out: folder of the shards, on the same disk as the store.
        preprocessing: sizes, interpolation, and limits of what is read.

    Raises:
        OSError: the disk is full.
    """
    size_px = preprocessing.crop_px
    plan = shard_plan(found, N_PER_SHARD)
    shards = [shard_file(folder, files, out, preprocessing) for files in plan]
    store = out / f"store-{digest_of([each.name for each in shards])}.npy"
    _check_room([store, *(each.with_suffix(".npy") for each in shards)], len(found), size_px)
    rows: list[CatalogRow] = []
    with told_when_full(out), _opened(store) as file, tqdm(None, visible(folder), len(found), disable=None) as bar:
        # the header assumes that every file is readable; _closed corrects it
        header = npy_header(len(found), size_px)
        file.write(header)
        growing = Growing(file, hashlib.sha256(header))
        for shard, files in zip(shards, plan, strict=True):
            rows += _taken(shard, growing, size_px, len(files)) or _read(folder, files, shard, growing, preprocessing)
            bar.update(len(files))
        sha256 = _closed(growing, n_readable(rows), len(found), size_px)
    places = count()
    return Assembled(store, tuple(row._replace(row=next(places)) if row.row >= 0 else row for row in rows), sha256)


def _check_room(files: Sequence[Path], n_found: int, size_px: int) -> None:
    """Check for room for the images that are still to be read, and for the shard that exists twice while appended."""
    n_there = sum(each.stat().st_size for each in files if each.is_file()) // image_bytes(size_px)
    check_room(files[0].parent, max(0, n_found - n_there) + min(N_PER_SHARD, n_found), size_px)


def _opened(store: Path) -> BufferedRandom:
    store.parent.mkdir(parents=True, exist_ok=True)
    store.touch()
    return store.open("r+b")


def _taken(shard: Path, growing: Growing, size_px: int, n_files: int) -> Rows | None:
    """Rows of a shard that is already in the store, or that is complete and is appended now; None otherwise."""
    rows, pixels = written_rows(shard, n_files), shard.with_suffix(".npy")
    if rows is None:
        return None
    growing.file.flush()
    n_bytes = n_readable(rows) * image_bytes(size_px)
    if growing.file.tell() + n_bytes <= os.fstat(growing.file.fileno()).st_size:
        for chunk in _chunks(growing.file, n_bytes):
            growing.digest.update(chunk)
    elif made_rows(shard, n_files, size_px) is not None:
        _append(pixels, growing)
    else:
        return None
    pixels.unlink(missing_ok=True)
    return rows


def _append(pixels: Path, growing: Growing) -> None:
    with pixels.open("rb") as file:
        n_bytes = os.fstat(file.fileno()).st_size - file.seek(HEADER_BYTES)
        for chunk in _chunks(file, n_bytes):
            growing.write(chunk)
    growing.file.flush()


def _read(folder: Path, files: Sequence[Found], shard: Path, growing: Growing, preprocessing: Preprocessing) -> Rows:
    """Rows of a shard whose files are read into the store now.

    The rows are written after the pixels, so that after a kill the shard's file vouches for pixels in the store.
    """
    growing.file.truncate()
    rows = read_files(folder, files, growing.write, preprocessing)
    growing.file.flush()
    write_catalog(rows, shard)
    return rows


def _chunks(file: BinaryIO, n_bytes: int) -> Iterator[bytes]:
    for start in range(0, n_bytes, CHUNK_BYTES):
        yield file.read(min(CHUNK_BYTES, n_bytes - start))


def _closed(growing: Growing, n_images: int, n_found: int, size_px: int) -> str:
    """SHA-256 of the store, after its header is corrected to the number of readable images."""
    growing.file.seek(0)
    growing.file.write(npy_header(n_images, size_px))
    # the header is as it was when it was hashed, unless a file was unreadable
    if n_images == n_found:
        return growing.digest.hexdigest()
    growing.file.seek(0)
    return hashlib.file_digest(growing.file, "sha256").hexdigest()
