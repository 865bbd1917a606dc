import csv
import io
import threading
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.house import ROOT

from graft.images import decode
from graft.images.resizing import fit
from graft.records.common import Preprocessing

DIRTY = ROOT.parent / "shared/data/dirty"
FAULT_IN_THE_PROFILE = ("unknown_compression_method.png",)
"""Pillow refuses these because of a broken colour profile, on which no pixel depends"""


def preprocessing(resize_px: int = 36, crop_px: int = 32) -> Preprocessing:
    return Preprocessing(resize_px=resize_px, crop_px=crop_px, mean=(0, 0, 0), std=(1, 1, 1), interpolation="bilinear")


def encode(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, form, **options)
    return content.getvalue()


def noise(height: int = 20, width: int = 30) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_keep_their_pixels(form: str) -> None:
    decoded = decode.read(encode(Image.fromarray(noise()), form), "a")
    np.testing.assert_array_equal(np.asarray(decoded.picture), noise())
    assert decoded[1:] == ("RGB", form, 1, 1)


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "JPEG2000", "GIF"])
def test_lossy_formats_give_similar_pixels(form: str) -> None:
    plain = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    decoded = decode.decode(encode(Image.fromarray(plain), form), "a")
    assert np.abs(decoded.astype(int) - plain).max() <= 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    upright = noise()
    # by the EXIF standard, which says where the first row and column of the stored image belong
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright[:, ::-1].transpose(1, 0, 2),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: upright[::-1].transpose(1, 0, 2),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(turned))
    for form in ("PNG", "TIFF"):
        decoded = decode.read(encode(stored, form, exif=exif), "a")
        np.testing.assert_array_equal(np.asarray(decoded.picture), upright)
        assert decoded.orientation == orientation


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II"])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_broken_exif_leaves_a_good_image_readable(form: str, exif: bytes) -> None:
    assert decode.decode(encode(Image.fromarray(noise()), form, exif=exif), "a").shape == (20, 30, 3)


def test_16_bits_are_scaled_to_8_and_not_clipped() -> None:
    values = np.array([[0, 256, 257, 32768, 65535]], np.uint16)
    for form in ("PNG", "TIFF", "PPM"):
        decoded = decode.decode(encode(Image.fromarray(values), form), "a")
        np.testing.assert_array_equal(decoded[0, :, 0], np.round(values[0] * (255 / 65535)))


def test_16_bit_tiff_where_0_is_white_is_inverted() -> None:
    values = np.array([[0, 65535]], np.uint16)
    content = encode(Image.fromarray(values), "TIFF", tiffinfo={262: 0})
    np.testing.assert_array_equal(decode.decode(content, "a")[0, :, 0], [255, 0])


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_values_of_unknown_range_are_refused(kind: type) -> None:
    content = encode(Image.fromarray(np.ones((4, 4), kind)), "TIFF")
    with pytest.raises(ValueError, match=r"a\.tif: want a whole image, got: pixels of mode [FI], of unknown range"):
        decode.decode(content, "a.tif")


def test_cmyk_becomes_rgb() -> None:
    inks = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert decode.read(encode(inks, "TIFF"), "a").mode == "CMYK"
    assert tuple(decode.decode(encode(inks, "TIFF"), "a")[0, 0]) == (255, 0, 0)


def test_1_bit_becomes_black_and_white() -> None:
    decoded = decode.decode(encode(Image.fromarray(np.eye(8) > 0)), "a")
    np.testing.assert_array_equal(decoded, np.repeat(np.eye(8, dtype=np.uint8)[:, :, None] * 255, 3, axis=2))


def test_palette_becomes_its_colours() -> None:
    drawn = Image.new("RGB", (8, 8), (10, 200, 30))
    assert tuple(decode.decode(encode(drawn.quantize(4)), "a")[0, 0]) == (10, 200, 30)


