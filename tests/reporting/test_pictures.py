import base64
import io

import numpy as np
import pytest
from PIL import Image

from graft.reporting.pictures import SIDE_PX, data_uri, pictures
from graft.reporting.report import TargetImages
from graft.reporting.tallies import Mistake


def _decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))


def test_a_small_picture_keeps_every_pixel(target: TargetImages) -> None:
    (shown,) = pictures([_mistake(target, 7)], target.catalog, target.images)
    np.testing.assert_array_equal(np.asarray(_decoded(shown.source)), target.images[7])
    assert shown.pixelated


def test_a_large_picture_is_reduced() -> None:
    assert _decoded(data_uri(np.zeros((300, 300, 3), dtype=np.uint8))).size == (SIDE_PX, SIDE_PX)


def test_no_mistakes_need_no_images(target: TargetImages) -> None:
    assert pictures([], target.catalog, target.images) == ()


def test_an_image_that_the_catalogue_does_not_hold_gets_a_sentence(target: TargetImages) -> None:
    with pytest.raises(ValueError, match="want images of the target's catalogue, got beef"):
        pictures([Mistake("beef", "0", "1", 1)], target.catalog, target.images)


def _mistake(target: TargetImages, row: int) -> Mistake:
    sha256 = next(each.sha256 for each in target.catalog if each.row == row)
    return Mistake(sha256[:12], "7", "8", 3)
