from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.validation.samples import ON_COLOUR

from graft.commands.loose_images import read_loose
from graft.images.decode import decode
from graft.images.resizing import fit


def save(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "at").mkdir()
    monkeypatch.chdir(tmp_path / "at")
    return tmp_path / "in"


def test_images_at_any_depth_are_read_in_the_order_of_their_paths(folder: Path) -> None:
    files = [save(folder / name, seed) for seed, name in enumerate(("a/b/c/3.png", "a/x.JPG", "top.png"))]
    (folder / "README.txt").write_text("no image")
    with read_loose(folder, ON_COLOUR) as (rows, images):
        assert [row.path for row in rows] == ["a/b/c/3.png", "a/x.JPG", "top.png"]
        assert [row.row for row in rows] == [0, 1, 2]
        for image, file in zip(images, files, strict=True):
            np.testing.assert_array_equal(image, fit(decode(file.read_bytes(), file.name), ON_COLOUR))


def test_a_file_that_cannot_be_read_stays_among_the_rows_with_its_reason(folder: Path) -> None:
    save(folder / "z.png", 0)
    (folder / "bad.png").write_bytes(b"no image")
    with read_loose(folder, ON_COLOUR) as (rows, images):
        assert [(row.path, row.row, bool(row.error)) for row in rows] == [("bad.png", -1, True), ("z.png", 0, False)]
        assert len(images) == 1


def test_exact_copies_are_one_group(folder: Path) -> None:
    for name in ("a.png", "b/a.png", "c/a.png"):
        save(folder / name, 0)
    save(folder / "d.png", 1)
    with read_loose(folder, ON_COLOUR) as (rows, _):
        assert len({row.group for row in rows}) == 2


def test_hidden_files_and_what_lies_behind_links_are_skipped(folder: Path, tmp_path: Path) -> None:
    save(folder / "a.png", 0)
    save(folder / "._a.png", 1)
    save(folder / ".thumbnails" / "a.png", 2)
    save(tmp_path / "elsewhere" / "b.png", 3)
    (folder / "folder.png").mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    with read_loose(folder, ON_COLOUR) as (rows, _):
        assert [row.path for row in rows] == ["a.png"]


def test_a_hidden_folder_may_hold_them_all(folder: Path) -> None:
    save(folder.parent / ".cache" / "a.png", 0)
    with read_loose(folder.parent / ".cache", ON_COLOUR) as (rows, _):
        assert [row.path for row in rows] == ["a.png"]


def test_nothing_is_left_behind(folder: Path) -> None:
    save(folder / "a.png", 0)
    with read_loose(folder, ON_COLOUR):
        assert len(list(Path.cwd().iterdir())) == 1
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_images_is_a_sentence(folder: Path, there: bool) -> None:
    if there:
        folder.mkdir()
        (folder / "notes.txt").write_text("no image")
    with (
        pytest.raises(FileNotFoundError, match=r"in: want a folder with images \(\.jpg, .*, got none\. Name another"),
        read_loose(folder, ON_COLOUR),
    ):
        pass


def test_16_bit_files_are_scaled_by_their_own_bits_in_use_and_not_by_the_targets(folder: Path) -> None:
    folder.mkdir()
    for number in range(5):
        Image.fromarray(np.full((40, 50), 4095 - number, np.uint16)).save(folder / f"{number}.png")
    (folder / "@eaDir").mkdir()
    save(folder / "@eaDir/thumb.png", 0)
    with read_loose(folder, ON_COLOUR) as (rows, images):
        assert len(rows) == 5
        assert images.min() == 255
