import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from graft.images import decode
from graft.images.resizing import fit
from graft.preparation import assembly, reading, shards
from graft.preparation.assembly import Assembled, assemble
from graft.preparation.scan import scan
from graft.records.common import Preprocessing
from graft.store.catalogue import open_images

SMALL = Preprocessing(resize_px=18, crop_px=16, mean=(0, 0, 0), std=(1, 1, 1), interpolation="bilinear")
SOURCE = Path(__file__).parents[2] / "src"


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten images, one of them broken: shards of 3, 3, 3 and 1."""
    monkeypatch.setattr(assembly, "N_PER_SHARD", 3)
    for number in range(10):
        draw(tmp_path / "target" / ("dog" if number % 2 else "cat") / f"{number}.png", number)
    (tmp_path / "target/cat/4.png").write_bytes(b"broken")
    return tmp_path / "target"


def run(target: Path) -> Assembled:
    return assemble(target, scan(target), target.parent / "shards", SMALL)


def check(made: Assembled, target: Path) -> None:
    """Check that the store has every readable image at its row's place, and that its hash is right."""
    stored = open_images(made.store)
    assert stored.shape == (9, 16, 16, 3)
    assert [row.path for row in made.rows] == [each.path for each in scan(target)]
    assert [row.row for row in made.rows] == [0, 1, -1, 2, 3, 4, 5, 6, 7, 8]
    for row in made.rows:
        if row.row >= 0:
            content = (target / row.path).read_bytes()
            np.testing.assert_array_equal(stored[row.row], fit(decode.decode(content, "a"), SMALL))
    assert made.sha256 == hashlib.sha256(made.store.read_bytes()).hexdigest()


