import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.house import ROOT

from graft.params.data import PrepareData
from graft.preparation import assembly
from graft.preparation.prepare import Prepared, PrepareSettings, prepare
from graft.preparation.raw import scan_raw, target_preprocessing
from graft.preparation.scan import scan_unlabelled
from graft.preparation.shards import read_files
from graft.records.common import Preprocessing
from graft.store.catalogue import class_names, open_images, read_catalog, readable_rows, write_catalog

SMALL = Preprocessing(resize_px=18, crop_px=16, mean=(0, 0, 0), std=(1, 1, 1), interpolation="bilinear")
PARAMS = PrepareData(dataset="folders", group_pattern=None, group_file=None, near_duplicate_bits=None)


def draw(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "PNG")
    return path


def deep(path: Path, seed: int, highest: int) -> Path:
    """A grey file of 16 bits with this largest value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, highest + 1, (20, 24), dtype=np.uint16)
    values[0, 0] = highest
    Image.fromarray(values).save(path)
    return path


def labelled(folder: Path, splits: tuple[str, ...] = ("",), seed: int = 0) -> Path:
    for place, split in enumerate(splits):
        for number in range(4):
            draw(folder / split / "cat" / f"{number}.png", seed + 100 * place + number)
            draw(folder / split / "dog" / f"{number}.png", seed + 100 * place + 50 + number)
    return folder


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A labelled source, and unlabelled images of the target."""
    labelled(tmp_path / "raw/source")
    for number in range(5):
        draw(tmp_path / f"raw/target_unlabeled/day{number % 2}/{number}.png", 1000 + number)
    return tmp_path / "raw"


def prepared(raw: Path, params: PrepareData = PARAMS, preprocessing: Preprocessing = SMALL) -> Prepared:
    folder = raw / "target_unlabeled"
    settings = PrepareSettings(preprocessing, params, 0)
    return prepare(folder, scan_unlabelled(folder), raw.parent / "unlabeled.npy", raw.parent / "shards", settings)


def test_unlabelled_images_at_any_depth_are_in_train_and_in_no_class(raw: Path) -> None:
    draw(raw / "target_unlabeled/loose.png", 1)
    draw(raw / "target_unlabeled/test/cat/deep/1.PNG", 2)
    draw(raw / "target_unlabeled/val/dog/1.png", 3)
    rows, domain = prepared(raw)
    assert [row.path for row in rows] == sorted(
        ["loose.png", "test/cat/deep/1.PNG", "val/dog/1.png", *(f"day{n % 2}/{n}.png" for n in range(5))]
    )
    assert {(row.label, row.split) for row in rows} == {("", "train")}
    assert class_names(rows) == domain.classes == ()
    assert (domain.present, domain.n_images, domain.counts) == (True, 8, {"train": {}, "val": {}, "test": {}})
    assert len(open_images(raw.parent / "unlabeled.npy")) == 8


def test_the_catalogue_of_unlabelled_images_comes_back_from_its_file(raw: Path) -> None:
    (raw / "target_unlabeled/day0/broken.png").write_bytes(b"no image")
    rows = prepared(raw).rows
    write_catalog(rows, raw.parent / "unlabeled.csv")
    assert read_catalog(raw.parent / "unlabeled.csv") == rows
    assert readable_rows(rows).tolist() == readable_rows(rows, "train").tolist() == [0, 1, 2, 3, 4]
    assert readable_rows(rows, "test").tolist() == []


