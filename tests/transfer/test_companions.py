from pathlib import Path

import numpy as np
import pytest
import torch

from graft.store.catalogue import class_names
from graft.transfer.companions import CompanionFiles, Companions, read_companions
from graft.transfer.gathering import write_gathered
from tests.networks.runtimes import ON_CPU
from tests.transfer.conftest import tiny_catalog, tiny_images, write_companions


def read(folder: Path) -> Companions:
    names = ("companions.csv", "companions.npy", "unlabelled.npy")
    return read_companions(CompanionFiles(*(folder / name for name in names)), ON_CPU)


def test_files_without_rows_are_no_companions(tmp_path: Path) -> None:
    write_companions(tmp_path)
    assert read(tmp_path) == Companions(None, None)


def test_source_images_come_with_the_numbers_of_all_classes_and_unlabelled_ones_without(tmp_path: Path) -> None:
    write_companions(tmp_path)
    rows = [row for row in tiny_catalog() if row.split == "train"][::-1]
    write_gathered(rows, tiny_images(), tmp_path, "companions")
    np.save(tmp_path / "unlabelled.npy", tiny_images()[3:8])
    source, unlabelled = read(tmp_path)
    assert source is not None
    assert unlabelled is not None
    classes = class_names(tiny_catalog())
    assert source.labels.tolist() == [classes.index(row.label) for row in rows]
    for image, row in zip(source.images, rows, strict=True):
        assert torch.equal(image.permute(1, 2, 0), torch.from_numpy(tiny_images()[row.row]))
    assert torch.equal(unlabelled.permute(0, 2, 3, 1), torch.from_numpy(tiny_images()[3:8]))


def test_images_that_do_not_fit_into_memory_are_refused_by_the_key_that_shrinks_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_companions(tmp_path)
    np.save(tmp_path / "unlabelled.npy", tiny_images())
    monkeypatch.setattr("graft.training.memory.free_bytes", lambda device: 1000)
    with pytest.raises(ValueError, match=r"images.*: want .+ of memory for 40 images"):
        read(tmp_path)
