import base64
import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image
from tests.examples import catalog_row

from graft.records.common import Split
from graft.reporting.pictures import SIDE_PX, StoredImages, data_uri, pictures, sheet
from graft.store.catalogue import CatalogRow


def _decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))


def test_a_small_picture_keeps_every_pixel(target: StoredImages) -> None:
    (shown,) = pictures([list(target.catalog)[7].sha256[:12]], target)
    np.testing.assert_array_equal(np.asarray(_decoded(shown.source)), target.images[7])
    assert shown.pixelated


def test_a_large_picture_is_reduced() -> None:
    assert _decoded(data_uri(np.zeros((300, 300, 3), dtype=np.uint8))).size == (SIDE_PX, SIDE_PX)


def test_no_pictures_need_no_images(target: StoredImages) -> None:
    assert pictures([], target) == ()


def test_an_image_that_is_not_in_the_catalogue_is_an_error(target: StoredImages) -> None:
    with pytest.raises(ValueError, match="want images of the catalogue, got beef"):
        pictures(["beef"], target)


def _rows(labels: Sequence[str], splits: Sequence[Split]) -> list[CatalogRow]:
    return [
        catalog_row(f"{row}.png", label=label, split=split, width=4, height=4, row=row)
        for row, (label, split) in enumerate(zip(labels, splits, strict=True))
    ]


def test_a_sheet_takes_train_images_one_of_each_class_in_turn() -> None:
    catalog = _rows("aabbc", ("train", "train", "test", "train", "train"))
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((5, 4, 4, 3), dtype=np.uint8)
    shown = sheet(StoredImages(catalog, images), 4)
    assert [int(np.asarray(_decoded(each))[0, 0, 0]) for each in shown] == [0, 3, 4, 1]
    assert len(sheet(StoredImages(catalog, images), 2)) == 2
