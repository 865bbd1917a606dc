import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images
from tests.examples import catalog_row

from graft.images.duplicates import pairs
from graft.images.duplicates.pairs import Candidates, compared, confirmed, duplicate_pairs, near_duplicates, thumbnails
from graft.images.fingerprint import phash

SIDE = 32
PATCH = 100
NONE = np.empty((0, 2), dtype=np.int64)
PHOTOGRAPHS = [np.asarray(each, dtype=np.uint8) for each in load_sample_images().images]
Pixels = NDArray[np.uint8]


def piece(number: int, side: int = SIDE) -> Pixels:
    """One of 48 pieces of a photograph that do not overlap; some are bare sky."""
    photograph, (down, along) = PHOTOGRAPHS[number % 2], divmod(number // 2, 6)
    whole = photograph[down * PATCH :, along * PATCH :][:PATCH, :PATCH]
    return np.array(Image.fromarray(whole).resize((side, side), Image.Resampling.BILINEAR))


RICH = [number for number in range(48) if piece(number).std() > 45]
"""pieces that are not bare sky, whose hash changes with any noise"""


def scene(number: int, side: int = SIDE) -> Pixels:
    return piece(RICH[number], side)


def saved_again(image: Pixels, quality: int = 50) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))


def resized(image: Pixels, factor: float) -> Pixels:
    side = round(factor * len(image))
    there = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    return np.array(there.resize((len(image), len(image)), Image.Resampling.BILINEAR))


def brightened(image: Pixels) -> Pixels:
    brighter: Pixels = np.clip(image * 1.05 + 5, 0, 255).astype(np.uint8)
    return brighter


def pairs_of(*images: Pixels, bits: int = 4) -> list[list[int]]:
    rows = [catalog_row(f"{place}.png", phash=phash(image), row=place) for place, image in enumerate(images)]
    return duplicate_pairs(rows, np.stack(images), bits).tolist()  # type: ignore[no-any-return]


def flipped(hashes: NDArray[np.uint64], n_bits: int, rng: np.random.Generator) -> NDArray[np.uint64]:
    bits = np.argsort(rng.random((len(hashes), 64)), axis=1)[:, :n_bits].astype(np.uint64)
    mask = np.bitwise_or.reduce(np.uint64(1) << bits, axis=1)
    near: NDArray[np.uint64] = hashes ^ mask
    return near


def naive(hashes: NDArray[np.uint64], bits: int) -> list[list[int]]:
    one, two = np.triu_indices(len(hashes), 1)
    near = np.bitwise_count(hashes[one] ^ hashes[two]) <= bits
    return np.stack([one[near], two[near]], axis=1).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("bits", range(9))
def test_pairs_equal_those_of_a_loop_over_all(bits: int) -> None:
    rng = np.random.default_rng(bits)
    seeds = rng.integers(0, 2**64, 60, dtype=np.uint64)
    hashes = np.concatenate([seeds, seeds[:20], *(flipped(seeds, n, rng) for n in (1, bits, bits + 1))])
    expected = naive(hashes, bits)
    assert len(expected) > 20
    assert near_duplicates(hashes, bits).pairs.tolist() == expected


def test_hashes_that_differ_in_a_few_more_bits_are_rivals() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 2, dtype=np.uint64)
    rivals = hashes[:1] ^ np.uint64(0xFF)
    further = hashes[1:] ^ np.uint64(0x1FF)
    found = near_duplicates(np.concatenate([hashes, rivals, further]), 4)
    assert found.pairs.tolist() == []
    assert found.rivals.tolist() == [[0, 2]]


def test_every_image_of_a_hash_has_its_rivals() -> None:
    hashes = np.array([0, 0, 0, 0xFF, 0xFF], dtype=np.uint64)
    assert set(near_duplicates(hashes, 4).rivals.ravel().tolist()) == set(range(5))