@pytest.mark.parametrize(("alpha", "want"), [(0, 255), (255, 0), (51, 204)])
def test_transparency_is_composited_onto_white(alpha: int, want: int) -> None:
    for image in (Image.new("RGBA", (4, 4), (0, 0, 0, alpha)), Image.new("LA", (4, 4), (0, alpha))):
        assert decode.decode(encode(image), "a")[0, 0, 0] == want


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_the_transparent_value_of_a_grey_png_becomes_white(mode: str) -> None:
    image = Image.fromarray(np.array([[0, 5]], np.uint8 if mode == "L" else np.uint16))
    assert image.mode == mode
    decoded = decode.decode(encode(image, transparency=5), "a", value_bits=16)
    np.testing.assert_array_equal(decoded[0, :, 0], [0, 255])


def transparent_pictures() -> dict[str, bytes]:
    """A picture in every mode in which Pillow supports transparency."""
    values = np.random.default_rng(0).integers(0, 256, (7, 13, 4), dtype=np.uint8)
    colour = Image.fromarray(values[..., :3].copy())
    palette, grey = colour.quantize(64), colour.convert("L")
    return {
        "RGBA": encode(Image.fromarray(values)),
        "RGBA WebP": encode(Image.fromarray(values), "WEBP", lossless=True, exact=True),
        "LA": encode(Image.fromarray(values).convert("LA")),
        "P": encode(palette, transparency=5),
        "P, alpha by colour": encode(palette, transparency=bytes(range(64))),
        "P GIF": encode(palette, "GIF", transparency=5),
        "L": encode(grey, transparency=grey.getpixel((3, 3))),
        "RGB": encode(colour, transparency=colour.getpixel((3, 3))),
        "1": encode(colour.convert("1"), transparency=255),
    }


@pytest.mark.parametrize("strip_pixels", [1, 30, 1000])
@pytest.mark.parametrize("kind", list(transparent_pictures()))
def test_an_image_composited_in_strips_equals_the_whole(
    kind: str, strip_pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "STRIP_PIXELS", strip_pixels)
    content = transparent_pictures()[kind]
    with Image.open(io.BytesIO(content)) as file:
        whole = Image.alpha_composite(Image.new("RGBA", file.size, "white"), file.convert("RGBA")).convert("RGB")

    np.testing.assert_array_equal(decode.decode(content, "a"), np.asarray(whole))


@pytest.mark.parametrize("form", decode.FORMATS)
def test_the_number_of_pixels_comes_from_the_header(form: str) -> None:
    assert decode.n_pixels(encode(Image.fromarray(noise(20, 30)), form)) == 600


@pytest.mark.parametrize("content", [b"", b"no image", encode(Image.fromarray(noise()))[:20]])
def test_the_number_of_pixels_is_0_without_a_valid_header(content: bytes) -> None:
    assert decode.n_pixels(content) == 0


def test_the_first_frame_of_an_animation_is_used() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    for form in ("GIF", "PNG", "WEBP"):
        content = encode(frames[0], form, save_all=True, append_images=frames[1:])
        assert np.abs(decode.decode(content, "a")[0, 0].astype(int) - (255, 0, 0)).max() <= 3
        assert decode.read(content, "a").frames == 2


def test_the_pages_of_a_tiff_are_counted_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [Image.new("L", (8, 8))] * 4
    content = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert decode.read(content, "a").frames == 4
    monkeypatch.setattr(decode, "MAX_PAGES", 3)
    assert decode.read(content, "a").frames == 3


