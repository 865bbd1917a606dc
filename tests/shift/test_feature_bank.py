import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.examples import backbone_card, catalog_row
from tests.shift.samples import PARAMS, PREPROCESSING, grey_images, network, normal, side_of, source_details_of_side

from graft.commands.bank import bank_of
from graft.params.measure_shift import MeasureShift
from graft.records.cards import BackboneCard
from graft.shift.feature_bank import About, Bank, backbone_key, read_bank, save_bank
from graft.store.catalogue import CatalogRow
from graft.store.features import save_source_details

CARD = backbone_card(preprocessing=PREPROCESSING)


def files(n: int, contents: Sequence[int] | None = None) -> list[CatalogRow]:
    """Loose files with no class; those with equal contents are copies."""
    sha256 = [f"{each:064x}" for each in (contents or range(n))]
    return [catalog_row(f"{i}.png", label="", sha256=sha256[i], group=sha256[i], row=i) for i in range(n)]


def made(rows: Sequence[CatalogRow], n_images: int, n_sample: int = 40) -> Bank:
    about = About("Photographs", "CC0", backbone_key(CARD))
    return bank_of((rows, grey_images(n_images)), network(), about, n_sample, 0)


def named(path: Path, sha256: str | None = None) -> MeasureShift:
    found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "0" * 64
    return PARAMS.model_copy(update={"bank_file": str(path), "bank_sha256": sha256 or found})


def test_a_bank_holds_the_features_of_the_images_that_can_be_read() -> None:
    rows = [*files(12), catalog_row("bad.png", label="", error="truncated")]
    bank = made(rows, 12)
    np.testing.assert_array_equal(bank.side.features, network().features(grey_images(12)))
    assert bank.side.images.tolist() == [each.sha256 for each in rows[:12]]
    assert set(bank.side.labels.tolist()) == {""}


def test_exact_copies_are_one_group() -> None:
    contents = [*range(12), 0, 0, 5]
    assert len(np.unique(made(files(15, contents), 15).side.groups)) == 12


def test_copies_are_in_one_half_of_the_yardstick() -> None:
    contents = [*range(10)] * 3
    about = About("Photographs", "CC0", backbone_key(CARD))
    details = bank_of((files(30, contents), grey_images(10)[contents]), network(), about, 40, 0).details
    assert details.yardstick is not None
    kept, clean = ({tuple(row) for row in half.tolist()} for half in (details.yardstick.kept, details.yardstick.clean))
    assert len(kept) + len(clean) == 10


def test_blocks_and_yardstick_are_of_a_sample() -> None:
    details = made(files(30), 30, n_sample=20).details
    assert len(details.rows) == 20
    assert details.yardstick is not None
    assert len(details.yardstick.kept) + len(details.yardstick.clean) == 20


@pytest.mark.parametrize("contents", [list(range(9)), [*range(9), 0, 0, 0]])
def test_fewer_than_ten_different_images_make_no_bank(contents: list[int]) -> None:
    with pytest.raises(ValueError, match=r"^graft bank: want at least 10 different images that can be read, got 9\. A"):
        made(files(len(contents), contents), len(contents))


def test_a_bank_comes_back_as_it_was_written(tmp_path: Path) -> None:
    bank = made(files(12), 12)
    sha256 = save_bank(bank, tmp_path / "bank.npz")
    back = read_bank(named(tmp_path / "bank.npz", sha256), CARD)
    assert back.about == bank.about
    np.testing.assert_equal(back.side._asdict(), bank.side._asdict())
    np.testing.assert_equal(back.details._asdict(), bank.details._asdict())


def test_name_licence_and_count_are_in_the_file(tmp_path: Path) -> None:
    save_bank(made(files(12), 12), tmp_path / "bank.npz")
    with np.load(tmp_path / "bank.npz") as file:
        assert (str(file["name"]), str(file["licence"]), int(file["n_images"])) == ("Photographs", "CC0", 12)


def test_the_same_images_give_the_same_bytes(tmp_path: Path) -> None:
    assert save_bank(made(files(12), 12), tmp_path / "a.npz") == save_bank(made(files(12), 12), tmp_path / "b.npz")


def test_an_absent_bank_is_an_error_of_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"bank_file: want a bank, got no file .*none\.npz\. Make one: `graft"):
        read_bank(named(tmp_path / "none.npz"), CARD)


def test_another_sha256_is_refused_with_that_of_the_file(tmp_path: Path) -> None:
    sha256 = save_bank(made(files(12), 12), tmp_path / "bank.npz")
    with pytest.raises(ValueError, match=rf"bank_sha256: want the sha256 of .*, which is {sha256}, got {'f' * 64}\. F"):
        read_bank(named(tmp_path / "bank.npz", "f" * 64), CARD)


@pytest.mark.parametrize(
    "changes",
    [
        {"blocks_sha256": "c" * 64},
        {"preprocessing": PREPROCESSING.model_copy(update={"crop_px": 16})},
        {"preprocessing": PREPROCESSING.model_copy(update={"mean": (0.5, 0, 0)})},
    ],
)
def test_a_bank_of_another_backbone_or_image_size_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    save_bank(made(files(12), 12), tmp_path / "bank.npz")
    other = CARD.model_copy(update=changes)
    with pytest.raises(
        ValueError, match=r"want features by this backbone \(small_cnn, pretrain, \d+ px\), got those of"
    ):
        read_bank(named(tmp_path / "bank.npz"), other)


def test_only_what_determines_features_makes_another_backbone() -> None:
    same: dict[str, object] = {"weights_sha256": "0" * 64, "source_val_accuracy": 0.1, "origin": "file w.pth"}
    assert backbone_key(CARD.model_copy(update=same)) == backbone_key(CARD)
    assert backbone_key(BackboneCard.model_validate_json(CARD.model_dump_json())) == backbone_key(CARD)


def _npy() -> bytes:
    content = io.BytesIO()
    np.save(content, np.zeros(3))
    return content.getvalue()


@pytest.mark.parametrize("content", [b"", b"no bank", b"PK\x03\x04 cut off", _npy()])
def test_a_file_that_is_not_a_bank_is_an_error_of_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bank.npz").write_bytes(content)
    with pytest.raises(
        ValueError, match=r"bank\.npz: want a bank, got a file of another kind \(.*\)\. Make one with"
    ) as e:
        read_bank(named(tmp_path / "bank.npz"), CARD)
    assert "\n" not in str(e.value)


def test_other_arrays_are_not_a_bank(tmp_path: Path) -> None:
    save_source_details(source_details_of_side(side_of(normal(8, 0), "a")), tmp_path / "bank.npz")
    with pytest.raises(ValueError, match="want a bank, got a file of another kind"):
        read_bank(named(tmp_path / "bank.npz"), CARD)


def test_which_files_can_be_read_does_not_make_another_backbone() -> None:
    other = CARD.preprocessing.model_copy(update={"value_bits": 12, "max_pixels": 1})
    assert backbone_key(CARD.model_copy(update={"preprocessing": other})) == backbone_key(CARD)
