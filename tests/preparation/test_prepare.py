import csv
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from graft.files import UNSEEN, to_json
from graft.images import decode
from graft.images.resizing import fit
from graft.params.data import PrepareData
from graft.preparation import prepare as room
from graft.preparation.prepare import Prepared, PrepareSettings, prepare
from graft.preparation.scan import scan
from graft.records.common import Preprocessing
from graft.store import catalogue
from graft.store.catalogue import CatalogRow, read_catalog, write_catalog

SMALL = Preprocessing(resize_px=18, crop_px=16, mean=(0, 0, 0), std=(1, 1, 1), interpolation="bilinear")


def draw(path: Path, seed: int, side: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side + 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "PNG")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    for number in range(6):
        draw(tmp_path / "target" / "cat" / f"{number}.png", number)
        draw(tmp_path / "target" / "dog" / f"{number}.png", 100 + number)
    return tmp_path / "target"


SETTINGS = PrepareSettings(
    SMALL, PrepareData(dataset="folders", group_pattern=None, group_file=None, near_duplicate_bits=None), 0
)


def run(folder: Path, settings: PrepareSettings = SETTINGS) -> Prepared:
    return prepare(folder, scan(folder), folder.parent / "store" / "images.npy", folder.parent / "shards", settings)


def test_every_image_is_catalogued_and_its_pixels_stand_in_its_row(target: Path) -> None:
    rows, domain = run(target)
    stored = catalogue.open_images(target.parent / "store/images.npy")
    assert [row.path for row in rows] == sorted(f"{label}/{n}.png" for label in ("cat", "dog") for n in range(6))
    assert stored.shape == (12, 16, 16, 3)
    for row in rows:
        content = (target / row.path).read_bytes()
        np.testing.assert_array_equal(stored[row.row], fit(decode.decode(content, "a"), SMALL))
        assert row.sha256 == row.group == hashlib.sha256(content).hexdigest()
        assert (row.width, row.height, row.mode, row.format, row.error) == (24, 20, "RGB", "PNG", "")
        assert row.n_bytes == len(content)
    assert domain.present
    assert (domain.n_images, domain.n_undecodable, domain.classes) == (12, 0, ("cat", "dog"))
    assert {split: sum(each.values()) for split, each in domain.counts.items()} == {
        "train": 8,
        "val": 2,
        "test": 2,
    }


def test_an_image_that_cannot_be_decoded_is_a_row_with_its_reason(target: Path) -> None:
    (target / "cat" / "00.png").write_bytes((target / "cat" / "0.png").read_bytes()[:200])
    rows, domain = run(target)
    broken = next(row for row in rows if row.path == "cat/00.png")
    assert (broken.row, broken.width, broken.format) == (-1, 0, "")
    assert broken.error.startswith("want a whole image, got: ")
    assert len(broken.sha256) == 64
    assert sorted(row.row for row in rows) == [-1, *range(12)]
    assert len(catalogue.open_images(target.parent / "store/images.npy")) == 12
    assert (domain.n_images, domain.n_undecodable) == (12, 1)


def test_a_file_whose_bytes_cannot_be_read_is_a_row_with_its_reason(target: Path) -> None:
    (target / "cat" / "gone.png").symlink_to(target / "nowhere")
    broken = next(row for row in run(target).rows if row.path == "cat/gone.png")
    assert (broken.row, broken.sha256, broken.n_bytes) == (-1, "", 0)
    assert broken.error.startswith("want a readable file, got: No such file")


def test_equal_images_never_stand_in_two_splits(target: Path) -> None:
    for number in range(6):
        (target / "cat" / f"copy{number}.png").write_bytes((target / "cat" / f"{number}.png").read_bytes())
    rows = run(target).rows
    for number in range(6):
        splits = {row.split for row in rows if row.path in (f"cat/{number}.png", f"cat/copy{number}.png")}
        assert len(splits) == 1


def test_no_files_give_an_empty_store_and_an_absent_domain(tmp_path: Path) -> None:
    rows, domain = prepare(tmp_path / "source", (), tmp_path / "source.npy", tmp_path / "shards", SETTINGS)
    assert rows == ()
    assert (domain.present, domain.n_images, domain.classes) == (False, 0, ())
    assert catalogue.open_images(tmp_path / "source.npy").shape == (0, 16, 16, 3)


def test_too_few_readable_images_are_an_error_that_names_class_and_file_and_leave_nothing(
    target: Path,
) -> None:
    for number in range(4):
        (target / "dog" / f"{number}.png").write_bytes(b"broken")
    with pytest.raises(
        ValueError,
        match=r"class dog: want at least 3 .+ got 2 \(4 cannot be read, such as dog/0\.png\)\. Add",
    ):
        run(target)
    assert not (target.parent / "store").exists()


