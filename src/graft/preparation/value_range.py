"""Find how many bits are in use in the 16-bit grey files of a domain."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from graft.files import visible
from graft.images import decode
from graft.images.sixteen_bits import may_hold
from graft.preparation.found import Found
from graft.preparation.reading import MAX_BYTES
from graft.preparation.shards import in_order
from graft.records.common import Preprocessing

# With fewer files, the camera's range cannot be told from a dark scene.
FEWEST_FILES = 5
# Bits that the largest value takes, and the camera's range in bits that they imply. An all-black domain (0) is the same
# in any range.
RANGES = {0: 16, 8: 8, 10: 10, 12: 12, 14: 14, 15: 16, 16: 16}
HEAD_BYTES = 26


def recognised_bits(folder: Path, found: Sequence[Found], preprocessing: Preprocessing) -> int | None:
    """Bits in use in a domain's 16-bit grey files; None if there are no such files.

    The largest value of all files decides, since a single picture may be dark. Its highest bit must be that of a range
    that cameras have (8, 10, 12, 14 or 16 bits). Below 16 bits there must be at least 5 files. Half of the files must
    reach a quarter of that value. Otherwise a dark set, one hot pixel or two cameras would pass for a range.

    These files are decoded once more for this. Of other files only the first bytes are read.

    Args:
        folder: the domain's folder.
        found: the files in it.
        preprocessing: the bits in use, if params.yaml names them, and the limit on pixels.

    Raises:
        ValueError: the values do not determine the bits in use.
    """
    if preprocessing.value_bits is not None:
        return preprocessing.value_bits
    seen = in_order(lambda each: _brightest(folder / each.path, preprocessing.max_pixels), found)
    tops = {each.path: top for each, top in zip(found, seen, strict=True) if top is not None}
    if not tops:
        return None
    path = max(tops, key=tops.__getitem__)
    bits, doubt = tops[path].bit_length(), _doubt(list(tops.values()))
    if doubt:
        raise ValueError(
            f"{visible(folder)}: want 16-bit grey files whose values tell how many bits are in use, got "
            f"{len(tops)} with a largest value of {tops[path]:,} in {visible(path)}, {doubt}. Set images.value_bits to "
            "the bits of the camera, such as 12, or to 16; if the cameras differ, scale their files to 8 bits first."
        )
    return RANGES[bits]


def _doubt(tops: Sequence[int]) -> str:
    """Why the largest values of the files do not determine their range; empty if they do."""
    bits, typical = max(tops).bit_length(), statistics.median_high(tops)
    if bits not in RANGES:
        return f"which takes {bits} bits, as in a dark set"
    if RANGES[bits] < 16 and len(tops) < FEWEST_FILES:
        return "too few to tell"
    return f"while half of them stay at {typical:,} or below" if typical.bit_length() < bits - 1 else ""


def _brightest(path: Path, max_pixels: int) -> int | None:
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        return None
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            return decode.brightest(head + file.read(), max_pixels) if may_hold(head) else None
    except OSError:
        # reading the file will report it
        return None
