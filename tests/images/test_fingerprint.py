import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from graft.images.fingerprint import channel_statistics, phash


def scene(seed: int, side: int = 64) -> NDArray[np.uint8]:
    """Soft shapes, as photographs have them."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    blurred = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(side / 12))
    grey = np.asarray(blurred, dtype=np.float64)
    stretched: NDArray[np.uint8] = (255 * (grey - grey.min()) / np.ptp(grey)).astype(np.uint8)
    return stretched


def bits_apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def saved_again(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=quality)
    return np.asarray(Image.open(content))


@pytest.mark.parametrize("seed", range(5))
def test_hashes_of_similar_copies_differ_in_few_bits(seed: int) -> None:
    image = scene(seed)
    larger = np.asarray(Image.fromarray(image).resize((128, 128)))
    brighter = np.clip(image.astype(int) + 10, 0, 255).astype(np.uint8)
    for copy in (saved_again(image, 50), larger, brighter):
        assert bits_apart(phash(copy), phash(image)) <= 4


def test_hashes_of_different_images_differ_in_many_bits() -> None:
    hashes = [phash(scene(seed)) for seed in range(12)]
    apart = [bits_apart(one, other) for place, one in enumerate(hashes) for other in hashes[:place]]
    assert min(apart) > 12


def test_a_hash_is_the_sign_of_the_low_frequencies_of_the_dct() -> None:
    """The definition is summed term by term."""
    image = scene(0, 32)
    grey = np.asarray(Image.fromarray(image).convert("L"), dtype=np.float64)
    place = np.arange(32)
    low = np.empty((8, 8))
    for u in range(8):
        for v in range(8):
            rows, columns = (np.cos(np.pi * (2 * place + 1) * w / 64) for w in (u, v))
            low[u, v] = (grey * rows[:, None] * columns).sum()
    want = sum(int(each) << (63 - place) for place, each in enumerate((low > np.median(low)).ravel()))
    assert phash(image) == f"{want:016x}"


def test_blank_images_have_equal_hashes_whatever_their_brightness_and_size() -> None:
    assert {phash(np.full((side, side, 3), value, np.uint8)) for side in (16, 50, 224) for value in (1, 90, 255)} == {
        "8000000000000000"
    }


def test_statistics_are_those_of_each_channel() -> None:
    image = scene(3)
    values = image.reshape(-1, 3) / 255
    np.testing.assert_allclose(channel_statistics(image), [*values.mean(axis=0), *values.std(axis=0)], atol=5.1e-5)
    assert all(each == round(each, 4) for each in channel_statistics(image))


def test_the_deviation_of_a_blank_image_is_0() -> None:
    assert channel_statistics(np.full((33, 33, 3), 255, np.uint8)) == (1, 1, 1, 0, 0, 0)
