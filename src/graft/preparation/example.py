"""The built-in example: handwritten digits on one photograph, and other digits on another, without a download.

Both domains are made in the manner of MNIST-M (Ganin et al. 2016, Domain-adversarial training of neural
networks): the absolute difference of a digit and a patch of a photograph, channel by channel. Digits and
photographs are those that scikit-learn brings along.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from graft.store.catalogue import SPLITS

SIDE_PX = 32
WHITE_OF_DIGITS = 16
"""scikit-learn's digits are grey values 0 to 16, 8 pixels a side"""
TARGET_TRAIN = 10
"""target images of a class in train: few labels, as where transfer is wanted"""
TARGET_VAL = 15
"""target images of a class in val; the rest of the target's half, about 55, is test"""
SOURCE_HELD_OUT = 0.1
"""share of a class's source images in val, and in test"""


def write_example(folder: Path, seed: int) -> None:
    """Write `<domain>/<split>/<digit>/<number>.png` files of source and target; same seed, same bytes.

    No digit and no photograph stands in both domains, and no digit in two splits. All 1,797 digits are used: about
    90 a class in each domain.

    Args:
        folder: holds `source` and `target` afterwards.
        seed: of the choice of digits for each domain and split, and of the patches.
    """
    images, labels = _digits()
    of_source, of_target = _photographs()
    rng = np.random.default_rng(seed)
    for label in sorted(set(labels.tolist())):
        chosen = rng.permutation(np.flatnonzero(labels == label))
        middle = len(chosen) // 2
        target = [_blend(digit, of_target, rng) for digit in images[chosen[:middle]]]
        n_test = len(target) - TARGET_TRAIN - TARGET_VAL
        _write(folder / "target", str(label), target, (TARGET_TRAIN, TARGET_VAL, n_test))
        source = [_blend(digit, of_source, rng) for digit in images[chosen[middle:]]]
        n_held_out = round(SOURCE_HELD_OUT * len(source))
        _write(folder / "source", str(label), source, (len(source) - 2 * n_held_out, n_held_out, n_held_out))


def _digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(1797, 32, 32) white on black, and their classes."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = (digits.images * 255 / WHITE_OF_DIGITS).round().astype(np.uint8)
    size = (SIDE_PX, SIDE_PX)
    images = [np.asarray(Image.fromarray(each).resize(size, Image.Resampling.BILINEAR)) for each in grey]
    return np.stack(images), digits.target.astype(np.int64)


def _photographs() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A flower and a temple, (427, 640, 3) RGB each."""
    from sklearn.datasets import load_sample_image

    flower, temple = (load_sample_image(name) for name in ("flower.jpg", "china.jpg"))
    return np.asarray(flower, dtype=np.uint8), np.asarray(temple, dtype=np.uint8)


def _blend(digit: NDArray[np.uint8], photograph: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """|patch - digit| on a random patch of a photograph, (32, 32, 3)."""
    top, left = (int(rng.integers(side - SIDE_PX + 1)) for side in photograph.shape[:2])
    patch = photograph[top : top + SIDE_PX, left : left + SIDE_PX].astype(np.int16)
    blended: NDArray[np.uint8] = np.abs(patch - digit[:, :, None]).astype(np.uint8)
    return blended


def _write(folder: Path, label: str, images: Sequence[NDArray[np.uint8]], sizes: Sequence[int]) -> None:
    """PNG files of one class, so many in train, in val and in test."""
    splits = [split for split, n in zip(SPLITS, sizes, strict=True) for _ in range(n)]
    for number, (image, split) in enumerate(zip(images, splits, strict=True)):
        path = folder / split / label / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        # stored, not compressed: the bytes are the same whatever zlib Pillow was built with
        Image.fromarray(image).save(path, compress_level=0)
