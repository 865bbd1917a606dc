"""Image sets of bench/adaptation.py: read from folders, or packed into one file that travels to another machine.

Sets are kept at the size that a network takes, cifar10 at its own 32 px. They are cut into parts with a fixed seed, so
that every run of every method sees the same ones.
"""

import io
import tempfile
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from graft.files import write_whole
from graft.images import decode, resizing
from graft.networks.preprocessing import SMALL_CNN
from graft.preparation.example import write_example
from graft.records.common import Preprocessing

# what torchvision's weights of ImageNet take, at the size of this benchmark
PHOTOGRAPHS = Preprocessing(
    resize_px=110, crop_px=96, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), interpolation="bilinear"
)
EXAMPLE = ("source", "target")
# by name: folder below the data folder, how it is kept, and the most images of a class
FOLDERS = {
    "mnist": ("mnist", SMALL_CNN, 300),
    "usps": ("usps", SMALL_CNN, 300),
    "cifar10": ("cifar10", SMALL_CNN, 120),
    "photo": ("pacs/photo", PHOTOGRAPHS, 75),
    "cartoon": ("pacs/cartoon", PHOTOGRAPHS, 75),
    "hymenoptera": ("hymenoptera", PHOTOGRAPHS, 200),
}
# a placeholder picture that hymenoptera holds among its ants
NO_PHOTOGRAPHS = ("imageNotFound.gif",)


class ImageSet(NamedTuple):
    """Images of a set, sorted by class."""

    images: NDArray[np.uint8]
    """(n, s, s, 3) RGB"""
    labels: NDArray[np.int64]
    """(n,) class numbers"""
    classes: tuple[str, ...]


@cache
def image_set(name: str, where: Path) -> ImageSet:
    """A set by its name.

    Args:
        name: a key of FOLDERS, or `source` or `target` for those of the built-in example.
        where: the data folder, or the file that `pack` made of it.
    """
    if where.suffix == ".npz":
        return _unpacked(name, where)
    if name in EXAMPLE:
        with tempfile.TemporaryDirectory() as made:
            write_example(Path(made), 0)
            return _read(Path(made) / name, SMALL_CNN, 300)
    folder, preprocessing, most = FOLDERS[name]
    return _read(where / "datasets" / folder, preprocessing, most)


@cache
def photographs_of(name: str, where: Path) -> ImageSet:
    """A set at the size and shape of photographs, enlarged where it is kept smaller."""
    found = image_set(name, where)
    if found.images.shape[1] == PHOTOGRAPHS.crop_px:
        return found
    whole = PHOTOGRAPHS.model_copy(update={"resize_px": PHOTOGRAPHS.crop_px})
    return found._replace(images=np.stack([resizing.fit(each, whole) for each in found.images]))


def cut(found: ImageSet, sizes: Sequence[int]) -> list[NDArray[np.int64]]:
    """Rows of consecutive parts of a set, each with so many images of a class, drawn with a fixed seed."""
    rng = np.random.default_rng(0)
    drawn = [rng.permutation(np.flatnonzero(found.labels == label)) for label in range(len(found.classes))]
    edges = np.cumsum([0, *sizes])
    if edges[-1] > (smallest := min(map(len, drawn))):
        raise ValueError(f"adaptation: want {edges[-1]} images of every class, got {smallest}. Lower the sizes.")
    return [np.concatenate([each[a:b] for each in drawn]) for a, b in pairwise(edges)]


def pack(where: Path, file: Path) -> None:
    """Write all sets into one file; images of a set are one tall PNG, which takes less than other lossless ways."""
    content = {}
    for name in (*FOLDERS, *EXAMPLE):
        found = image_set(name, where)
        tall = io.BytesIO()
        Image.fromarray(found.images.reshape(-1, *found.images.shape[2:])).save(tall, "png", optimize=True)
        content[f"{name}.png"] = np.frombuffer(tall.getvalue(), dtype=np.uint8)
        content[f"{name}.labels"], content[f"{name}.classes"] = found.labels, np.array(found.classes)
    whole = io.BytesIO()
    np.savez(whole, **content)
    write_whole(file, whole.getvalue())


def _unpacked(name: str, file: Path) -> ImageSet:
    with np.load(file) as content:
        labels, classes = content[f"{name}.labels"], tuple(content[f"{name}.classes"].tolist())
        tall = np.array(Image.open(io.BytesIO(content[f"{name}.png"].tobytes())))
    return ImageSet(tall.reshape(len(labels), -1, *tall.shape[1:]), labels, classes)


def _read(folder: Path, preprocessing: Preprocessing, most: int) -> ImageSet:
    by_class: dict[str, list[Path]] = {}
    for file in sorted(each for each in folder.rglob("*") if each.is_file() and each.name not in NO_PHOTOGRAPHS):
        by_class.setdefault(file.parent.name, []).append(file)
    classes, rng = tuple(sorted(by_class)), np.random.default_rng(0)
    images, labels = [], []
    for label, name in enumerate(classes):
        files = by_class[name]
        for place in sorted(rng.permutation(len(files))[:most]):
            images.append(resizing.fit(decode.decode(files[place].read_bytes(), str(files[place])), preprocessing))
            labels.append(label)
    return ImageSet(np.stack(images), np.array(labels, dtype=np.int64), classes)
