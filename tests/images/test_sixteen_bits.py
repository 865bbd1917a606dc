import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.images.test_decode import encode, noise

from graft.images import decode
from graft.images.sixteen_bits import may_hold

RAMP = np.array([[0, 1024, 2048, 4095]], np.uint16)
EIGHT = [0, 64, 128, 255]


def grey(content: bytes, value_bits: int | None) -> list[int]:
    return decode.decode(content, "a.png", value_bits=value_bits)[0, :, 0].tolist()  # type: ignore[no-any-return]


def deep(values: NDArray[np.uint16], form: str = "PNG") -> bytes:
    return encode(Image.fromarray(values), form)


def tiff_of_12_bits(values: list[int]) -> bytes:
    """A TIFF of one row with 12 bits for each value, packed."""
    packed = int("".join(f"{value:012b}" for value in values), 2).to_bytes(len(values) * 12 // 8, "big")
    tags = {256: len(values), 257: 1, 258: 12, 259: 1, 262: 1, 273: 200, 277: 1, 278: 1, 279: len(packed)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head.ljust(200, b"\0") + packed


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_12_bits_in_a_16_bit_file_give_all_grey_levels(form: str) -> None:
    assert grey(deep(RAMP, form), 12) == EIGHT
    assert len(np.unique(decode.decode(deep(np.arange(4096, dtype=np.uint16)[None], form), "a", value_bits=12))) == 256


@pytest.mark.parametrize("value_bits", [None, 8, 12, 16])
@pytest.mark.parametrize(
    "content", [tiff_of_12_bits(RAMP[0].tolist()), b"P5 4 1 4095\n" + RAMP.astype(">u2").tobytes()], ids=["TIFF", "PPM"]
)
def test_a_file_that_tells_its_range_is_scaled_by_it(content: bytes, value_bits: int | None) -> None:
    assert grey(content, value_bits) == EIGHT
    assert decode.brightest(content) is None


def test_a_value_above_the_range_is_refused_with_both_numbers() -> None:
    sentence = (
        r"^a\.png: want a whole image, got: grey values up to 4,096, above the 4,095 of 12 bits, .+ set\. Convert"
    )
    with pytest.raises(ValueError, match=sentence):
        grey(deep(RAMP + 1), 12)


@pytest.mark.parametrize("highest", [1, 255, 4095, 2**14 - 1])
def test_small_values_of_unknown_range_are_refused(highest: int) -> None:
    with pytest.raises(ValueError, match=rf"16-bit grey values up to {highest:,}, of unknown range"):
        grey(deep(np.array([[0, highest]], np.uint16)), None)


@pytest.mark.parametrize("highest", [0, 2**14, 2**16 - 1])
def test_values_of_the_full_range_and_black_need_no_known_range(highest: int) -> None:
    assert grey(deep(np.array([[highest]], np.uint16)), None) == [round(highest * 255 / 65535)]


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM", "JPEG2000"])
def test_the_brightest_value_of_a_16_bit_file_is_found(form: str) -> None:
    content = deep(np.arange(0, 40000, 100, dtype=np.uint16).reshape(20, 20), form)
    assert decode.brightest(content) == 39900
    assert may_hold(content[:26])


@pytest.mark.parametrize(
    "content",
    [
        *(encode(Image.fromarray(noise()[:, :, 0]), form) for form in ("PNG", "JPEG", "TIFF", "PPM", "BMP")),
        encode(Image.fromarray(noise())),
        encode(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"),
        deep(RAMP)[:50],
        b"",
    ],
)
def test_other_files_have_no_brightest_value(content: bytes) -> None:
    assert decode.brightest(content) is None


def test_a_file_over_the_limit_of_pixels_has_no_brightest_value() -> None:
    assert decode.brightest(deep(RAMP), max_pixels=3) is None


@pytest.mark.parametrize("form", ["JPEG", "BMP", "GIF", "WEBP", "PNG"])
def test_an_8_bit_file_is_recognised_by_its_first_bytes(form: str) -> None:
    assert not may_hold(encode(Image.fromarray(noise()), form)[:26])
