"""Drop chunks of PNG files that pixels do not depend on. Pillow reads every chunk, and fails if one is broken."""

import struct
from collections import Counter
from collections.abc import Sequence

from PIL import PngImagePlugin

# Image editors write text chunks larger than Pillow's limit of 1 MB. Its limit on all text of a file, 64 MB, stays.
PngImagePlugin.MAX_TEXT_CHUNK = 8 * 2**20

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Chunk types on which pixels, frames and orientation depend.
CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT")
# Text chunks, in which some programs write the orientation.
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
# Chunk types that images and animations have many of.
MANY = (b"IDAT", b"fcTL", b"fdAT")
# Chunks of each other type that are kept.
MOST_OF_A_KIND = 100
# Smallest average size of the chunks beyond the first 100,000; Pillow takes 20 to 50 us for each chunk.
FEWEST_BYTES = 1024


def with_chunks(content: bytes, kinds: Sequence[bytes]) -> bytes:
    """A PNG file with only chunks of the given types; any other file unchanged.

    The main reason is colour profiles. One may inflate to a thousand times its size, and a file of 10 MB can have ten
    thousand of them, on which Pillow was measured to spend 97 s.

    Args:
        content: the bytes of the file, complete or truncated.
        kinds: types of the chunks to keep.

    Raises:
        ValueError: the file has more chunks than any program writes.
    """
    if not content.startswith(SIGNATURE):
        return content
    parts, start, place = [], 0, len(SIGNATURE)
    seen, most = Counter[bytes](), 100_000 + len(content) // FEWEST_BYTES
    # a chunk is its length (4 bytes), its type (4), that many bytes, and a checksum (4)
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