def test_a_sound_first_frame_is_read_although_a_later_one_is_broken() -> None:
    frames = [Image.fromarray(noise()), Image.fromarray(noise()[::-1])]
    content = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    decoded = decode.read(content[: len(content) * 2 // 3], "a")
    assert (decoded.picture.size, decoded.frames) == ((30, 20), 1)


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^cat\.jpg: want an image, got an empty file\. Copy it again"):
        decode.decode(b"", "cat.jpg")


def test_garbage_is_refused_with_the_same_error_each_time() -> None:
    with pytest.raises(ValueError, match=r"^a\.jpg: want a whole image, got: none that can be read as JPEG") as caught:
        decode.decode(b"not an image", "a.jpg")
    assert "0x" not in str(caught.value)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP"])
def test_a_truncated_file_is_refused(form: str) -> None:
    content = encode(Image.fromarray(noise(200, 200)), form)
    with pytest.raises(ValueError, match=r"^a: want a whole image, got: .+\. Convert or replace it"):
        decode.decode(content[: len(content) // 2], "a")


def test_a_format_outside_the_list_is_refused() -> None:
    with pytest.raises(ValueError, match="none that can be read as"):
        decode.decode(encode(Image.fromarray(noise()), "TGA"), "a")


@pytest.mark.parametrize("side", [10_001, 13_000, 20_000])
def test_more_pixels_than_the_limit_are_refused_before_they_are_decoded(side: int) -> None:
    # without pixels: decoding would report a truncated file
    header = b"P5 %d %d 255\n" % (side, side)
    with pytest.raises(ValueError, match=r"more (pixels )?than the limit of 100 megapixels"):
        decode.decode(header, "a")


def test_no_warning_is_shown_and_filters_are_restored() -> None:
    # claims five entries, but has half of one
    cut_off = b"Exif\0\0II*\0\x08\0\0\0\x05\0aaaa"
    content = encode(Image.fromarray(noise()), "JPEG", exif=cut_off)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        decode.decode(content, "a")
        assert warnings.filters == before
    assert seen == []


def test_threads_restore_the_warning_filters() -> None:
    before = list(warnings.filters)
    content = encode(Image.fromarray(noise()))
    threads = [threading.Thread(target=lambda: [decode.decode(content, "a") for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


@pytest.mark.parametrize(
    "shape", [(100, 200), (200, 100), (7, 9), (1, 1), (36, 36), (333, 101), (100, 209), (375, 500), (500, 333)]
)
def test_fit_equals_resize_and_crop_of_torchvision(shape: tuple[int, int]) -> None:
    transforms = pytest.importorskip("torchvision.transforms.v2")
    image = noise(*shape)
    for resize_px, crop_px in ((36, 32), (256, 224)):
        cut = transforms.Compose([transforms.Resize(resize_px), transforms.CenterCrop(crop_px)])
        want = np.asarray(cut(Image.fromarray(image)))
        np.testing.assert_array_equal(fit(image, preprocessing(resize_px, crop_px)), want)
        np.testing.assert_array_equal(fit(Image.fromarray(image), preprocessing(resize_px, crop_px)), want)


def test_fit_uses_the_interpolation_of_the_preprocessing() -> None:
    bicubic = preprocessing().model_copy(update={"interpolation": "bicubic"})
    assert not np.array_equal(fit(noise(), preprocessing()), fit(noise(), bicubic))


def test_fit_does_not_change_an_image_of_the_right_size() -> None:
    np.testing.assert_array_equal(fit(noise(32, 32), preprocessing(32, 32)), noise(32, 32))


def test_only_the_middle_of_a_long_strip_is_resized(monkeypatch: pytest.MonkeyPatch) -> None:
    resize, seen = Image.Image.resize, list[NDArray[np.uint8]]()

    def watch(picture: Image.Image, *how: Any) -> Image.Image:
        seen.append(np.asarray(picture))
        return resize(picture, *how)

    monkeypatch.setattr(Image.Image, "resize", watch)
    strip, middle = np.zeros((2, 1001, 3), np.uint8), noise(2, 32)
    strip[:, 484:516] = middle
    for turned, kept in ((strip, middle), (strip.transpose(1, 0, 2), middle.transpose(1, 0, 2))):
        picture = Image.fromarray(np.ascontiguousarray(turned))
        assert fit(picture, preprocessing()).shape == (32, 32, 3)
        np.testing.assert_array_equal(seen.pop(), kept)


@pytest.mark.real_data
def test_every_awkward_file_is_read_or_refused_with_a_clear_error() -> None:
    if not DIRTY.is_dir():
        pytest.skip(f"{DIRTY} is absent")
    with (DIRTY / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        content = (DIRTY / row["file"]).read_bytes()
        if row["pillow"] == "ok" or row["file"] in FAULT_IN_THE_PROFILE:
            pixels = decode.decode(content, row["file"], value_bits=16)
            assert fit(pixels, preprocessing()).shape == (32, 32, 3)
        else:
            with pytest.raises(ValueError, match=rf"^{row['file']}: want .+, got.+\. (Convert|Copy) "):
                decode.decode(content, row["file"])
