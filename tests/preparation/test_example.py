import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

from graft.preparation.example import TARGET_TRAIN, TARGET_VAL, write_example


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    write_example(folder, seed=0)
    return folder


def content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.png")
    }


def test_equal_seeds_give_equal_bytes_and_other_seeds_others(example: Path, tmp_path: Path) -> None:
    write_example(tmp_path / "again", seed=0)
    write_example(tmp_path / "other", seed=1)
    assert content(tmp_path / "again") == content(example)
    assert content(tmp_path / "other") != content(example)


def test_every_digit_is_in_exactly_one_place(example: Path) -> None:
    hashes = content(example)
    assert len(hashes) == len(load_digits().target) == 1797
    assert len(set(hashes.values())) == 1797


def test_every_image_is_a_digit_of_its_class_on_the_photograph_of_its_domain_and_no_digit_is_used_twice(
    example: Path,
) -> None:
    bundled, size = load_digits(), (32, 32)
    grey = [Image.fromarray((each * 255 / 16).round().astype(np.uint8)) for each in bundled.images]
    digits = np.stack([np.asarray(each.resize(size, Image.Resampling.BILINEAR), dtype=np.int16) for each in grey])
    used = []
    for domain, photograph in (("source", "flower.jpg"), ("target", "china.jpg")):
        pixels = load_sample_image(photograph)
        places = places_of_edges(pixels)
        for path in (example / domain).rglob("*.png"):
            image = np.asarray(Image.open(path))
            patches = patches_under(image, pixels, places)
            of_class = np.flatnonzero(bundled.target == int(path.parent.name))
            used.append(
                next(of_class[each] for patch in patches for each in digits_that_give(image, patch, digits[of_class]))
            )
    assert sorted(used) == list(range(1797))


EDGE_PX = 12


def places_of_edges(pixels: NDArray[np.uint8]) -> dict[bytes, list[tuple[int, int]]]:
    """Positions of each vertical run of 12 pixels in a photograph, by its bytes."""
    places: dict[bytes, list[tuple[int, int]]] = {}
    for left in range(pixels.shape[1]):
        column = np.ascontiguousarray(pixels[:, left]).tobytes()
        for top in range(pixels.shape[0] - EDGE_PX + 1):
            places.setdefault(column[3 * top : 3 * (top + EDGE_PX)], []).append((top, left))
    return places


def patches_under(
    image: NDArray[np.uint8], pixels: NDArray[np.uint8], places: dict[bytes, list[tuple[int, int]]]
) -> Iterator[NDArray[np.int16]]:
    """Patches with an edge of the image in one of its corners, since no digit reaches all four."""
    for down, right in ((0, 0), (0, 31), (32 - EDGE_PX, 0), (32 - EDGE_PX, 31)):
        edge = np.ascontiguousarray(image[down : down + EDGE_PX, right]).tobytes()
        for at_edge, left_of_edge in places.get(edge, []):
            top, left = at_edge - down, left_of_edge - right
            if 0 <= left <= pixels.shape[1] - 32 and 0 <= top <= pixels.shape[0] - 32:
                yield pixels[top : top + 32, left : left + 32].astype(np.int16)


def digits_that_give(image: NDArray[np.uint8], patch: NDArray[np.int16], digits: NDArray[np.int16]) -> list[int]:
    """Positions of the digits whose difference from the patch is the image; a diagonal is compared first."""
    along = np.arange(32)
    likely = np.abs(patch[along, along, 1] - digits[:, along, along]) == image[along, along, 1]
    return [
        int(each)
        for each in np.flatnonzero(likely.all(axis=1))
        if (np.abs(patch - digits[each][:, :, None]) == image).all()
    ]


def test_sizes_of_the_splits(example: Path) -> None:
    for digit in range(10):
        n = {
            (domain, split): len(list((example / domain / split / str(digit)).iterdir()))
            for domain in ("source", "target")
            for split in ("train", "val", "test")
        }
        assert (n["target", "train"], n["target", "val"]) == (TARGET_TRAIN, TARGET_VAL)
        assert 50 <= n["target", "test"] <= 70
        assert n["source", "val"] == n["source", "test"] == 9
        assert 69 <= n["source", "train"] <= 75
