"""The stage: which images it reads, the same bytes twice, no source, no heavy import."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from tests.examples import catalog_row

from graft.files import read_record
from graft.records import ShiftRecord, Split
from graft.store import CatalogRow, save_array, write_catalog

TOP = Path(__file__).parents[2]
STAGE = TOP / "stages" / "measure_shift.py"


def row_of(row: int, label: str, split: Split) -> CatalogRow:
    error = "" if row >= 0 else "truncated"
    return catalog_row(f"{label}/{row}.png", label=label, split=split, sha256=f"{row:064x}", row=row, error=error)


def arguments(folder: Path, n_source: int = 40) -> list[str]:
    """The stage's options, on files made here: source images, 60 target images, 30 of them train."""
    rng = np.random.default_rng(0)
    splits: tuple[Split, ...] = ("train", "val", "test")
    source = [row_of(row, "ab"[row % 2], splits[row % 3]) for row in range(n_source)]
    target = [row_of(row, "cd"[row % 2], "train" if row < 30 else splits[1 + row % 2]) for row in range(60)]
    target.append(row_of(-1, "c", "train"))
    features = rng.normal(size=(60, 3)).astype(np.float32)
    features[30:] += 100  # only what is not train lies far away
    write_catalog(source, folder / "source.csv")
    write_catalog(target, folder / "target.csv")
    classes = np.arange(n_source)[:, None] % 2 * 4
    save_array((rng.normal(size=(n_source, 3)) + classes).astype(np.float32), folder / "source.npy")
    save_array(features, folder / "target.npy")
    values = yaml.safe_load((TOP / "params.yaml").read_text(encoding="utf-8"))
    values["measure_shift"]["n_permutations"] = 99
    (folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    names = {
        "params": "params.yaml",
        "source-catalog": "source.csv",
        "target-catalog": "target.csv",
        "source-features": "source.npy",
        "target-features": "target.npy",
        "record": "shift.json",
    }
    return [part for name, file in names.items() for part in (f"--{name}", str(folder / file))]


def test_all_of_the_source_and_the_train_split_of_the_target_are_measured(tmp_path: Path) -> None:
    runpy.run_path(str(STAGE))["main"](arguments(tmp_path))
    record = read_record(ShiftRecord, tmp_path / "shift.json")
    assert (record.source, record.n_source, record.n_target, record.n_features) == ("own", 40, 30, 3)
    assert record.bandwidth2 is not None
    assert record.bandwidth2 < 100  # the far images of the other splits were not looked at
    assert record.n_permutations == 99


def test_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    main = runpy.run_path(str(STAGE))["main"]
    main(arguments(tmp_path))
    first = (tmp_path / "shift.json").read_bytes()
    main(arguments(tmp_path))
    assert (tmp_path / "shift.json").read_bytes() == first


def test_without_source_images_the_record_says_so(tmp_path: Path) -> None:
    runpy.run_path(str(STAGE))["main"](arguments(tmp_path, n_source=0))
    record = read_record(ShiftRecord, tmp_path / "shift.json")
    assert (record.source, record.similarity, record.mmd2) == ("none", "unknown", None)


def test_a_fault_leaves_no_record(tmp_path: Path) -> None:
    given = arguments(tmp_path)
    features = np.load(tmp_path / "target.npy")
    features[3, 1] = np.nan
    save_array(features, tmp_path / "target.npy")
    with pytest.raises(ValueError, match="target, row 3: want finite features, got nan"):
        runpy.run_path(str(STAGE))["main"](given)
    assert not (tmp_path / "shift.json").exists()


def test_no_heavy_package_is_imported(tmp_path: Path) -> None:
    code = (
        "import runpy, sys\n"
        f"runpy.run_path({str(STAGE)!r})['main'](sys.argv[1:])\n"
        "print(*sorted({'torch', 'torchvision', 'sklearn', 'scipy', 'pandas'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
