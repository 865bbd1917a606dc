import hashlib
from pathlib import Path

import numpy as np
import pytest
from tests.examples import catalog_row, domain_record

from graft.records.catalog import Domain
from graft.store.catalogue import write_catalog
from graft.validation.domains import open_domain

ROWS = [catalog_row("cat/a.png"), catalog_row("cat/b.png", row=-1, error="truncated"), catalog_row("cat/c.png", row=1)]


@pytest.fixture
def record(tmp_path: Path) -> Domain:
    """Write a catalogue t.csv and a store t.npy, and return their record."""
    write_catalog(ROWS, tmp_path / "t.csv")
    np.save(tmp_path / "t.npy", np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3))
    sha256 = hashlib.sha256((tmp_path / "t.npy").read_bytes()).hexdigest()
    return domain_record().model_copy(update={"store_sha256": sha256})


def test_a_store_of_the_recorded_hash_is_mapped_and_not_read(tmp_path: Path, record: Domain) -> None:
    opened = open_domain("target", record, tmp_path / "t.csv", tmp_path / "t.npy")
    assert (opened.name, opened.fault, opened.rows) == ("target", "", tuple(ROWS))
    assert [each.path for each in opened.readable] == ["cat/a.png", "cat/c.png"]
    assert isinstance(opened.images, np.memmap)
    assert opened.images.shape == (2, 4, 4, 3)


def test_one_flipped_byte_is_a_fault_that_names_the_file_and_no_image_is_opened(tmp_path: Path, record: Domain) -> None:
    content = bytearray((tmp_path / "t.npy").read_bytes())
    content[-5] ^= 1
    (tmp_path / "t.npy").write_bytes(content)
    opened = open_domain("target", record, tmp_path / "t.csv", tmp_path / "t.npy")
    assert opened.fault.startswith(f"{tmp_path}/t.npy: its sha256 is ")
    assert f"{record.store_sha256[:12]}... when it was made" in opened.fault
    assert len(opened.images) == 0


def test_a_truncated_store_is_a_fault_and_not_a_crash(tmp_path: Path, record: Domain) -> None:
    (tmp_path / "t.npy").write_bytes((tmp_path / "t.npy").read_bytes()[:50])
    assert open_domain("target", record, tmp_path / "t.csv", tmp_path / "t.npy").fault


def test_the_rest_of_the_record_is_there_even_if_the_store_is_damaged(tmp_path: Path, record: Domain) -> None:
    told = record.model_copy(update={"value_bits": 12, "table_doubts": ("a doubt",)})
    for sha256 in (record.store_sha256, "another"):
        changed = told.model_copy(update={"store_sha256": sha256})
        opened = open_domain("target", changed, tmp_path / "t.csv", tmp_path / "t.npy")
        assert (opened.value_bits, opened.left_out, opened.table_doubts) == (12, record.left_out, ("a doubt",))


def test_a_missing_store_is_an_error(tmp_path: Path, record: Domain) -> None:
    (tmp_path / "t.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"t\.npy: want an image store, got no file\. Run"):
        open_domain("target", record, tmp_path / "t.csv", tmp_path / "t.npy")
