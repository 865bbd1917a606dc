"""PNG files without what no pixel depends on: Pillow reads all of a file, and fails where any of it is broken."""

import struct
from collections import Counter
from collections.abc import Sequence

from PIL import PngImagePlugin

# Pillow's limit of 1 MB is met by what image editors write; its limit for all text of a file, 64 MB, stays
PngImagePlugin.MAX_TEXT_CHUNK = 8 * 2**20

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT")
"""kinds of chunk that pixels, frames and orientation depend on"""
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
"""some programs write the orientation there"""
MANY = (b"IDAT", b"fcTL", b"fdAT")
"""kinds of which pictures and animations have many"""
MOST_OF_A_KIND = 100
"""chunks that are kept of the other kinds"""
FEWEST_BYTES = 1024
"""to a chunk on average, beyond the first 100,000 of a file; Pillow takes 20 to 50 us for each"""


def with_chunks(content: bytes, kinds: Sequence[bytes]) -> bytes:
    """A PNG file with chunks of these kinds alone; any other file as it is.

    What is left out are colour profiles most of all: one may inflate to a thousand times its size, and a file of
    10 MB can hold ten thousand of them, over which Pillow was seen to spend 97 s.

    Args:
        content: the bytes of the file, whole or not.
        kinds: of the chunks to keep.

    Raises:
        ValueError: the file is cut into more chunks than any program writes.
    """
    if not content.startswith(SIGNATURE):
        return content
    parts, start, place = [], 0, len(SIGNATURE)
    seen, most = Counter[bytes](), 100_000 + len(content) // FEWEST_BYTES
    while place + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        end = place + 12 + length
        if kind in kinds:
            seen[kind] += 1
        if not seen[kind] or (kind not in MANY and seen[kind] > MOST_OF_A_KIND):
            parts.append(content[start:place])
            start = end
        elif seen[kind] > most:
            raise ValueError(f"a PNG of more than {most:,} chunks")
        place = end
    return b"".join([*parts, content[start:]]) if parts else content
