import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from graft.images import decode
from graft.preparation import shards
from graft.preparation.found import Found
from graft.preparation.reading import read_file
from graft.preparation.scan import scan
from graft.preparation.shards import HEADER_BYTES, check_room, make_shard, npy_header, shard_plan
from graft.records.common import Preprocessing
from graft.store.catalogue import open_images, read_catalog

SMALL = Preprocessing(resize_px=18, crop_px=16, mean=(0, 0, 0), std=(1, 1, 1), interpolation="bilinear")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    for number in range(6):
        path = tmp_path / "target" / ("dog" if number % 2 else "cat") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return tmp_path / "target"


def make(folder: Path, preprocessing: Preprocessing = SMALL) -> Path:
    return make_shard(folder, scan(folder), folder.parent / "shards", preprocessing)


@pytest.mark.parametrize(("n", "sizes"), [(0, []), (3, [3]), (4, [4]), (9, [4, 4, 1])])
def test_a_plan_takes_the_files_in_their_order(n: int, sizes: list[int]) -> None:
    found = [Found(f"{number:02}", "cat", None) for number in range(n)]
    plan = shard_plan(found, 4)
    assert [len(each) for each in plan] == sizes
    assert [each for part in plan for each in part] == found


def test_a_shard_holds_rows_and_pixels_of_its_files(target: Path) -> None:
    (target / "cat/1.png").write_bytes(b"broken")
    made = make(target)
    assert {each.suffix for each in made.parent.iterdir()} == {".csv", ".npy"}
    read = [read_file(target, each, SMALL) for each in scan(target)]
    assert list(read_catalog(made)) == [row for row, _ in read]
    np.testing.assert_array_equal(
        open_images(made.with_suffix(".npy")), np.stack([image for _, image in read if image is not None])
    )


def test_a_shard_is_made_once(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(target)
    monkeypatch.setattr(shards, "read_file", None)
    assert make(target) == made


def touch(target: Path) -> None:
    os.utime(target / "cat/0.png", ns=(0, 0))


def lengthen(target: Path) -> None:
    status = (target / "cat/0.png").stat()
    with (target / "cat/0.png").open("ab") as file:
        file.write(b"x")
    os.utime(target / "cat/0.png", ns=(status.st_atime_ns, status.st_mtime_ns))


def rename(target: Path) -> None:
    (target / "cat/0.png").rename(target / "cat/00.png")


@pytest.mark.parametrize("change", [touch, lengthen, rename])
def test_other_files_give_another_shard(target: Path, change: Callable[[Path], None]) -> None:
    before = make(target)
    change(target)
    assert make(target) != before


def test_other_preprocessing_and_other_code_give_another_shard(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = make(target)
    assert make(target, SMALL.model_copy(update={"interpolation": "bicubic"})) != before
    (target.parent / "images.py").write_text("another way to decode")
    monkeypatch.setattr(decode, "__file__", str(target.parent / "images.py"))
    assert make(target) != before


@pytest.mark.parametrize("suffix", [".npy", ".csv"])
def test_a_shard_that_was_truncated_by_a_copy_is_made_again(target: Path, suffix: str) -> None:
    (target / "dog/5.png").write_bytes(b"broken")  # the row that is cut off has no pixels
    made = make(target)
    whole = {each: each.read_bytes() for each in made.parent.iterdir()}
    cut = made.with_suffix(suffix)
    cut.write_bytes(b"".join(cut.read_bytes().splitlines(keepends=True)[:-1]))
    assert cut.read_bytes() != whole[cut]
    make(target)
    assert {each: each.read_bytes() for each in made.parent.iterdir()} == whole


def test_an_interrupt_leaves_nothing(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shards, "read_file", interrupt)
    with pytest.raises(KeyboardInterrupt):
        make(target)
    assert list((target.parent / "shards").iterdir()) == []


def test_a_disk_too_small_is_an_error_before_the_work_begins(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    check_room(tmp_path / "not/yet", 1, 16)
    with pytest.raises(OSError, match=r"yet: want [\d,]+ MB of free disk for [\d,]+ images of 100 x 100 pixels, got "):
        check_room(tmp_path / "not/yet", 2 * free // 30_000, 100)


def test_a_shard_without_room_is_refused_before_it_is_read(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "image_bytes", lambda _: 10**15)
    monkeypatch.setattr(shards, "read_file", None)
    with pytest.raises(OSError, match="of free disk for 6 images"):
        make(target)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here, the device that is always full")
def test_a_disk_that_fills_up_during_the_work_is_an_error(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_files = shards.read_files

    def onto_the_full(folder: Path, files: Sequence[Found], write: object, preprocessing: Preprocessing) -> object:
        with Path("/dev/full").open("wb", buffering=0) as disk:
            return read_files(folder, files, disk.write, preprocessing)

    monkeypatch.setattr(shards, "read_files", onto_the_full)
    with pytest.raises(OSError, match=r"shards: want room for the images, got a full disk\. Free some and run again"):
        make(target)
    assert list((target.parent / "shards").iterdir()) == []


@pytest.mark.parametrize("n", [0, 1, 10**9])
@pytest.mark.parametrize("size_px", [16, 1024])
def test_the_header_has_one_length(n: int, size_px: int) -> None:
    assert len(npy_header(n, size_px)) == HEADER_BYTES


def test_images_are_read_in_order_and_few_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    lock = threading.Lock()
    started = taken = most_ahead = 0

    def read_slowly(folder: Path, each: Found, preprocessing: Preprocessing) -> tuple[str, NDArray[np.uint8]]:
        nonlocal started, most_ahead
        with lock:
            started += 1
            most_ahead = max(most_ahead, started - taken)
        time.sleep(0.001 * (int(each.path) % 3))
        return each.path, np.full(1, int(each.path), dtype=np.uint8)

    written: list[int] = []

    def write(content: bytes) -> None:
        nonlocal taken
        written.extend(content)
        with lock:
            taken += 1

    monkeypatch.setattr(shards, "read_file", read_slowly)
    files = [Found(str(number), "cat", None) for number in range(100)]
    rows: tuple[object, ...] = shards.read_files(tmp_path, files, write, SMALL)
    assert rows == tuple(each.path for each in files)
    assert written == list(range(100))
    assert most_ahead <= shards.IN_FLIGHT * n_cores + 1


def test_a_group_does_not_change_the_shard(tmp_path: Path) -> None:
    names = [
        shards.shard_file(tmp_path, [Found("1.png", label, None, group)], tmp_path, SMALL)
        for label, group in (("cat", None), ("cat", "p1"), ("dog", None))
    ]
    assert names[0] == names[1] != names[2]
