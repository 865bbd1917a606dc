"""Bytes to pixels: THE decode and resize path of the pipeline, the export and the service."""

import io
import struct
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from graft.images.png import CHUNKS, SIGNATURE, TEXTS, with_chunks
from graft.images.sixteen_bits import eight_bits, is_deep, says_its_range

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "JPEG2000", "PPM")
MAX_PIXELS = 100_000_000
"""largest width times height that a limit may allow; a decoded image of this size takes 400 MB"""
STRIP_PIXELS = 1_000_000
"""of a transparent picture that are laid on white at a time"""
MAX_PAGES = 1000
"""pages of a TIFF that are counted: Pillow takes 0.3 ms for each, and a small file may name millions"""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""what sets an image upright, by its EXIF orientation"""


class Decoded(NamedTuple):
    """An image and what its file said about it."""

    picture: Image.Image
    """RGB, upright"""
    mode: str
    """Pillow's name of the pixel format in the file, such as RGB, CMYK or I;16"""
    format: str
    """Pillow's name of the file format, such as JPEG"""
    frames: int
    """1 for a still; what lies behind the first broken frame is not counted"""
    orientation: int
    """EXIF, 1 to 8; 1, upright, where the file names none"""


class Limits(NamedTuple):
    """What a file may hold."""

    max_pixels: int
    value_bits: int | None


def decode(
    content: bytes, where: str, max_pixels: int = MAX_PIXELS, value_bits: int | None = None
) -> NDArray[np.uint8]:
    """Pixels of an image file, (h, w, 3) RGB; the same as those of `read`, without a look at later frames."""
    return np.array(_whole(content, where, Limits(max_pixels, value_bits), count_frames=False).picture)


def read(content: bytes, where: str, max_pixels: int = MAX_PIXELS, value_bits: int | None = None) -> Decoded:
    """Decode an image file once, into upright 8-bit RGB.

    EXIF orientation is applied, 16 bits are scaled to 8, transparency is laid on white, of an animation the
    first frame counts. Colour profiles are not applied: published weights were trained without.

    Args:
        content: the bytes of the file.
        where: name of the file, for the message.
        max_pixels: largest width times height; more is refused before it is decoded.
        value_bits: of grey files that hold 16 bits, those in use: 2^value_bits - 1 becomes white. None: not known,
            and a file that does not use at least 15 is refused.

    Raises:
        ValueError: not a whole image in one of FORMATS, more than max_pixels pixels, or pixel values above the
            given range, or of a range that the file does not tell. Nothing else is raised, and no warning shown,
            whatever the bytes.
    """
    return _whole(content, where, Limits(max_pixels, value_bits), count_frames=True)


def n_pixels(content: bytes) -> int:
    """Width times height by the header of an image file; 0 where the header does not tell."""
    try:
        with _no_pillow_warnings(), _opened(content, CHUNKS) as file:
            return file.width * file.height
    except Exception:  # Pillow's readers let through whatever broken bytes make Python raise
        return 0


def brightest(content: bytes, max_pixels: int = MAX_PIXELS) -> int | None:
    """Largest value of a grey image file that holds 16 bits and does not say how many of them are in use.

    Returns:
        0 to 65,535; None for any other file, of which no pixel is decoded, and for one that cannot be read.
    """
    try:
        with _no_pillow_warnings(), _opened(content, CHUNKS) as file:
            if not is_deep(file) or says_its_range(file) or file.width * file.height > max_pixels:
                return None
            file.load()
            return int(np.asarray(file).max())
    except Exception:  # whatever broken bytes make Pillow raise: `read` will say it
        return None


def _whole(content: bytes, where: str, limits: Limits, count_frames: bool) -> Decoded:
    if not content:
        raise ValueError(f"{where}: want an image, got an empty file. Copy it again, or delete it.")
    try:
        with _no_pillow_warnings():
            return _read_without_faults_of_text(content, limits, count_frames)
    except UnidentifiedImageError:
        reason = f"none that can be read as {', '.join(FORMATS)}"
    except Image.DecompressionBombError:
        reason = f"more pixels than {_limit(limits.max_pixels)}"
    except Exception as error:  # Pillow's readers let through whatever broken bytes make Python raise
        reason = " ".join(str(error).split()) or type(error).__name__
    reason = reason.rstrip(".")
    raise ValueError(f"{where}: want a whole image, got: {reason}. Convert or replace it, or delete it.")


