"""Read one image file into its catalogue row and its pixels; whatever the file is, there is a row."""

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

MAX_BYTES = 1_000_000_000
"""largest file that is read; an uncompressed image of decode.MAX_PIXELS in 16-bit RGBA takes 800 MB"""


def read_file(folder: Path, found: Found, preprocessing: Preprocessing) -> tuple[CatalogRow, NDArray[np.uint8] | None]:
    """The row of one file and what the network sees of it, or the row with the reason why there is nothing to see.

    The split is that of the folder the file lies in, or train; the group is the file's own sha256; the place
    in the image array is 0 where there is an image, -1 where there is none.

    Args:
        folder: of the domain.
        found: the file.
        preprocessing: what the image becomes.

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
        return row._replace(error=str(error).removeprefix(f"{found.path}: ")), None
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
    """The row of a file of which nothing is known yet."""
    nothing = {name: kind() for name, kind in CatalogRow.__annotations__.items() if kind in (int, float, str)}
    known = {"path": found.path, "label": found.label, "split": found.split or "train", "group": found.path}
    return CatalogRow(**{**nothing, **known, "frames": 1, "orientation": 1, "row": -1})


def _content(path: Path) -> bytes:
    """All bytes of a file.

    Raises:
        OSError: it cannot be opened or read.
        ValueError: no regular file (a pipe would never end), too large, or changed while it was read.
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
        raise ValueError("want a file at rest, got one that changed while it was read. Run again when it is whole.")
    return content


def _state(status: os.stat_result) -> tuple[int, int, int]:
    """What differs when a file was written or replaced."""
    return status.st_size, status.st_mtime_ns, status.st_ino


def _why_unreadable(error: OSError) -> str:
    cure = "Look at its permissions and at the disk."
    if error.errno in (errno.ENOENT, errno.ELOOP):
        cure = "Mend the link, or delete it."
    return f"want a readable file, got: {error.strerror}. {cure}"
