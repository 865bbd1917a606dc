"""Images embedded in the page."""

import base64
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from graft.store.catalogue import CatalogRow, open_images, read_catalog
from graft.store.features import MapPoint

# Largest side of an embedded picture in pixels, so that the page stays small.
SIDE_PX = 96


class StoredImages(NamedTuple):
    """Images of one domain, from which pictures are taken."""

    catalog: Iterable[CatalogRow]
    images: NDArray[np.uint8]
    """(n, s, s, 3) uint8 RGB"""


class Exhibits(NamedTuple):
    """Images and points that the page shows beside the records."""

    source: StoredImages
    """images of the source; empty if there is no source"""
    target: StoredImages
    shifted: StoredImages
    """images of the target on which the shift was measured; those without labels where it has none to train on"""
    shift_map: Sequence[MapPoint]
    """points of both domains; empty if there is nothing to compare the target with"""
    augmented: NDArray[np.uint8]
    """(n, 1 + v, s, s, 3) train images, each followed by v augmented copies"""
    recipe: str
    """name of the augmentation"""


class Picture(NamedTuple):
    """An embedded image."""

    source: str
    """PNG as a data URI"""
    pixelated: bool
    """true if the image is smaller than it is displayed"""


def stored(catalog: Path, images: Path) -> StoredImages:
    """Open the catalogue and the images of a domain."""
    return StoredImages(read_catalog(catalog), open_images(images))


def data_uri(image: NDArray[np.uint8]) -> str:
    """PNG of an (s, s, 3) uint8 RGB image as a data URI, with sides of at most SIDE_PX."""
    # Pillow needs contiguous memory, which a slice of the store may not be
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def sheet(images: StoredImages, limit: int) -> tuple[str, ...]:
    """Data URIs of at most `limit` train images, taking the classes in turn."""
    turn: dict[str, int] = {}
    order = []
    for each in images.catalog:
        if each.row >= 0 and each.split == "train":
            turn[each.label] = turn.get(each.label, 0) + 1
            order.append((turn[each.label], each.label, each.row))
    return tuple(data_uri(images.images[row]) for _, _, row in sorted(order)[:limit])


def pictures(images: Sequence[str], stored: StoredImages) -> tuple[Picture, ...]:
    """Pictures of images that are named by the leading digits of their sha256.

    Raises:
        ValueError: an image is not in the catalogue.
    """
    if not images:
        return ()
    digits = len(images[0])
    place = {each.sha256[:digits]: each.row for each in stored.catalog if each.row >= 0}
    strange = [each for each in images if each not in place]
    if strange:
        raise ValueError(
            f"report: want images of the catalogue, got {strange[0]}. "
            "Run `dvc repro`; it makes records and catalogue from the same images."
        )
    return tuple(_picture(stored.images[place[each]]) for each in images)


def rows(images: NDArray[np.uint8]) -> list[tuple[Picture, ...]]:
    """Pictures of an (n, v, s, s, 3) uint8 RGB sheet, row by row."""
    return [tuple(map(_picture, row)) for row in images]


def _picture(image: NDArray[np.uint8]) -> Picture:
    return Picture(data_uri(image), len(image) < SIDE_PX)
