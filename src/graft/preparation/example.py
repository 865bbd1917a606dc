"""Write the built-in example, which needs no download: digits on one photograph, other digits on another.

Both domains are made like MNIST-M (Ganin et al. 2016, Domain-adversarial training of neural networks): the absolute
difference of a digit and a patch of a photograph, channel by channel. Digits and photographs come with scikit-learn.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from graft.store.catalogue import SPLITS

SIDE_PX = 32
# White of scikit-learn's digits, which are 8 x 8 grey values from 0 to 16.
WHITE_OF_DIGITS = 16
# Target images of a class in train: few, because transfer is wanted where labels are few.
TARGET_TRAIN = 10
# Target images of a class in val; the rest of the target's half, about 65, is test.
TARGET_VAL = 15
# Share of the source images of a class in val, and the same in test.
SOURCE_HELD_OUT = 0.1


def write_example(folder: Path, seed: int) -> None:
    """Write `<domain>/<split>/<digit>/<number>.png` files of source and target; equal seeds give equal bytes.

    No digit and no photograph is in both domains, and no digit in two splits. All 1,797 digits are used, about 90 of
    each class in each domain.

    Args:
        folder: folder in which `source` and `target` are made.
        seed: seed for the domain and split of each digit, and for the patches.
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
    """(1797, 32, 32) digits, white on black, and (1797,) classes."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = (digits.images * 255 / WHITE_OF_DIGITS).round().astype(np.uint8)
    images = [np.asarray(Image.fromarray(each).resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)) for each in grey]
    return np.stack(images), digits.target.astype(np.int64)


def _photographs() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Two photographs, a flower and a temple, (427, 640, 3) RGB each."""
    from sklearn.datasets import load_sample_image

    flower, temple = (load_sample_image(name) for name in ("flower.jpg", "china.jpg"))
    return np.asarray(flower, dtype=np.uint8), np.asarray(temple, dtype=np.uint8)


def _blend(digit: NDArray[np.uint8], photograph: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """|patch - digit| on a random patch of a photograph, (32, 32, 3)."""
    top, left = (int(rng.integers(side - SIDE_PX + 1)) for side in photograph.shape[:2])
    # int16: the difference of two bytes may be negative
    patch = photograph[top : top + SIDE_PX, left : left + SIDE_PX].astype(np.int16)
    # digit: (32, 32) -> (32, 32, 1)
    blended: NDArray[np.uint8] = np.abs(patch - digit[:, :, None]).astype(np.uint8)
    return blended


def _write(folder: Path, label: str, images: Sequence[NDArray[np.uint8]], sizes: Sequence[int]) -> None:
    """Write the images of one class as PNG files.

    Args:
        folder: the domain's folder.
        label: the class.
        images: (32, 32, 3) RGB each.
        sizes: how many of them go to train, val and test.
    """
    splits = [split for split, n in zip(SPLITS, sizes, strict=True) for _ in range(n)]
    for number, (image, split) in enumerate(zip(images, splits, strict=True)):
        path = folder / split / label / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        # not compressed, so that the bytes do not depend on the zlib that Pillow was built with
        Image.fromarray(image).save(path, compress_level=0)
