from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graft.params.both_arms import FinetuneTarget
from graft.store.catalogue import SPLITS, CatalogRow, open_images, read_catalog
from graft.transfer import gathering
from graft.transfer.gathering import Catalogues, gather, write_gathered, write_store
from tests.examples import catalog_row

IMAGES = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3), dtype=np.uint8)
OFF = {"rates": [0.01], "depth_decay": 0.5, "top_blocks": 1, "batchnorm": None}
DAN = {"kind": "dan", "strength": 1.0, "blocks": ["block4"]}
CORAL, DANN = ({"kind": kind, "strength": 1.0} for kind in ("coral", "dann"))
EWC, REPLAY = {"kind": "ewc", "strength": 1.0, "images": 2}, {"kind": "replay", "share": 0.2}
L2_SP, LWF = {"kind": "l2_sp", "strength": 0.1}, {"kind": "lwf", "strength": 1.0, "temperature": 2.0}

SOURCE = tuple(
    catalog_row(f"source/{split}/{label}", label=label, split=split, row=3 * place + number)
    for place, label in enumerate(("ape", "bat", "cow"))
    for number, split in enumerate(SPLITS)
)
TARGET = tuple(catalog_row(f"target/{split}", split=split) for split in SPLITS)
UNLABELLED = tuple(catalog_row(f"unlabelled/{n}", label="", row=n) for n in range(4))


def gathered(target: tuple[CatalogRow, ...] = TARGET, **changes: Any) -> dict[str, list[str]]:
    settings = FinetuneTarget.model_validate({**OFF, **changes})
    found = gather(Catalogues(SOURCE, target, UNLABELLED), settings)
    return {name: [row.path for row in rows] for name, rows in found._asdict().items()}


CHOSEN = {"choose_by": "information_maximisation"}
TRAIN = ["source/train/ape", "source/train/bat", "source/train/cow"]
ALL = [row.path for row in UNLABELLED]


@pytest.mark.parametrize(
    ("changes", "source", "unlabelled"),
    [
        ({}, [], []),
        ({"keeping": L2_SP}, [], []),
        ({"keeping": LWF}, [], []),
        ({"tuning": "bias", "batchnorm": "train"}, [], []),
        ({"keeping": EWC}, TRAIN, []),
        ({"keeping": REPLAY}, TRAIN, []),
        ({"adapting": DAN}, TRAIN, ALL),
        ({"adapting": CORAL}, TRAIN, ALL),
        ({"adapting": DANN}, TRAIN, ALL),
        ({"batchnorm": "adapt"}, [], ALL),
    ],
)
def test_each_technique_gets_the_images_that_it_reads_and_no_others(
    changes: dict[str, Any], source: list[str], unlabelled: list[str]
) -> None:
    assert gathered(**changes) == {"source": source, "labelled": [], "unlabelled": unlabelled}


@pytest.mark.parametrize("target", [(), TARGET[2:]])
def test_without_labels_to_train_on_train_and_val_of_the_source_stand_in(target: tuple[CatalogRow, ...]) -> None:
    found = gathered(target, **CHOSEN)
    assert found["labelled"] == [row.path for row in SOURCE if row.split != "test"]
    assert (found["source"], found["unlabelled"]) == ([], ALL)
    assert gathered(target, adapting=DAN, **CHOSEN)["source"] == []
    assert gathered(target, keeping=EWC, **CHOSEN)["source"] == TRAIN


def test_the_test_split_of_the_source_is_never_gathered() -> None:
    every = gathered((), adapting=DAN, keeping=EWC, **CHOSEN)
    assert not [path for paths in every.values() for path in paths if path.startswith("source/test")]


def test_an_unlabelled_image_with_the_bytes_of_a_test_image_is_never_gathered() -> None:
    same = {
        split: catalog_row(f"target/{split}", split=split, sha256=row.sha256)
        for split, row in zip(SPLITS, UNLABELLED, strict=False)
    }
    assert gathered(tuple(same.values()), adapting=DAN)["unlabelled"] == [ALL[0], ALL[1], ALL[3]]


def test_unreadable_images_are_not_gathered() -> None:
    broken = catalog_row("x", label="", error="cut off")
    settings = FinetuneTarget.model_validate({**OFF, "adapting": DAN})
    found = gather(Catalogues((*SOURCE, broken._replace(label="ape")), TARGET, (*UNLABELLED, broken)), settings)
    assert "x" not in [row.path for row in (*found.source, *found.unlabelled)]


def test_written_rows_have_their_images_at_their_new_places(tmp_path: Path) -> None:
    rows = [row for row in SOURCE if row.split == "val"]
    write_gathered(rows, IMAGES, tmp_path, "source")
    stored, written = open_images(tmp_path / "source.npy"), read_catalog(tmp_path / "source.csv")
    assert [row._replace(row=0) for row in written] == [row._replace(row=0) for row in rows]
    assert [row.row for row in written] == [0, 1, 2]
    for old, new in zip(rows, written, strict=True):
        np.testing.assert_array_equal(stored[new.row], IMAGES[old.row])


def test_no_rows_are_written_with_their_size_and_zero_images(tmp_path: Path) -> None:
    write_gathered((), IMAGES, tmp_path, "source")
    assert open_images(tmp_path / "source.npy").shape == (0, 4, 4, 3)
    assert read_catalog(tmp_path / "source.csv") == ()


def test_a_store_is_written_a_part_at_a_time_as_numpy_would_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "AT_A_TIME", 2)
    write_store([8, 0, 3, 4, 1], IMAGES, tmp_path / "written.npy")
    np.save(tmp_path / "saved.npy", IMAGES[[8, 0, 3, 4, 1]])
    assert (tmp_path / "written.npy").read_bytes() == (tmp_path / "saved.npy").read_bytes()


def test_a_choice_that_does_not_fit_the_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="choose_by: want null where the target has labels"):
        gathered(TARGET, **CHOSEN)
    with pytest.raises(ValueError, match="where the target has no labels, got null"):
        gathered(TARGET[2:])
