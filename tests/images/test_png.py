import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from tests.house import ROOT
from tests.images.test_decode import encode, noise

from graft.images import decode
from graft.images.png import CHUNKS, TEXTS, with_chunks

FAULTS = ROOT.parent / "shared/data/faults/05-png-text"
PLAIN = encode(Image.fromarray(noise()))
HEADER = 33
"""signature and first chunk"""
TURNED = b'<x:xmpmeta tiff:Orientation="3"/>'


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_extra(*chunks: bytes) -> bytes:
    return PLAIN[:HEADER] + b"".join(chunks) + PLAIN[HEADER:]


def xmp(n_bytes: int, start: bytes = b"") -> bytes:
    text = zlib.compress(start + bytes(n_bytes))
    return chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + text)


def profile(n_bytes: int, method: bytes = b"\0") -> bytes:
    return chunk(b"iCCP", b"icc\0" + method + zlib.compress(bytes(n_bytes)))


BROKEN = chunk(b"tEXt", b"a\0b")[:-1] + b"?"
"""a chunk with a wrong checksum"""


@pytest.mark.parametrize(
    "extra",
    [
        (xmp(2_000_000),),
        (xmp(20_000_000),),
        tuple(xmp(7_000_000) for _ in range(12)),
        (chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(20_000_000))),),
        (profile(1_500_000),),
        (profile(10, method=b"\7"),),
        (chunk(b"gAMA", b""),),
        (BROKEN,),
    ],
    ids=["xmp", "more than any limit", "much text", "zipped text", "profile", "no profile", "no gamma", "check sum"],
)
def test_an_image_is_read_whatever_its_text_and_profile(extra: tuple[bytes, ...]) -> None:
    np.testing.assert_array_equal(decode.decode(with_extra(*extra), "a"), noise())


def test_broken_text_after_the_pixels_is_ignored() -> None:
    content = PLAIN[:-12] + xmp(20_000_000) + PLAIN[-12:]
    np.testing.assert_array_equal(decode.decode(content, "a"), noise())


def test_an_orientation_in_a_large_text_chunk_is_applied() -> None:
    turned = decode.read(with_extra(xmp(2_000_000, TURNED)), "a")
    np.testing.assert_array_equal(np.asarray(turned.picture), noise()[::-1, ::-1])


def test_ten_thousand_profiles_never_reach_pillow() -> None:
    assert with_chunks(with_extra(*[profile(2**20 - 10)] * 10_000), (*CHUNKS, *TEXTS)) == PLAIN


@pytest.mark.parametrize("kind", [b"tEXt", b"eXIf", b"tRNS"])
def test_pillow_sees_at_most_a_hundred_chunks_of_a_type(kind: bytes) -> None:
    one = chunk(kind, b"MM")
    assert len(with_chunks(with_extra(*[one] * 50_000), (*CHUNKS, *TEXTS))) == len(PLAIN) + 100 * len(one)


def test_pixels_in_too_many_chunks_are_refused() -> None:
    flood = [chunk(b"IDAT", b"")] * 120_000
    with pytest.raises(ValueError, match=r"^a: want a whole image, got: a PNG of more than 101,[0-9]+ chunks\."):
        decode.decode(with_extra(*flood), "a")
    np.testing.assert_array_equal(decode.decode(with_extra(*flood[:1000]), "a"), noise())


def test_chunks_that_are_kept_stay_in_order() -> None:
    frames = [Image.fromarray(noise()), Image.fromarray(noise()[::-1])]
    content = encode(frames[0], save_all=True, append_images=frames[1:], exif=b"Exif\0\0MM\0*")
    assert with_chunks(content, CHUNKS) == content
    assert with_chunks(content[:-20], CHUNKS) == content[:-20]


def test_a_truncated_chunk_of_another_type_ends_the_file() -> None:
    assert with_chunks(PLAIN[:HEADER] + profile(1000)[:-5], CHUNKS) == PLAIN[:HEADER]


def test_other_files_are_not_changed() -> None:
    content = encode(Image.fromarray(noise()), "JPEG")
    assert with_chunks(content, CHUNKS) is content


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["large_icc.png", "photoshop_xmp.png"])
def test_real_files_with_large_text_and_profile_are_read(name: str) -> None:
    if not FAULTS.is_dir():
        pytest.skip(f"{FAULTS} is absent")
    content = (FAULTS / name).read_bytes()
    with Image.open(io.BytesIO(with_chunks(content, CHUNKS))) as file:
        want = np.asarray(file.convert("RGB"))
    np.testing.assert_array_equal(decode.decode(content, name), want)