def test_an_interrupt_leaves_nothing(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "assign_splits", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(target)
    assert not (target.parent / "store").exists()


def test_after_a_success_no_shards_are_left(target: Path) -> None:
    run(target)
    assert sorted(each.name for each in target.parent.iterdir()) == ["store", "target"]


def test_the_record_holds_the_hash_of_the_store_and_the_quarantine(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_NAMED", 2)
    for name in ("x.png", "y.png", "z.png"):
        (target / "cat" / name).touch()
    domain = run(target).domain
    assert domain.store_sha256 == hashlib.sha256((target.parent / "store/images.npy").read_bytes()).hexdigest()
    assert domain.n_undecodable == 3
    assert [each.path for each in domain.quarantine] == ["cat/x.png", "cat/y.png"]
    assert domain.quarantine[0].reason == "want an image, got an empty file. Copy it again, or delete it."


def test_near_duplicates_and_the_users_groups_stay_together(target: Path) -> None:
    by_digit = PrepareData(dataset="folders", group_pattern=r"(\d)\.png", group_file=None, near_duplicate_bits=None)
    rows = run(target, SETTINGS._replace(params=by_digit)).rows
    for number in range(6):
        assert len({row.split for row in rows if row.path.endswith(f"{number}.png")}) == 1


def test_every_planted_fault_is_read_rightly_or_refused_with_its_reason(target: Path) -> None:
    (target / "cat/text.jpg").write_text("no image")
    (target / "cat/zero.png").touch()
    (target / "cat/gone.png").symlink_to("nowhere.png")
    os.mkfifo(target / "cat/pipe.png")
    draw(target / "cat/a b\nc\rd \u306d\u3053.png", 7)
    draw(target / "cat/deep/er/1.png", 8)
    draw(target / "cat/one.png", 9)
    Image.new("RGB", (1, 1)).save(target / "cat/one.png")
    draw(target.parent / "elsewhere/1.png", 10)
    (target / "cat/linked.png").symlink_to(target.parent / "elsewhere/1.png")
    write_catalog(run(target).rows, target.parent / "catalog.csv")
    rows = {row.path: row for row in read_catalog(target.parent / "catalog.csv")}
    refused = {path for path, row in rows.items() if row.row < 0}
    assert refused == {"cat/text.jpg", "cat/zero.png", "cat/gone.png", "cat/pipe.png"}
    assert all(rows[path].error.startswith("want ") for path in refused)
    assert {"cat/a b\nc\rd \u306d\u3053.png", "cat/deep/er/1.png", "cat/one.png", "cat/linked.png"} <= set(rows)


def test_twice_the_same_gives_the_same_bytes(target: Path) -> None:
    first = run(target), (target.parent / "store/images.npy").read_bytes()
    assert (run(target), (target.parent / "store/images.npy").read_bytes()) == first


def test_the_hash_of_a_domain_tells_content_from_content(target: Path) -> None:
    before = run(target).domain.sha256
    assert before == run(target).domain.sha256
    draw(target / "cat" / "0.png", 999)
    assert before != run(target).domain.sha256


def test_a_log_stays_quiet(target: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(target)
    assert capfd.readouterr() == ("", "")


HOSTILE = "=1+1\x1b[2J\nwarning: b\u202e"


def test_hostile_names_come_back_from_catalogue_and_record_and_are_harmless_there(target: Path) -> None:
    draw(target / "dog" / f"{HOSTILE}.png", 7)
    (target / "cat").rename(target / HOSTILE)
    rows, domain = run(target)
    assert domain.classes == (HOSTILE, "dog")
    write_catalog(rows, target.parent / "catalog.csv")
    assert read_catalog(target.parent / "catalog.csv") == rows
    with (target.parent / "catalog.csv").open(newline="", encoding="utf-8") as file:
        assert not any(cell.startswith("=") for line in csv.reader(file) for cell in line)
    assert not UNSEEN.search(to_json(domain).replace("\n", ""))


def test_a_class_with_a_hostile_name_is_refused_on_one_line(target: Path) -> None:
    (target / "cat").rename(target / HOSTILE)
    for number in range(5):
        (target / HOSTILE / f"{number}.png").write_bytes(b"no image")
    (target / HOSTILE / "0.png").rename(target / HOSTILE / f"{HOSTILE}.png")
    with pytest.raises(ValueError, match=r"=1\+1\\x1b\[2J\\nwarning: b\\u202e: want at least 3") as caught:
        run(target)
    assert not UNSEEN.search(str(caught.value))


def deepen(target: Path, highest: int) -> None:
    """Replace all images by 16-bit grey files with this largest value."""
    for number, path in enumerate(sorted(target.rglob("*.png"))):
        values = np.random.default_rng(number).integers(0, highest + 1, (20, 24), dtype=np.uint16)
        values[0, 0] = highest
        Image.fromarray(values).save(path)


def test_12_bit_pictures_use_all_grey_levels_and_the_record_says_so(target: Path) -> None:
    deepen(target, 4000)
    rows, domain = run(target)
    assert domain.value_bits == 12
    assert catalogue.open_images(target.parent / "store/images.npy").max() > 200
    content = (target / rows[0].path).read_bytes()
    want = fit(decode.decode(content, "a", value_bits=12), SMALL)
    np.testing.assert_array_equal(catalogue.open_images(target.parent / "store/images.npy")[rows[0].row], want)


def test_without_files_of_16_bits_the_record_names_no_bits(target: Path) -> None:
    assert run(target).domain.value_bits is None


def test_an_ambiguous_range_is_refused_before_anything_is_written_and_params_settle_it(target: Path) -> None:
    deepen(target, 1500)
    with pytest.raises(ValueError, match=r"Set images\.value_bits"):
        run(target)
    assert sorted(each.name for each in target.parent.iterdir()) == ["target"]
    settled = SETTINGS._replace(preprocessing=SMALL.model_copy(update={"value_bits": 12}))
    assert run(target, settled).domain.value_bits == 12


def test_a_file_over_the_limit_of_pixels_is_a_row_with_its_reason(target: Path) -> None:
    small = SETTINGS._replace(preprocessing=SMALL.model_copy(update={"max_pixels": 500}))
    draw(target / "cat/large.png", 99, side=22)
    broken = [row for row in run(target, small).rows if row.row < 0]
    assert [row.path for row in broken] == ["cat/large.png"]
    assert "26 x 22 pixels, more than the limit of" in broken[0].error


def flat(target: Path, columns: str = "path,label", more: str = "") -> Path:
    """The same images without class folders, and with a table of labels."""
    rows = [f"{label}{number}.png,{label}{more.format(number)}\n" for label in ("cat", "dog") for number in range(6)]
    for label in ("cat", "dog"):
        for number in range(6):
            (target / label / f"{number}.png").rename(target / f"{label}{number}.png")
        (target / label).rmdir()
    (target / "labels.csv").write_text(f"{columns}\n" + "".join(rows))
    return target


def test_a_table_gives_the_same_images_labels_and_splits_as_class_folders(target: Path) -> None:
    in_folders, (rows, domain) = run(target), run(flat(target))

    def known(rows: Sequence[CatalogRow]) -> set[tuple[str, ...]]:
        return {(row.sha256, row.label, row.split, row.group, row.phash) for row in rows}

    assert known(rows) == known(in_folders.rows)
    assert (domain.counts, domain.classes) == (in_folders.domain.counts, in_folders.domain.classes)
    assert (domain.left_out, domain.table_doubts) == ((), ())


def test_splits_and_groups_of_a_table_are_in_the_catalogue(target: Path) -> None:
    folder = flat(target, "path,label,group", ",p{0}")
    rows = run(folder).rows
    assert {row.path: row.group for row in rows}["dog4.png"] == "p4"
    assert len({(row.group, row.split) for row in rows}) == 6


def test_images_without_a_label_and_doubtful_columns_are_in_the_record(target: Path) -> None:
    folder = flat(target, "path,label,patient", ",p{0}")
    draw(folder / "deep" / "late.png", 99)
    domain = run(folder).domain
    assert [(left.kind, left.paths) for left in domain.left_out] == [("unlabelled", ("deep/late.png",))]
    assert [doubt.split(" looks")[0] for doubt in domain.table_doubts] == ["column 'patient'"]
    assert domain.n_images == 12


def test_groups_of_a_table_leave_no_doubt_about_another_column(target: Path) -> None:
    assert run(flat(target, "path,label,group,patient", ",p{0},p{0}")).domain.table_doubts == ()


@pytest.mark.parametrize("key", ["group_pattern", "group_file"])
def test_groups_that_params_name_leave_no_doubt_about_a_column(target: Path, key: str) -> None:
    folder = flat(target, "path,label,patient", ",p{0}")
    (folder / "groups.csv").write_text((folder / "labels.csv").read_text().replace("patient", "group"))
    chosen = {"group_pattern": "([0-9])", "group_file": "groups.csv"}[key]
    settings = SETTINGS._replace(params=SETTINGS.params.model_copy(update={key: chosen}))
    assert run(folder, settings).domain.table_doubts == ()


def test_groups_of_table_and_params_are_refused_before_an_image_is_read(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = flat(target, "path,label,group", ",p{0}")
    settings = SETTINGS._replace(params=SETTINGS.params.model_copy(update={"group_pattern": "([0-9])"}))
    monkeypatch.delattr(room, "assemble")
    with pytest.raises(ValueError, match=r"want no column group where params\.yaml sets prepare_data\.group_pattern"):
        run(folder, settings)


def test_what_is_left_out_is_counted_in_the_record(target: Path) -> None:
    draw(target / "cat/@eaDir/0.png/thumb.png", 1)
    (left,) = run(target).domain.left_out
    assert (left.kind, left.n_files, left.paths) == ("system_folder", 1, ("cat/@eaDir",))