def test_awkward_files_among_unlabelled_images_are_read_left_out_or_quarantined(raw: Path) -> None:
    folder = raw / "target_unlabeled"
    for name in ("README.md", "licence.txt", ".gitignore", "Thumbs.db", "day0/.hidden.png", "@eaDir/1.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"left out")
    (folder / "day0/notes.txt").write_text("an image, it should be")
    (folder / "day0/empty.png").touch()
    (folder / "day0/gone.png").symlink_to("nowhere.png")
    (folder / "without_a_suffix").write_bytes((folder / "day0/0.png").read_bytes())
    rows, domain = prepared(raw)
    assert {row.path for row in rows if row.row < 0} == {"day0/notes.txt", "day0/empty.png", "day0/gone.png"}
    assert [each.path for each in domain.quarantine] == ["day0/empty.png", "day0/gone.png", "day0/notes.txt"]
    assert "without_a_suffix" in [row.path for row in rows if row.row >= 0]
    assert {each.kind: each.n_files for each in domain.left_out} == {"hidden": 1, "system_folder": 1, "system_file": 1}


def test_a_table_of_labels_among_unlabelled_images_is_refused(raw: Path) -> None:
    (raw / "target_unlabeled/Labels.CSV").write_text("path,label\nday0/0.png,cat\n")
    with pytest.raises(ValueError, match=r"Labels\.CSV: want no labels .+ Move it with its images to data/raw/target"):
        scan_raw(raw)


def test_a_link_to_a_folder_of_unlabelled_images_is_refused(raw: Path) -> None:
    (raw / "target_unlabeled").rename(raw / "elsewhere")
    (raw / "target_unlabeled").symlink_to(raw / "elsewhere")
    with pytest.raises(ValueError, match="got a link to one: DVC does not see"):
        scan_raw(raw)


def test_groups_of_unlabelled_images_are_those_of_the_pattern_or_none(raw: Path) -> None:
    pattern = PARAMS.model_copy(update={"group_pattern": r"(day\d)"})
    assert {row.group for row in prepared(raw, pattern).rows} == {"day0", "day1"}
    pattern = PARAMS.model_copy(update={"group_pattern": r"(patient\d)"})
    assert all(row.group == row.sha256 for row in prepared(raw, pattern).rows)
    pattern = PARAMS.model_copy(update={"group_pattern": r"(day1)"})
    with pytest.raises(ValueError, match=r"want a match of prepare_data\.group_pattern"):
        prepared(raw, pattern)


def test_a_group_file_need_not_be_beside_unlabelled_images(raw: Path) -> None:
    by_file = PARAMS.model_copy(update={"group_file": "groups.csv"})
    assert all(row.group == row.sha256 for row in prepared(raw, by_file).rows)
    lines = "".join(f"day{n % 2}/{n}.png,burst{n // 3}\n" for n in range(5))
    (raw / "target_unlabeled/groups.csv").write_text(f"path,group\n{lines}")
    assert {row.group for row in prepared(raw, by_file).rows} == {"burst0", "burst1"}


def test_an_interrupted_prepare_goes_on_with_what_was_read(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = prepared(raw), (raw.parent / "unlabeled.npy").read_bytes()
    monkeypatch.setattr(assembly, "N_PER_SHARD", 2)
    seen: list[list[str]] = []

    def interrupted(folder: Path, files: Any, *others: Any) -> Any:
        seen.append([each.path for each in files])
        if len(seen) == 2:
            raise KeyboardInterrupt
        return read_files(folder, files, *others)

    monkeypatch.setattr(assembly, "read_files", interrupted)
    (raw.parent / "unlabeled.npy").unlink()
    with pytest.raises(KeyboardInterrupt):
        prepared(raw)
    assert (prepared(raw), (raw.parent / "unlabeled.npy").read_bytes()) == whole
    assert seen == [
        ["day0/0.png", "day0/2.png"],
        ["day0/4.png", "day1/1.png"],
        ["day0/4.png", "day1/1.png"],
        ["day1/3.png"],
    ]


def test_the_target_may_be_absent_where_source_and_unlabelled_images_are_there(raw: Path) -> None:
    assert scan_raw(raw).target == ()
    assert (len(scan_raw(raw).source), len(scan_raw(raw).unlabeled)) == (8, 5)
    (raw / "target").mkdir()
    (raw / "target/.gitignore").touch()
    assert scan_raw(raw).target == ()


@pytest.mark.parametrize("absent", ["source", "target_unlabeled"])
def test_without_either_an_absent_target_is_refused_with_the_way_to_do_without_labels(raw: Path, absent: str) -> None:
    (raw / absent).rename(raw.parent / "away")
    with pytest.raises(FileNotFoundError, match=r"raw/target: want a folder .+ Without labels of the target: put") as e:
        scan_raw(raw)
    assert "/raw/target_unlabeled/ and labelled images of a source under" in str(e.value)


def test_a_test_split_alone_is_read_where_source_and_unlabelled_images_are_there(raw: Path) -> None:
    labelled(raw / "target", ("test",), seed=5000)
    found = scan_raw(raw).target
    assert {(each.split, each.label) for each in found} == {("test", "cat"), ("test", "dog")}
    settings = PrepareSettings(SMALL, PARAMS, 0)
    rows, domain = prepare(raw / "target", found, raw.parent / "t.npy", raw.parent / "shards", settings)
    assert {row.split for row in rows} == {"test"}
    assert domain.counts == {"train": {"cat": 0, "dog": 0}, "val": {"cat": 0, "dog": 0}, "test": {"cat": 4, "dog": 4}}


def test_one_image_of_a_class_is_enough_in_a_test_split_alone(raw: Path) -> None:
    for label in ("cat", "dog"):
        draw(raw / f"target/test/{label}/1.png", 7)
    settings = PrepareSettings(SMALL, PARAMS, 0)
    files = scan_raw(raw).target, raw.parent / "t.npy", raw.parent / "shards"
    assert len(prepare(raw / "target", *files, settings).rows) == 2
    (raw / "target/test/dog/1.png").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"class dog: want at least 1 readable images, one for each of test, got 0"):
        prepare(raw / "target", *files, settings)


@pytest.mark.parametrize("absent", ["source", "target_unlabeled"])
def test_a_test_split_alone_is_else_refused_with_the_way_to_use_it(raw: Path, absent: str) -> None:
    (raw / absent).rename(raw.parent / "away")
    labelled(raw / "target", ("test",))
    with pytest.raises(ValueError, match=r"want train, .+ got test\. Rename .+ Test alone will do where"):
        scan_raw(raw)


def test_a_table_may_name_test_alone_likewise(raw: Path) -> None:
    labelled(raw / "target")
    lines = [f"{label}/{n}.png,{label},test\n" for label in ("cat", "dog") for n in range(4)]
    (raw / "target/labels.csv").write_text("path,label,split\n" + "".join(lines))
    assert {each.split for each in scan_raw(raw).target} == {"test"}
    (raw / "source").rename(raw.parent / "away")
    with pytest.raises(ValueError, match=r"want rows of train .+ got only test\. Add them\. Test alone will do where"):
        scan_raw(raw)


def test_val_and_test_without_train_stay_refused(raw: Path) -> None:
    labelled(raw / "target", ("val", "test"))
    with pytest.raises(ValueError, match=r"want train, and at most one val and one test folder, got test, val\. Ren"):
        scan_raw(raw)


def test_classes_of_a_test_split_alone_must_be_those_of_the_source(raw: Path) -> None:
    labelled(raw / "target", ("test",), seed=5000)
    (raw / "target/test/dog").rename(raw / "target/test/wolf")
    with pytest.raises(ValueError, match=r"want classes of the source \(cat, dog\) .+ got wolf\. Rename"):
        scan_raw(raw)


def test_a_target_with_train_may_have_classes_that_the_source_lacks(raw: Path) -> None:
    labelled(raw / "target", seed=5000)
    (raw / "target/dog").rename(raw / "target/wolf")
    assert {each.label for each in scan_raw(raw).target} == {"cat", "wolf"}


def test_labelled_and_unlabelled_images_of_the_target_are_scaled_by_one_range(raw: Path) -> None:
    for path in [each for each in raw.rglob("*.png") if "source" not in each.parts]:
        path.unlink()
    for number in range(6):
        for label in ("cat", "dog"):
            deep(raw / f"target/{label}/{number}.png", number, 2000)
        deep(raw / f"target_unlabeled/{number}.png", number, 4000)
    assert target_preprocessing(raw, scan_raw(raw), SMALL).value_bits == 12
    settled = SMALL.model_copy(update={"value_bits": 16})
    assert target_preprocessing(raw, scan_raw(raw), settled).value_bits == 16


def test_a_range_that_only_one_of_the_two_could_have_is_refused_by_the_file_in_its_folder(raw: Path) -> None:
    deep(raw / "target_unlabeled/bright.png", 1, 4000)
    with pytest.raises(ValueError, match=r"raw: want 16-bit grey files .+ in target_unlabeled/bright\.png, too few"):
        target_preprocessing(raw, scan_raw(raw), SMALL)


def run_stage(folder: Path) -> dict[str, Any]:
    """Run prepare_data on folder/raw with the params of the repository, on folders; its record."""
    text = (ROOT / "params.yaml").read_text().replace("dataset: example", "dataset: folders")
    (folder / "params.yaml").write_text(text)
    options = {
        **{"params": "params.yaml", "raw": "raw", "example": "example", "record": "catalog.json"},
        "preprocessing": "preprocessing.json",
        **{f"{name}-catalog": f"{name}.csv" for name in ("source", "target", "unlabeled")},
        **{f"{name}-images": f"{name}.npy" for name in ("source", "target", "unlabeled")},
    }
    main = runpy.run_path(str(ROOT / "stages/prepare_data.py"))["main"]
    main([part for name, path in options.items() for part in (f"--{name}", str(folder / path))])
    record: dict[str, Any] = json.loads((folder / "catalog.json").read_text())
    return record


def test_the_stage_writes_three_domains_with_zero_rows_where_there_are_no_images(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(raw.parent)
    record = run_stage(raw.parent)
    assert {name: record[name]["n_images"] for name in ("source", "target", "unlabeled")} == {
        "source": 8,
        "target": 0,
        "unlabeled": 5,
    }
    assert len(open_images(raw.parent / "unlabeled.npy")) == 5
    labelled(raw / "target", seed=5000)
    (raw / "target_unlabeled").rename(raw.parent / "away")
    record = run_stage(raw.parent)
    assert (record["unlabeled"]["present"], record["unlabeled"]["n_images"]) == (False, 0)
    assert read_catalog(raw.parent / "unlabeled.csv") == ()
    assert open_images(raw.parent / "unlabeled.npy").shape == (0, 32, 32, 3)
    assert record["target"]["n_images"] == 8
