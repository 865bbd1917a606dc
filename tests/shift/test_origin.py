from pathlib import Path

import numpy as np
import pytest
from tests.examples import backbone_card
from tests.shift.samples import PARAMS, normal, nothing, side_of, source_details_of_side

from graft.params.measure_shift import MeasureShift
from graft.records.shift import ShiftSource
from graft.shift.feature_bank import About, Bank, backbone_key, save_bank
from graft.shift.origin import origin_of

CARD = backbone_card()
SIDE = side_of(normal(12, 0), "a")


def _banked(folder: Path) -> MeasureShift:
    about = About("Photographs", "CC0", backbone_key(CARD))
    sha256 = save_bank(Bank(about, SIDE, source_details_of_side(SIDE)), folder / "bank.npz")
    return PARAMS.model_copy(update={"bank_file": str(folder / "bank.npz"), "bank_sha256": sha256})


def test_source_images_are_the_source() -> None:
    origin = origin_of(SIDE, source_details_of_side(SIDE), CARD, PARAMS)
    assert origin.described == ShiftSource(kind="own", name="source", licence=None, n_images=12)
    assert origin.side is SIDE


def test_a_bank_stands_for_a_source_without_images_and_is_named(tmp_path: Path) -> None:
    origin = origin_of(nothing().side, nothing().details, CARD, _banked(tmp_path))
    assert origin.described == ShiftSource(kind="proxy", name="Photographs", licence="CC0", n_images=12)
    np.testing.assert_array_equal(origin.side.features, SIDE.features)
    assert origin.details.yardstick is not None


def test_a_bank_beside_source_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"bank_file: want null where data/raw/source has images, got .*bank\.npz\. Set"
    ):
        origin_of(SIDE, source_details_of_side(SIDE), CARD, _banked(tmp_path))


def test_with_neither_the_network_itself_is_named() -> None:
    origin = origin_of(nothing().side, nothing().details, CARD, PARAMS)
    assert (origin.described.name, origin.described.n_images) == ("small_cnn (pretrain)", 0)
    assert len(origin.side.rows) == 0