@pytest.mark.parametrize("n_hashes", [1, 2, 300])
def test_candidates_of_crowded_hashes_grow_with_n_and_not_with_its_square(n_hashes: int) -> None:
    """Blank scans have hashes that are equal or differ in a few bits."""
    rng = np.random.default_rng(0)
    blank = flipped(np.full(n_hashes, 7, dtype=np.uint64), 2, rng)
    hashes = np.resize(blank, 6000)
    n_bands = 1 + max(4, pairs.RIVAL_BITS)
    per_hash = pairs.MOST_PARTNERS * (1 + pairs.MOST_SHARED * n_bands)
    found = near_duplicates(hashes, 4)
    assert len(found.pairs) <= per_hash * len(hashes) < 6000 * 5999 / 2 / 5


def test_each_of_many_crowded_hashes_has_a_bounded_number_of_rivals() -> None:
    hashes = flipped(np.full(3000, 7, dtype=np.uint64), 6, np.random.default_rng(0))
    n_rivals = np.bincount(near_duplicates(hashes, 4).rivals.ravel())
    n_bands = 1 + max(4, pairs.RIVAL_BITS)
    assert 0 < n_rivals.max() <= n_bands * (pairs.MOST_RIVALS + 1)


def test_images_of_one_crowded_hash_are_all_connected() -> None:
    pairs = near_duplicates(np.full(1000, 7, dtype=np.uint64), 4).pairs
    assert {(place, place + 1) for place in range(999)} <= {(one, two) for one, two in pairs.tolist()}


def test_a_hash_is_compared_with_a_bounded_number_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "MOST_COMPARED", 2)
    monkeypatch.setattr(pairs, "MOST_PARTNERS", 1000)
    hashes = np.arange(64, dtype=np.uint64)
    assert len(near_duplicates(hashes, 4).pairs) <= 2 * 5 * 64 < len(naive(hashes, 4))


@pytest.mark.parametrize("n", [0, 1])
def test_no_image_or_one_has_no_pairs(n: int) -> None:
    assert near_duplicates(np.zeros(n, dtype=np.uint64), 4).pairs.shape == (0, 2)
    rows = [catalog_row("0.png", phash="0" * 16)] * n
    assert duplicate_pairs(rows, np.zeros((n, SIDE, SIDE, 3), dtype=np.uint8), 4).shape == (0, 2)


def test_other_pieces_of_a_photograph_are_not_pairs() -> None:
    assert pairs_of(*(piece(number) for number in range(48)), bits=8) == []


@pytest.mark.parametrize(
    "change",
    [
        saved_again,
        brightened,
        lambda image: resized(image, 0.5),
        lambda image: resized(image, 2),
    ],
    ids=["saved again", "brightened", "half the size", "twice the size"],
)
def test_a_changed_copy_is_found_among_others(change: Callable[[Pixels], Pixels]) -> None:
    for number in range(2, len(RICH)):
        image = scene(number)
        assert pairs_of(scene(0), image, scene(1), change(image)) == [[1, 3]], number


def test_different_images_with_equal_hashes_are_not_a_pair() -> None:
    image, other = scene(0), scene(1)
    candidates = Candidates(np.array([[0, 1]]), NONE)
    assert confirmed(candidates, thumbnails(np.stack([image, other]), np.arange(2))).tolist() == []


def test_images_of_another_colour_are_not_a_pair() -> None:
    image = scene(0)
    swapped = np.ascontiguousarray(image[:, :, ::-1])
    candidates = Candidates(np.array([[0, 1]]), NONE)
    assert confirmed(candidates, thumbnails(np.stack([image, swapped]), np.arange(2))).tolist() == []


def test_a_blank_image_and_a_much_brighter_one_are_not_a_pair() -> None:
    blanks = np.stack([np.full((SIDE, SIDE, 3), grey, dtype=np.uint8) for grey in (100, 120, 200)])
    candidates = Candidates(np.array([[0, 1], [0, 2], [1, 2]]), NONE)
    assert confirmed(candidates, thumbnails(blanks, np.arange(3))).tolist() == [[0, 1]]


