"""Decode image files. The pipeline, the export and the service share this one decode path."""

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
# Largest width times height that a limit may allow; a decoded image of this size takes 400 MB.
MAX_PIXELS = 100_000_000
# Pixels of a transparent image that are composited onto white at a time.
STRIP_PIXELS = 1_000_000
# Most pages of a TIFF that are counted: Pillow takes 0.3 ms for each, and a small file may claim millions.
MAX_PAGES = 1000
# The transposition that makes an image upright, by its EXIF orientation.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Decoded(NamedTuple):
    """A decoded image and properties of its file."""

    picture: Image.Image
    """the image, upright, in RGB"""
    mode: str
    """Pillow's name of the pixel format in the file, such as RGB, CMYK or I;16"""
    format: str
    """Pillow's name of the file format, such as JPEG"""
    frames: int
    """number of frames or pages up to the first broken one; 1 for a still image"""
    orientation: int
    """EXIF orientation, 1 to 8; 1 (upright) if the file has none"""


class Limits(NamedTuple):
    """Limits on the content of a file."""

    max_pixels: int
    value_bits: int | None


def decode(
    content: bytes, where: str, max_pixels: int = MAX_PIXELS, value_bits: int | None = None
) -> NDArray[np.uint8]:
    """Pixels of an image file, (h, w, 3) RGB, equal to those of `read`, which also counts frames."""
    return np.array(_whole(content, where, Limits(max_pixels, value_bits), count_frames=False).picture)


def read(content: bytes, where: str, max_pixels: int = MAX_PIXELS, value_bits: int | None = None) -> Decoded:
    """Decode an image file once, into upright 8-bit RGB.

    The EXIF orientation is applied. 16-bit values are scaled to 8 bits. Transparent images are composited onto white.
    Of an animation, the first frame is used. Colour profiles are ignored, as they were when published weights were
    trained.

    Args:
        content: the bytes of the file.
        where: name of the file, for the error message.
        max_pixels: largest width times height; larger images are refused before they are decoded.
        value_bits: bits in use in 16-bit grey files; 2^value_bits - 1 becomes white. If None, they are unknown, and
            a file that does not use at least 15 bits is refused.

    Raises:
        ValueError: the bytes are not a complete image in one of FORMATS, there are more than max_pixels pixels, a
            value is above the given range, or the range is unknown. Whatever the bytes, nothing else is raised and
            no warning is shown.
    """
    return _whole(content, where, Limits(max_pixels, value_bits), count_frames=True)


def n_pixels(content: bytes) -> int:
    """Width times height from the header of an image file; 0 if the header cannot be read."""
    try:
        with _no_pillow_warnings(), _opened(content, CHUNKS) as file:
            return file.width * file.height
    except Exception:
        # broken bytes make Pillow's readers raise exceptions of any type
        return 0


def brightest(content: bytes, max_pixels: int = MAX_PIXELS) -> int | None:
    """Largest value of a 16-bit grey image file that does not say how many bits are in use.

    Returns:
        The value, 0 to 65,535. None for any other file, whose pixels are not decoded, and for an unreadable file.
    """
    try:
        with _no_pillow_warnings(), _opened(content, CHUNKS) as file:
            if not is_deep(file) or says_its_range(file) or file.width * file.height > max_pixels:
                return None
            file.load()
            return int(np.asarray(file).max())
    except Exception:
        # `read` reports broken bytes
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
    except Exception as error:
        # broken bytes make Pillow's readers raise exceptions of any type
        reason = " ".join(str(error).split()) or type(error).__name__
    reason = reason.rstrip(".")
    raise ValueError(f"{where}: want a whole image, got: {reason}. Convert or replace it, or delete it.")


def _read_without_faults_of_text(content: bytes, limits: Limits, count_frames: bool) -> Decoded:
    """Decode a file; a PNG whose text chunks are broken or too large is decoded without them.

    Pixels do not depend on text. But some programs write the orientation there, so it is read if possible.
    """
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
        # Pillow turns a TIFF while loading it, so its orientation is read before; a PNG may have its EXIF after the
        # pixels, so the orientation that is left to apply is read afterwards
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
    return f"the limit of {max_pixels // 1_000_000} megapixels (max_pixels)"


def _orientation(file: Image.Image) -> int:
    """EXIF orientation that is still to be applied; 1 (upright) if there is none or it is invalid."""
    try:
        value = file.getexif().get(ExifTags.Base.Orientation, 1)
        return int(value) if value in TURNS else 1
    except (SyntaxError, ValueError, TypeError, OSError, struct.error):
        return 1


def _frames(file: Image.Image) -> int:
    """Number of frames or pages up to the first broken one. Afterwards the file is no longer at its first frame."""
    count = 1
    try:
        if file.format != "TIFF":
            return int(getattr(file, "n_frames", 1))
        while count < MAX_PAGES:
            file.seek(count)
            count += 1
    except Exception:
        # the end of the file, or a broken page; the first frame is sound
        pass
    return count


def _to_rgb(file: Image.Image, value_bits: int | None) -> Image.Image:
    if is_deep(file):
        return Image.fromarray(eight_bits(file, value_bits)).convert("RGB")
    if file.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {file.mode}, of unknown range, not 8 or 16 bits")
    if file.mode == "RGB" and file.format == "JPEG":
        # a loaded JPEG owns its pixels, and a copy would take a twentieth of the time of decoding
        return file
    if not file.has_transparency_data:
        return file.convert("RGB")
    return _on_white(file)


def _on_white(file: Image.Image) -> Image.Image:
    """RGB of a transparent image on white, in strips: only the image and the result are in memory as a whole."""
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
    """Silence Pillow's warnings while any thread decodes.

    Warning filters belong to the whole process. If every thread set and restored them, one might restore the filters
    of another. So the first thread that enters sets them, and the last that leaves restores them.
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
