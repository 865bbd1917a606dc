"""Read one image file into a catalogue row and pixels. Every file gets a row, whatever it is."""

import errno
import hashlib
import os
import stat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graft.images import decode
from graft.images.fingerprint import channel_statistics, phash
from graft.images.resizing import fit
from graft.preparation.found import Found
from graft.records.common import Preprocessing
from graft.store.catalogue import CatalogRow

# Largest file that is read; an uncompressed image of decode.MAX_PIXELS in 16-bit RGBA takes 800 MB.
MAX_BYTES = 1_000_000_000


def read_file(folder: Path, found: Found, preprocessing: Preprocessing) -> tuple[CatalogRow, NDArray[np.uint8] | None]:
    """Catalogue row and pixels of one file; an unreadable file gets a row with the reason, and no pixels.

    The row's split is the one that folder or table name, or train. Its group is the file's own sha256. Its place in
    the image array is 0 if there are pixels and -1 if not: the caller numbers the images.

    Args:
        folder: the domain's folder.
        found: the file.
        preprocessing: sizes, interpolation, and limits of what is read.

    Returns:
        The row, and (crop_px, crop_px, 3) uint8 RGB or None.
    """
    row = _blank(found)
    try:
        content = _content(folder / found.path)
        sha256 = hashlib.sha256(content).hexdigest()
        row = row._replace(group=sha256, sha256=sha256, n_bytes=len(content))
        decoded = decode.read(content, found.path, preprocessing.max_pixels, preprocessing.value_bits)
    except OSError as error:
        return row._replace(error=_why_unreadable(error)), None
    except ValueError as error:
        return row._replace(error=_with_keys(str(error).removeprefix(f"{found.path}: "))), None
    width, height = decoded.picture.size
    image = fit(decoded.picture, preprocessing)
    described = row._replace(
        phash=phash(image),
        width=width,
        height=height,
        mode=decoded.mode,
        format=decoded.format,
        frames=decoded.frames,
        orientation=decoded.orientation,
        row=0,
        **channel_statistics(image)._asdict(),
    )
    return described, image


def _blank(found: Found) -> CatalogRow:
    """Row of a file before it is read."""
    nothing = {name: kind() for name, kind in CatalogRow.__annotations__.items() if kind in (int, float, str)}
    known = {"path": found.path, "label": found.label, "split": found.split or "train", "group": found.path}
    return CatalogRow(**{**nothing, **known, "frames": 1, "orientation": 1, "row": -1})


def _content(path: Path) -> bytes:
    """All bytes of a file.

    Raises:
        OSError: it cannot be opened or read.
        ValueError: it is not a regular file (a pipe would never end), is too large, or changed while it was read.
    """
    before = path.stat()
    if not stat.S_ISREG(before.st_mode):
        raise ValueError("want a file, got a pipe, a socket or a device. Delete it.")
    if before.st_size > MAX_BYTES:
        limit = f"the limit of {MAX_BYTES // 1_000_000} MB"
        raise ValueError(f"want a file under {limit}, got {before.st_size // 1_000_000} MB. Convert or replace it.")
    with path.open("rb") as file:
        content = file.read(before.st_size + 1)
    if len(content) != before.st_size or _state(path.stat()) != _state(before):
        raise ValueError("want a complete file, got one that changed while it was read. Run again when it is complete.")
    return content


def _state(status: os.stat_result) -> tuple[int, int, int]:
    """Size, time of change and inode: they differ after a file was written or replaced."""
    return status.st_size, status.st_mtime_ns, status.st_ino


def _with_keys(why: str) -> str:
    """A reason with the keys of params.yaml in place of the arguments of `decode.read`."""
    return why.replace("(max_pixels)", "(images.max_megapixels)").replace("value_bits", "images.value_bits")


def _why_unreadable(error: OSError) -> str:
    cure = "Check its permissions and the disk."
    if error.errno in (errno.ENOENT, errno.ELOOP):
        cure = "Fix the link, or delete it."
    return f"want a readable file, got: {error.strerror}. {cure}"
