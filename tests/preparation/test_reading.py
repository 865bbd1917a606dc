import hashlib
import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from graft.images import decode
from graft.images.fingerprint import channel_statistics, phash
from graft.images.resizing import fit
from graft.preparation import reading
from graft.preparation.found import Found
from graft.preparation.reading import read_file
from graft.records.common import Preprocessing
from graft.store.catalogue import CatalogRow

SMALL = Preprocessing(resize_px=18, crop_px=16, mean=(0, 0, 0), std=(1, 1, 1), interpolation="bilinear")


def read(path: Path) -> tuple[CatalogRow, NDArray[np.uint8] | None]:
    return read_file(path.parent, Found(path.name, "cat", None), SMALL)


def reason(path: Path) -> str:
    """Why a file cannot be read, after a look at the rest of its row."""
    row, image = read(path)
    assert image is None
    assert (row.path, row.row, row.width, row.height, row.phash, row.frames) == (path.name, -1, 0, 0, "", 1)
    assert row[row._fields.index("mean_red") : row._fields.index("row")] == (0.0,) * 6
    assert row.error.startswith("want ")
    assert row.error.endswith(".")
    return row.error


def noise() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)


def test_a_row_has_everything_that_the_catalogue_holds(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise()).save(tmp_path / "a.png", exif=exif)
    row, image = read_file(tmp_path, Found("a.png", "cat", "val"), SMALL)
    content = (tmp_path / "a.png").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    assert image is not None
    np.testing.assert_array_equal(image, fit(decode.decode(content, "a"), SMALL))
    assert row == CatalogRow(
        "a.png", "cat", "val", sha256, sha256, phash(image), len(content), 20, 24, "RGB", "PNG", 1, 6,
        *channel_statistics(image), 0, "",
    )  # fmt: skip


def test_limits_that_params_set_are_told_by_their_keys(tmp_path: Path) -> None:
    Image.new("L", (1001, 1000)).save(tmp_path / "large.png")
    Image.fromarray(np.full((20, 24), 4095, dtype=np.uint16)).save(tmp_path / "deep.png")
    small = SMALL.model_copy(update={"max_pixels": 1_000_000})
    row, _ = read_file(tmp_path, Found("large.png", "cat", None), small)
    assert "more than the limit of 1 megapixels (images.max_megapixels)" in row.error
    assert "of unknown range (images.value_bits)" in reason(tmp_path / "deep.png")


def test_an_image_of_one_pixel_is_read(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (9, 8, 7)).save(tmp_path / "a.png")
    row, image = read(tmp_path / "a.png")
    assert image is not None
    assert (row.width, row.height, image.shape, tuple(image[3, 3])) == (1, 1, (16, 16, 3), (9, 8, 7))


def test_text_named_jpg_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no image at all\n" * 100)
    assert "none that can be read as JPEG" in reason(tmp_path / "a.jpg")


def test_a_file_of_zero_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert reason(tmp_path / "a.jpg") == "want an image, got an empty file. Copy it again, or delete it."


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    Image.fromarray(noise()).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:300])
    assert reason(tmp_path / "a.png").startswith("want a whole image, got: ")


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize(("width", "height"), [(20_000, 10_000), (60_000, 60_000)])
def test_a_photograph_of_200_megapixels_and_a_bomb_are_refused_before_decoding(
    tmp_path: Path, width: int, height: int
) -> None:
    packer = zlib.compressobj(9)
    line = bytes(1 + width // 8)
    pixels = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(png)
    assert "the limit of 25 megapixels" in reason(tmp_path / "a.png")


def test_a_file_of_many_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a.tif").open("wb") as file:
        file.truncate(50_000_000_000)  # no room on disk is taken
    assert reason(tmp_path / "a.tif").startswith("want a file under the limit of 1000 MB, got 50000 MB. ")


def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    assert reason(tmp_path / "a.jpg") == "want a file, got a pipe, a socket or a device. Delete it."


def test_a_socket_and_a_device_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.jpg")
        assert "got a pipe, a socket or a device" in reason(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").symlink_to("/dev/zero")
    assert "got a pipe, a socket or a device" in reason(tmp_path / "b.jpg")


def test_broken_links_and_links_to_themselves_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "b.jpg").symlink_to("b.jpg")
    assert reason(tmp_path / "a.jpg") == (
        "want a readable file, got: No such file or directory. Fix the link, or delete it."
    )
    assert reason(tmp_path / "b.jpg").endswith("Fix the link, or delete it.")


def test_a_file_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "a.jpg").chmod(0)
    if os.access(tmp_path / "a.jpg", os.R_OK):  # for root there is no such file

        def forbid(*_: object) -> None:
            raise PermissionError(13, "Permission denied", "a.jpg")

        monkeypatch.setattr(Path, "open", forbid)
    assert reason(tmp_path / "a.jpg") == (
        "want a readable file, got: Permission denied. Check its permissions and the disk."
    )


@pytest.mark.parametrize("how", ["grows", "same size", "replaced"])
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(noise()).save(path)
    content, opened = path.read_bytes(), Path.open
    (tmp_path / "other").write_bytes(content)
    os.utime(tmp_path / "other", ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))

    def open_and_change(self: Path, *args: str) -> object:
        file = opened(self, *args)  # type: ignore[call-overload]
        if how == "replaced":
            (tmp_path / "other").replace(path)
        else:
            with opened(path, "r+b") as writer:
                writer.write(content + b"more" * (how == "grows"))
            os.utime(path, ns=(0, 0))
        return file

    monkeypatch.setattr(Path, "open", open_and_change)
    row, image = read(path)
    assert image is None
    assert row.error.startswith("want a complete file, got one that changed while it was read. ")


def test_the_largest_image_is_within_the_limit_of_bytes() -> None:
    assert decode.MAX_PIXELS * 8 < reading.MAX_BYTES  # 16-bit RGBA