def test_images_with_rivals_must_agree_more_closely() -> None:
    image = scene(0)
    changed = image.copy()
    changed[:8, :8] = np.clip(changed[:8, :8] + 0.4 * image.std(), 0, 255).astype(np.uint8)
    small = thumbnails(np.stack([image, changed, scene(1), image]), np.arange(4))
    pair = np.array([[0, 1]])
    assert len(confirmed(Candidates(pair, NONE), small)) == 1
    assert len(confirmed(Candidates(pair, np.array([[1, 2]])), small)) == 0, "another picture is near"
    assert len(confirmed(Candidates(pair, np.array([[1, 3]])), small)) == 1, "a copy is near"


def test_one_other_image_among_many_copies_is_not_a_rival() -> None:
    image = scene(0)
    n = round(1 / pairs.RIVAL_SHARE)
    small = thumbnails(np.stack([image] * n + [scene(1)]), np.arange(n + 1))
    small[1, 0, 0] += 0.4 * image.std()
    pair, copies = np.array([[0, 1]]), np.array([[one, place] for one in (0, 1) for place in range(2, n)])
    assert len(confirmed(Candidates(pair, np.array([[1, n]])), small)) == 0
    assert len(confirmed(Candidates(pair, np.array([*copies, [1, n]])), small)) == 1


def test_only_images_on_which_a_pair_depends_are_read() -> None:
    small = thumbnails(np.stack([scene(0)] * 6), np.arange(6))
    read: list[int] = []

    def take(places: NDArray[np.int64]) -> NDArray[np.float32]:
        read.extend(places.tolist())
        return small[places]

    candidates = Candidates(np.array([[1, 3]]), np.array([[0, 2], [3, 5], [2, 4]]))
    assert compared(candidates, take).tolist() == [[1, 3]]
    assert read == [1, 3, 5]


def test_many_similar_copies_of_one_image_are_connected_and_nothing_else_is() -> None:
    n = 30
    rng = np.random.default_rng(0)
    levels = np.clip(scene(0)[None] * rng.uniform(0.9, 1.1, (n, 1, 1, 1)), 0, 255).astype(np.uint8)
    copies = [
        saved_again(each, quality) for each, quality in zip(levels, rng.integers(50, 90, n).tolist(), strict=True)
    ]
    pairs = pairs_of(*copies, *(scene(number) for number in range(1, len(RICH))))
    assert max(max(pair) for pair in pairs) < n
    connected = {0}
    for _ in range(n):
        connected |= {place for pair in pairs if connected & set(pair) for place in pair}
    assert connected == set(range(n))


@pytest.mark.parametrize("side", [16, 30, 224])
def test_thumbnails_are_the_means_of_blocks(side: int) -> None:
    images = np.stack([scene(number, side) for number in range(3)])
    small = thumbnails(images, np.array([2, 0]))
    edges = [place * side // 8 for place in range(9)]
    assert small.shape == (2, 8, 8, 3)
    for row in (0, 5, 7):
        block = images[2, edges[row] : edges[row + 1], edges[3] : edges[4]]
        np.testing.assert_allclose(small[0, row, 3], block.mean(axis=(0, 1)), rtol=1e-6)
    np.testing.assert_allclose(small[1].mean(), images[0].mean(), rtol=0.05)


def test_thumbnails_do_not_depend_on_how_many_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.stack([scene(number) for number in range(5)])
    at_once = thumbnails(images, np.arange(5))
    monkeypatch.setattr(pairs, "AT_A_TIME", 2)
    np.testing.assert_array_equal(thumbnails(images, np.arange(5)), at_once)


def test_pairs_are_positions_in_the_rows_and_not_in_the_store() -> None:
    image = scene(0)
    images = np.stack([image, scene(1), scene(2), brightened(image)])
    rows = [catalog_row(f"{place}.png", phash=phash(images[place]), row=place) for place in (3, 1, 0)]
    assert duplicate_pairs(rows, images, 4).tolist() == [[0, 2]]
