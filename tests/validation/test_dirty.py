"""Awkward real files go through all of `prepare`: each is read correctly, or refused with a reason."""

import csv
import resource
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.house import ROOT
from tests.images.test_decode import FAULT_IN_THE_PROFILE

from graft.images import decode
from graft.params.data import PrepareData
from graft.preparation.prepare import PrepareSettings, prepare
from graft.preparation.scan import scan
from graft.records.common import Preprocessing
from graft.store.catalogue import CatalogRow, open_images

DIRTY = ROOT.parent / "shared/data/dirty"
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not DIRTY.is_dir(), reason=f"{DIRTY} is absent"),
]
AS_SMALL = Preprocessing(resize_px=64, crop_px=64, mean=(0, 0, 0), std=(1, 1, 1), interpolation="bilinear")
GROUPS = PrepareData(dataset="folders", group_pattern=None, group_file=None, near_duplicate_bits=4)
MOST_SECONDS = 60
MOST_MIB = 600
"""MiB beyond the memory resident before; two files of 100 megapixels at once would need more"""


def manifest() -> list[dict[str, str]]:
    if not DIRTY.is_dir():
        return []
    with (DIRTY / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def peak_mib() -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


@pytest.fixture(scope="module")
def strewn(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, CatalogRow], NDArray[np.uint8]]:
    """Rows by path, and the store, of two classes of sound images mixed with every awkward file."""
    folder = tmp_path_factory.mktemp("strewn") / "target"
    for label, seed in (("cat", 0), ("dog", 100)):
        (folder / label).mkdir(parents=True)
        for number in range(4):
            pixels = np.random.default_rng(seed + number).integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{label}{number}.png")
    for place, row in enumerate(manifest()):
        shutil.copy(DIRTY / row["file"], folder / ("cat" if place % 2 else "dog") / row["file"])
    before, started = peak_mib(), time.monotonic()
    settings = PrepareSettings(AS_SMALL, GROUPS, 0)
    prepared = prepare(folder, scan(folder), folder.parent / "images.npy", folder.parent / "shards", settings)
    # guards against hanging; not a measurement
    assert time.monotonic() - started < MOST_SECONDS
    assert peak_mib() - before < MOST_MIB
    return {Path(row.path).name: row for row in prepared.rows}, open_images(folder.parent / "images.npy")


Strewn = tuple[dict[str, CatalogRow], NDArray[np.uint8]]


def test_every_file_is_catalogued(strewn: Strewn) -> None:
    assert len(strewn[0]) == 8 + len(manifest())
    assert sum(row.row >= 0 for row in strewn[0].values()) == len(strewn[1])


@pytest.mark.parametrize("expected", manifest(), ids=lambda each: each["file"])
def test_each_file_is_read_as_the_manifest_says_or_refused_with_a_reason(
    strewn: Strewn, expected: dict[str, str]
) -> None:
    row = strewn[0][expected["file"]]
    if expected["file"] in FAULT_IN_THE_PROFILE:
        assert (row.error, row.format) == ("", "PNG")
        assert row.width > 0
        return
    if expected["pillow"] != "ok":
        assert (row.row, row.phash, row.width) == (-1, "", 0)
        assert row.error.startswith("want ")
        assert row.error.endswith(".")
        return
    orientation = int(expected["exif_orientation"] or 1)
    sides = [int(side) for side in expected["size"].split("x")]
    width, height = sides if orientation < 5 else sides[::-1]
    assert (row.error, row.format, row.mode) == ("", expected["format"], expected["mode"])
    assert (row.frames, row.orientation) == (int(expected["frames"]), orientation)
    assert (row.width, row.height) == (width, height)


def pixels_of(name: str) -> NDArray[np.int64]:
    return decode.decode((DIRTY / name).read_bytes(), name, value_bits=16).astype(np.int64)


@pytest.mark.parametrize("orientation", [3, 5, 7])
def test_a_rotated_photograph_is_set_upright(strewn: Strewn, orientation: int) -> None:
    rows, stored = strewn
    upright, turned = (
        stored[rows[name].row].astype(int) for name in ("hopper.jpg", f"hopper_orientation_{orientation}.jpg")
    )
    others = (turned[::-1], turned[:, ::-1], turned[::-1, ::-1], turned.transpose(1, 0, 2))
    distance = np.abs(turned - upright).mean()
    # the files differ in JPEG quality
    assert distance < 12
    assert distance < 0.5 * min(np.abs(each - upright).mean() for each in others)


def test_a_cmyk_file_has_the_right_colours() -> None:
    inks, plain = pixels_of("pil_sample_cmyk.jpg"), pixels_of("truncated_app14.jpg")  # red letters on black
    assert np.abs(inks - plain).mean() < 6
    assert np.corrcoef(inks.ravel(), plain.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("name", ["16_bit_noise.tif", "hopper_16bit.pgm"])
def test_16_bits_are_scaled_and_not_clipped(name: str) -> None:
    with Image.open(DIRTY / name) as file:
        values = np.asarray(file).astype(np.int64)
    assert values.max() > 255
    np.testing.assert_array_equal(pixels_of(name)[:, :, 0], (values * 255 + 32767) // 65535)


def test_a_palette_gives_its_colours() -> None:
    with Image.open(DIRTY / "p_trns_single.png") as file:
        rgba = np.asarray(file.convert("RGBA")).astype(np.int64)
    opaque = rgba[:, :, 3] == 255
    assert 0 < opaque.sum() < opaque.size
    np.testing.assert_array_equal(pixels_of("p_trns_single.png")[opaque], rgba[opaque][:, :3])
    assert (pixels_of("p_trns_single.png")[rgba[:, :, 3] == 0] == 255).all()


@pytest.mark.parametrize("name", ["transparent.gif", "1_trns.png", "l_trns.png", "tiff_16bit_RGBa.tiff"])
def test_transparent_pixels_are_white(name: str) -> None:
    with Image.open(DIRTY / name) as file:
        clear = np.asarray(file.convert("RGBA"))[:, :, 3] == 0
    assert clear.any()
    assert (pixels_of(name)[clear] == 255).all()


@pytest.mark.parametrize("name", ["iss634.gif", "decompression_bomb_extents.gif", "apng_mode_16bit.png"])
def test_the_first_frame_of_an_animation_is_catalogued(name: str) -> None:
    with Image.open(DIRTY / name) as file:
        white = Image.new("RGBA", file.size, "white")
        first = np.asarray(Image.alpha_composite(white, file.convert("RGBA")).convert("RGB"))
    np.testing.assert_array_equal(pixels_of(name), first)
