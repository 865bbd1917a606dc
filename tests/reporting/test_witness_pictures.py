import numpy as np
import pytest

from graft.records.shift import ShiftRecord
from graft.reporting.pictures import StoredImages, data_uri
from graft.reporting.witness_pictures import MOST_SHOWN, witness_sides

NO_IMAGES = StoredImages((), np.empty((0, 32, 32, 3), dtype=np.uint8))


def _of(shift: ShiftRecord, kind: str) -> ShiftRecord:
    return shift.model_copy(update={"source": shift.source.model_copy(update={"kind": kind})})


def test_each_domain_takes_its_pictures_from_its_own_images(shift: ShiftRecord, target: StoredImages) -> None:
    dark = target._replace(images=np.zeros_like(target.images))
    source, shown = witness_sides(shift, dark, target)
    assert (source.domain, shown.domain) == ("source", "target")
    assert {picture.source for _, picture in source.odd} == {data_uri(dark.images[0])}
    assert shown.odd[0][1].source == data_uri(target.images[80])
    assert shown.typical[0][0] == f"2{120:011x}"


def test_a_bank_has_no_pictures_even_if_its_images_have_names(shift: ShiftRecord, target: StoredImages) -> None:
    (shown,) = witness_sides(_of(shift, "proxy"), NO_IMAGES, target)
    assert shown.domain == "target"


def test_a_limited_number_is_shown_the_strongest_first(shift: ShiftRecord, target: StoredImages) -> None:
    assert shift.witnesses is not None
    many = tuple(f"2{place:011x}" for place in range(20))
    witnesses = shift.witnesses.model_copy(update={"target_odd": many})
    _, shown = witness_sides(shift.model_copy(update={"witnesses": witnesses}), target, target)
    assert tuple(image for image, _ in shown.odd) == many[:MOST_SHOWN]


def test_without_shown_images_there_are_no_pictures(shift: ShiftRecord, target: StoredImages) -> None:
    assert witness_sides(shift.model_copy(update={"witnesses": None}), target, target) == ()


def test_an_image_that_is_gone_is_an_error(shift: ShiftRecord, target: StoredImages) -> None:
    with pytest.raises(ValueError, match="want images of the catalogue, got 200000000000"):
        witness_sides(shift, NO_IMAGES, target)
