"""How many bits are in use in the grey files of a domain that hold 16."""

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

FEWEST_FILES = 5
"""fewer do not show what else the camera gives"""
RANGES = {0: 16, 8: 8, 10: 10, 12: 12, 14: 14, 15: 16, 16: 16}
"""bits that the largest value of all files takes, and the range that it speaks for; black is black in any"""
HEAD_BYTES = 26


def recognised_bits(folder: Path, found: Sequence[Found], preprocessing: Preprocessing) -> int | None:
    """Bits in use of a domain's grey files of 16 bits; None where there are no such files.

    The largest value of all files tells it, for one picture may be dark. It tells it where its highest bit is that of a
    range that cameras have (8, 10, 12, 14 or 16 bits), where at least 5 files speak, and where half of them come
    within a quarter of it: otherwise a dark set, one hot pixel or two cameras would pass for a range.

    Pixels of these files are decoded once more for it; of other files the first bytes are read.

    Args:
        folder: of the domain.
        found: the files in it.
        preprocessing: with the bits in use where params.yaml says them, and the limit of pixels.

    Raises:
        ValueError: the values do not tell it.
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
            f"{visible(folder)}: want grey files of 16 bits whose values tell how many bits are in use, got "
            f"{len(tops)} that end at {tops[path]:,} in {visible(path)}, {doubt}. Set images.value_bits to what the "
            "camera gives, such as 12, or to 16; files of cameras that differ are to be scaled to 8 bits first."
        )
    return RANGES[bits]


def _doubt(tops: Sequence[int]) -> str:
    """Why the largest values of the files do not tell their range; empty where they do."""
    bits, typical = max(tops).bit_length(), statistics.median_high(tops)
    if bits not in RANGES:
        return f"which takes {bits} bits, as of a dark set"
    if RANGES[bits] < 16 and len(tops) < FEWEST_FILES:
        return "too few to tell"
    return f"while half of them end at {typical:,} or below" if typical.bit_length() < bits - 1 else ""


def _brightest(path: Path, max_pixels: int) -> int | None:
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        return None
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            return decode.brightest(head + file.read(), max_pixels) if may_hold(head) else None
    except OSError:  # reading it will say so
        return None
