"""The stage: which images it reads, all four kinds of source, the same bytes twice, what a fault leaves."""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dvc.utils.serialize import dumps_yaml
from tests.examples import backbone_card, catalog_row, write_stamp
from tests.shift.samples import nothing, side_of, source_details_of_side, target_details_of_side

from graft.files import read_record, write_record
from graft.records.common import Split
from graft.records.shift import ShiftRecord
from graft.shift.feature_bank import About, Bank, backbone_key, save_bank
from graft.store.catalogue import CatalogRow, write_catalog
from graft.store.features import read_map, save_array, save_source_details, save_target_details
from graft.yaml_files import read_yaml

TOP = Path(__file__).parents[2]
STAGE = TOP / "stages" / "measure_shift.py"
FILES = {
    "params": "params.yaml",
    "stamp": "validated.json",
    "card": "card.json",
    "source-catalog": "source.csv",
    "source-features": "source.npy",
    "source-details": "source_details.npz",
    "target-catalog": "target.csv",
    "target-features": "target.npy",
    "target-details": "target_details.npz",
    "unlabeled-catalog": "unlabeled.csv",
    "unlabeled-features": "unlabeled.npy",
    "record": "shift.json",
    "map": "map.csv",
}
N_TRAIN = 30


def row_of(row: int, label: str, split: Split, domain: str) -> CatalogRow:
    error = "" if row >= 0 else "truncated"
    return catalog_row(f"{domain}/{label}/{row}.png", label=label, split=split, row=row, error=error)


def arguments(folder: Path, n_source: int = 40, *, batchnorm: bool = True, **measure_shift: Any) -> list[str]:
    """The stage's options, on files made here: source images, 60 target images, 30 of them train."""
    rng = np.random.default_rng(0)
    splits: tuple[Split, ...] = ("train", "val", "test")
    source = [row_of(row, "ab"[row % 2], splits[row % 3], "source") for row in range(n_source)]
    target = [row_of(r, "bc"[r % 2], "train" if r < N_TRAIN else splits[1 + r % 2], "target") for r in range(60)]
    target.append(row_of(-1, "c", "train", "target"))
    features = rng.normal(size=(60, 3)).astype(np.float32)
    features[N_TRAIN:] += 100  # only what is not train lies far away
    ours = (rng.normal(size=(n_source, 3)) + np.arange(n_source)[:, None] % 2).astype(np.float32)
    write_catalog(source, folder / "source.csv")
    write_catalog(target, folder / "target.csv")
    write_catalog((), folder / "unlabeled.csv")
    write_stamp(folder)
    save_array(ours, folder / "source.npy")
    save_array(features, folder / "target.npy")
    save_array(features[:0], folder / "unlabeled.npy")
    write_record(backbone_card(), folder / "card.json")
    details = source_details_of_side(side_of(ours, "a")) if n_source else nothing().details
    save_source_details(details, folder / "source_details.npz")
    refusal = "" if batchnorm else "bn_stats: want a network with BatchNorm layers, got one with LayerNorm."
    train = side_of(features[:N_TRAIN], "b")
    seen = target_details_of_side(train, moments=batchnorm and not n_source, refusal=refusal)
    save_target_details(seen, folder / "target_details.npz")
    values = read_yaml(TOP / "params.yaml")
    values["measure_shift"] |= {"n_permutations": 99, **measure_shift}
    (folder / "params.yaml").write_text(dumps_yaml(values), encoding="utf-8")
    return [part for name, file in FILES.items() for part in (f"--{name}", str(folder / file))]


def banked(folder: Path) -> dict[str, Any]:
    side = side_of(np.random.default_rng(5).normal(size=(50, 3)) + 1, "c")
    about = About("Photographs", "CC0", backbone_key(backbone_card()))
    sha256 = save_bank(Bank(about, side, source_details_of_side(side)), folder / "bank.npz")
    return {"bank_file": str(folder / "bank.npz"), "bank_sha256": sha256}


def run(given: list[str]) -> None:
    runpy.run_path(str(STAGE))["main"](given)


def record_in(folder: Path) -> ShiftRecord:
    return read_record(ShiftRecord, folder / "shift.json")