@pytest.fixture
def n_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read from here on."""
    names: list[str] = []
    read_file = reading.read_file

    def counted(*arguments: object) -> object:
        names.append(arguments[1].path)  # type: ignore[attr-defined]
        return read_file(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(shards, "read_file", counted)
    return names


def test_shards_become_one_store_and_leave_no_pixels_behind(target: Path) -> None:
    for part in shards.shard_plan(scan(target), 3)[1:3]:
        shards.make_shard(target, part, target.parent / "shards", SMALL)
    made = run(target)
    check(made, target)
    assert [each.name for each in made.store.parent.glob("*.npy")] == [made.store.name]


def test_shards_that_other_calls_made_are_used_in_any_order(target: Path, n_read: list[str]) -> None:
    plan = shards.shard_plan(scan(target), 3)
    for place in (3, 1):
        shards.make_shard(target, plan[place], target.parent / "shards", SMALL)
    n_read.clear()
    check(run(target), target)
    assert sorted(n_read) == sorted(each.path for place in (0, 2) for each in plan[place])


def test_after_one_file_changed_only_its_shard_is_read_again(target: Path, n_read: list[str]) -> None:
    for part in shards.shard_plan(scan(target), 3):
        shards.make_shard(target, part, target.parent / "shards", SMALL)
    os.utime(target / "dog/3.png", ns=(0, 0))
    n_read.clear()
    check(run(target), target)
    assert sorted(n_read) == ["dog/3.png", "dog/5.png", "dog/7.png"]


@pytest.mark.parametrize("stop", range(1, 5))
@pytest.mark.parametrize("made", [True, False])
def test_a_call_stopped_after_a_shard_is_resumed_after_it(
    target: Path, n_read: list[str], monkeypatch: pytest.MonkeyPatch, stop: int, made: bool
) -> None:
    """The call stops before it deletes the pixels of an appended shard, or after it wrote the rows of a new one."""
    plan, n = shards.shard_plan(scan(target), 3), 0
    if made:
        for part in plan:
            shards.make_shard(target, part, target.parent / "shards", SMALL)
    last: tuple[object, str] = (Path, "unlink") if made else (assembly, "write_catalog")
    done = getattr(*last)

    def interrupted(*arguments: object, **options: object) -> None:
        nonlocal n
        n += 1
        if n != stop or not made:
            done(*arguments, **options)
        if n == stop:
            raise KeyboardInterrupt

    monkeypatch.setattr(*last, interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(target)
    n_read.clear()
    check(run(target), target)
    assert sorted(n_read) == ([] if made else [each.path for part in plan[stop:] for each in part])


@pytest.mark.parametrize("stop", range(1, 11))
def test_a_call_stopped_within_a_shard_reads_it_again(target: Path, monkeypatch: pytest.MonkeyPatch, stop: int) -> None:
    read_file, n = reading.read_file, 0

    def interrupted(*arguments: object) -> object:
        nonlocal n
        n += 1
        if n == stop:
            raise KeyboardInterrupt
        return read_file(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(shards, "read_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(target)
    check(run(target), target)


def test_a_store_that_lost_the_rows_of_a_shard_is_read_from_there(target: Path) -> None:
    made = run(target)
    first = shards.shard_file(target, scan(target)[:3], target.parent / "shards", SMALL)
    first.unlink()
    check(run(target), target)
    check(made, target)


def test_a_store_that_ends_with_half_a_shard_is_repaired(target: Path, n_read: list[str]) -> None:
    plan, out = shards.shard_plan(scan(target), 3), target.parent / "shards"
    pixels = [shards.make_shard(target, part, out, SMALL).with_suffix(".npy") for part in plan]
    kept = {each: each.read_bytes() for each in pixels}
    made = run(target)
    with made.store.open("r+b") as file:
        file.truncate(shards.HEADER_BYTES + 4 * 768)
    for each in pixels[1:]:
        each.write_bytes(kept[each])
    n_read.clear()
    check(run(target), target)
    assert n_read == []


def test_what_a_killed_call_left_after_the_last_shard_is_removed(target: Path) -> None:
    made = run(target)
    last = shards.shard_file(target, scan(target)[9:], target.parent / "shards", SMALL)
    last.unlink()
    with made.store.open("ab") as file:
        file.write(b"left behind")
    made = run(target)
    check(made, target)
    assert made.store.stat().st_size == shards.HEADER_BYTES + 9 * shards.image_bytes(16)


def test_the_hash_is_that_of_the_file_if_all_images_are_readable(target: Path) -> None:
    draw(target / "cat/4.png", 4)
    for part in shards.shard_plan(scan(target), 3)[1:]:
        shards.make_shard(target, part, target.parent / "shards", SMALL)
    made = run(target)
    assert made.sha256 == hashlib.sha256(made.store.read_bytes()).hexdigest()
    assert run(target) == made


def test_a_finished_store_is_hashed_as_it_is(target: Path, n_read: list[str]) -> None:
    first = run(target)
    n_read.clear()
    assert run(target) == first
    assert n_read == []


def test_no_files_give_an_empty_store(tmp_path: Path) -> None:
    made = assemble(tmp_path / "source", (), tmp_path / "shards", SMALL)
    assert made.rows == ()
    assert open_images(made.store).shape == (0, 16, 16, 3)


def test_without_room_for_the_rest_and_one_shard_nothing_is_read(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(folder: Path, n_images: int, size_px: int) -> None:
        asked.append((folder, n_images, size_px))
        raise OSError("no room")

    shards.make_shard(target, scan(target)[:3], target.parent / "shards", SMALL)
    monkeypatch.setattr(assembly, "check_room", refuse)
    with pytest.raises(OSError, match="no room"):
        run(target)
    assert asked == [(target.parent / "shards", 10 - 2 + 3, 16)]


SCRIPT = """
import sys, time
from pathlib import Path
from graft.records.common import Preprocessing
from graft.preparation import assembly, reading, shards
from graft.preparation.scan import scan

assembly.N_PER_SHARD = 3
read_file = shards.read_file
shards.read_file = lambda *arguments: (time.sleep(0.2), read_file(*arguments))[1]
folder = Path(sys.argv[1])
assembly.assemble(folder, scan(folder), folder.parent / "shards", Preprocessing.model_validate_json(sys.argv[2]))
"""


def test_the_finished_shards_of_a_killed_process_are_used_by_the_next(target: Path, n_read: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-c", SCRIPT, str(target), SMALL.model_dump_json()]
    process = subprocess.Popen(command, env=environment)
    finished: list[Path] = []
    while len(finished) < 2 and process.poll() is None:
        time.sleep(0.01)
        finished = list((target.parent / "shards").glob("*.csv"))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    finished = list((target.parent / "shards").glob("*.csv"))
    assert 2 <= len(finished) < 4
    check(run(target), target)
    assert len(n_read) == 10 - 3 * len(finished)
