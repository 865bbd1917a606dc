"""Pictures of test images, inside the page itself."""

import base64
import io
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from graft.reporting.tallies import Mistake
from graft.store import CatalogRow

SIDE_PX = 96
"""pictures are at most this wide in the file, so that the page stays small"""


class Picture(NamedTuple):
    """A mistake with its picture."""

    mistake: Mistake
    source: str
    """data URI of a PNG"""
    pixelated: bool
    """smaller than it is shown"""


def data_uri(image: NDArray[np.uint8]) -> str:
    """A (s, s, 3) uint8 RGB image as the data URI of a PNG, reduced to at most SIDE_PX a side."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def pictures(
    mistakes: Sequence[Mistake], catalog: Iterable[CatalogRow], images: NDArray[np.uint8]
) -> tuple[Picture, ...]:
    """The mistakes with their pictures.

    Args:
        mistakes: what to show.
        catalog: rows of the target.
        images: (n, s, s, 3) uint8 RGB, the store of the target.

    Raises:
        ValueError: an image of the predictions is not in the catalogue.
    """
    if not mistakes:
        return ()
    digits = len(mistakes[0].image)
    place = {each.sha256[:digits]: each.row for each in catalog if each.row >= 0}
    strange = [each.image for each in mistakes if each.image not in place]
    if strange:
        raise ValueError(
            f"predictions: want images of the target's catalogue, got {strange[0]}. "
            "Run `dvc repro`; it makes predictions and catalogue from the same images."
        )
    small = images.shape[1] < SIDE_PX
    return tuple(Picture(each, data_uri(images[place[each.image]]), small) for each in mistakes)