def test_all_of_the_source_and_the_train_split_of_the_target_are_measured(tmp_path: Path) -> None:
    run(arguments(tmp_path))
    record = record_in(tmp_path)
    assert (record.source.kind, record.source.n_images, record.n_target, record.n_features) == ("own", 40, 30, 3)
    assert record.size is not None
    assert record.size.bandwidth2 < 100  # the far images of the other splits were not looked at
    assert record.profile is not None
    assert record.profile.n_images == (40, 30)
    assert [each.label for each in record.classes] == ["b"]


def test_the_map_shows_the_same_images(tmp_path: Path) -> None:
    run(arguments(tmp_path))
    points = read_map(tmp_path / "map.csv")
    assert [each.side for each in points] == ["source"] * 40 + ["target"] * 30
    assert points[0].image == row_of(0, "a", "train", "source").sha256[:12]
    assert max(abs(each.x) for each in points) < 100


def test_a_bank_that_params_name_stands_for_the_source(tmp_path: Path) -> None:
    run(arguments(tmp_path, 0, **banked(tmp_path)))
    record = record_in(tmp_path)
    assert (record.source.kind, record.source.name, record.source.licence) == ("proxy", "Photographs", "CC0")
    assert record.source.n_images == 50
    assert record.test is not None
    assert record.yardstick is not None
    assert "Compared with the bank Photographs (50 images, CC0)" in record.sentence


def test_without_source_and_bank_the_running_moments_are_described(tmp_path: Path) -> None:
    run(arguments(tmp_path, 0))
    record = record_in(tmp_path)
    assert (record.source.kind, record.similarity, record.size) == ("bn_stats", "unknown", None)
    assert record.profile is not None
    assert record.profile.measure == "divergence"
    assert read_map(tmp_path / "map.csv") == ()


def test_without_any_of_them_the_record_says_why(tmp_path: Path) -> None:
    run(arguments(tmp_path, 0, batchnorm=False))
    record = record_in(tmp_path)
    assert (record.source.kind, record.similarity, record.profile) == ("none", "unknown", None)
    assert "want a network with BatchNorm layers, got one with LayerNorm." in record.sentence


@pytest.mark.parametrize("n_source", [40, 0])
def test_twice_gives_the_same_bytes(tmp_path: Path, n_source: int) -> None:
    given, contents = arguments(tmp_path, n_source), []
    for _ in range(2):
        run(given)
        contents.append([(tmp_path / name).read_bytes() for name in ("shift.json", "map.csv")])
    assert contents[0] == contents[1]


def test_few_images_are_warned_about_on_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(arguments(tmp_path))
    warnings, said = record_in(tmp_path).warnings, capsys.readouterr().err
    assert [each.split(":")[0] for each in warnings] == [
        "Underpowered",
        "Similarity is taken as unknown, and tables that ask for it abstain",
    ]
    assert all(each in said for each in warnings)


def test_a_bank_beside_source_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bank_file: want null where data/raw/source has images"):
        run(arguments(tmp_path, **banked(tmp_path)))


@pytest.mark.parametrize(("value", "said"), [(np.nan, "nan"), (np.inf, "inf")])
def test_a_fault_leaves_neither_record_nor_map(tmp_path: Path, value: float, said: str) -> None:
    given = arguments(tmp_path)
    features = np.load(tmp_path / "target.npy")
    features[3, 1] = value
    save_array(features, tmp_path / "target.npy")
    with pytest.raises(ValueError, match=f"target, row 3: want finite features, got {said}"):
        run(given)
    assert not (tmp_path / "shift.json").exists()
    assert not (tmp_path / "map.csv").exists()


def test_a_target_of_one_patient_is_one_sentence(tmp_path: Path) -> None:
    given = arguments(tmp_path)
    rows = [row_of(row, "bc"[row % 2], "train", "target")._replace(group="patient") for row in range(60)]
    write_catalog(rows, tmp_path / "target.csv")
    write_stamp(tmp_path)
    with pytest.raises(
        ValueError, match=r"^target, train split: want images of at least 2 groups, got 1 \(60 images\)"
    ):
        run(given)


@pytest.mark.parametrize("n_source", [40, 0])
def test_no_network_package_is_imported(tmp_path: Path, n_source: int) -> None:
    code = (
        "import runpy, sys\n"
        f"runpy.run_path({str(STAGE)!r})['main'](sys.argv[1:])\n"
        "print(*sorted({'torch', 'torchvision', 'pandas'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments(tmp_path, n_source)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