def _read_without_faults_of_text(content: bytes, limits: Limits, count_frames: bool) -> Decoded:
    """A PNG whose text is broken, or too much for Pillow, is read without it: no pixel depends on text."""
    try:
        return _read(content, (*CHUNKS, *TEXTS), limits, count_frames)
    except Exception:
        if not content.startswith(SIGNATURE) or not any(kind in content for kind in TEXTS):
            raise
        return _read(content, CHUNKS, limits, count_frames)


def _read(content: bytes, png_chunks: Sequence[bytes], limits: Limits, count_frames: bool) -> Decoded:
    with _opened(content, png_chunks) as file:
        if file.width * file.height > limits.max_pixels:
            raise ValueError(f"{file.width} x {file.height} pixels, more than {_limit(limits.max_pixels)}")
        mode, before = file.mode, _orientation(file) if file.format == "TIFF" else 1
        value_bits = 16 if says_its_range(file) else limits.value_bits
        file.load()
        picture = _to_rgb(file, value_bits)
        after = _orientation(file)
        upright = picture.transpose(TURNS[after]) if after in TURNS else picture
        frames = _frames(file) if count_frames else 1
        return Decoded(upright, mode, file.format or "", frames, max(before, after))


def _opened(content: bytes, png_chunks: Sequence[bytes]) -> ImageFile.ImageFile:
    return Image.open(io.BytesIO(with_chunks(content, png_chunks)), formats=FORMATS)


def _limit(max_pixels: int) -> str:
    return f"the limit of {max_pixels // 1_000_000} megapixels (images.max_megapixels)"


def _orientation(file: Image.Image) -> int:
    """EXIF orientation that is left to apply; 1, upright, where there is none or it cannot be understood.

    Of a loaded file: a PNG may hold its EXIF behind the pixels, and Pillow turns a TIFF while loading.
    """
    try:
        value = file.getexif().get(ExifTags.Base.Orientation, 1)
        return int(value) if value in TURNS else 1
    except (SyntaxError, ValueError, TypeError, OSError, struct.error):
        return 1


def _frames(file: Image.Image) -> int:
    """Frames or pages, as far as they can be found; leaves the file at another frame than the first."""
    count = 1
    try:
        if file.format != "TIFF":
            return int(getattr(file, "n_frames", 1))
        while count < MAX_PAGES:
            file.seek(count)
            count += 1
    except Exception:  # the last page, or whatever broken bytes make Pillow raise: the first frame is sound
        pass
    return count


def _to_rgb(file: Image.Image, value_bits: int | None) -> Image.Image:
    if is_deep(file):
        return Image.fromarray(eight_bits(file, value_bits)).convert("RGB")
    if file.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {file.mode}, of unknown range, not 8 or 16 bits")
    if file.mode == "RGB" and file.format == "JPEG":
        return file  # already pixels of its own; a copy would take a twentieth of the time of decoding
    if not file.has_transparency_data:
        return file.convert("RGB")
    return _on_white(file)


def _on_white(file: Image.Image) -> Image.Image:
    """RGB of a transparent picture, a strip at a time: beside the picture itself only the result is held whole."""
    result = Image.new("RGB", file.size)
    rows = max(1, STRIP_PIXELS // file.width)
    for top in range(0, file.height, rows):
        strip = file.crop((0, top, file.width, min(top + rows, file.height))).convert("RGBA")
        white = Image.new("RGBA", strip.size, "white")
        result.paste(Image.alpha_composite(white, strip).convert("RGB"), (0, top))
    return result


_quiet_lock = threading.Lock()
_quiet_threads = 0

_quiet_filters: "warnings.catch_warnings[None] | None" = None


@contextmanager
def _no_pillow_warnings() -> Iterator[None]:
    """Silence Pillow while any thread decodes.

    Filters of warnings belong to the whole process, so threads that each set and restored them would leave
    them in disorder; here the first thread in sets them and the last one out restores them.
    """
    global _quiet_threads, _quiet_filters
    with _quiet_lock:
        if _quiet_threads == 0:
            _quiet_filters = warnings.catch_warnings()
            _quiet_filters.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\b")
        _quiet_threads += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_threads -= 1
            if _quiet_threads == 0 and _quiet_filters is not None:
                _quiet_filters.__exit__(None, None, None)
