import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.examples import catalog_row

from graft.images.fingerprint import phash
from graft.params.data import PrepareData
from graft.preparation.found import Found
from graft.preparation.image_groups import grouped, table_groups
from graft.store.catalogue import CatalogRow

PARAMS = {"dataset": "folders", "group_pattern": None, "group_file": None, "near_duplicate_bits": None}
PATIENT = r"(p\d+)"


def params(**changes: Any) -> PrepareData:
    return PrepareData.model_validate({**PARAMS, **changes})


def rows_of(*paths: str, **changes: Any) -> list[CatalogRow]:
    return [catalog_row(path, row=place, **changes) for place, path in enumerate(paths)]


def groups(rows: Sequence[CatalogRow], folder: Path = Path("target"), **changes: Any) -> list[str]:
    images = np.zeros((len(rows), 16, 16, 3), dtype=np.uint8)
    return [row.group for row in grouped(rows, images, params(**changes), folder, {})]


def sha(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()


def with_file(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "groups.csv").write_text(text)
    return folder


def blobs(seed: int) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize((32, 32), Image.Resampling.BILINEAR))


def test_an_image_on_its_own_is_a_group_named_by_its_hash() -> None:
    assert groups(rows_of("cat/0.png", "cat/1.png")) == [sha("cat/0.png"), sha("cat/1.png")]


def test_images_with_equal_matches_are_one_group_in_any_class() -> None:
    rows = rows_of("cat/p1_0.png", "dog/p1_1.png", "dog/p2_0.png")
    assert groups(rows, group_pattern=PATIENT) == ["p1", "p1", "p2"]


def test_exact_copies_are_one_group_named_by_their_hash() -> None:
    rows = rows_of("cat/0.png", "cat/1.png", sha256="5" * 64)
    assert groups(rows) == ["5" * 64] * 2


def test_copies_join_user_groups_under_the_first_name() -> None:
    rows = rows_of("cat/p2_0.png", "cat/p1_0.png", "cat/p2_1.png", "cat/p3_0.png")
    rows[1] = rows[1]._replace(sha256=rows[0].sha256)
    assert groups(rows, group_pattern=PATIENT) == ["p1", "p1", "p1", "p3"]


def test_near_duplicates_are_one_group_named_by_the_smallest_hash() -> None:
    image, other = blobs(0), blobs(1)
    images = np.stack([image, other, np.clip(image + 3.0, 0, 255).astype(np.uint8)])
    rows = [catalog_row(f"cat/{place}.png", row=place, phash=phash(images[place])) for place in range(3)]
    found = [row.group for row in grouped(rows, images, params(near_duplicate_bits=4), Path("target"), {})]
    assert found == [min(rows[0].sha256, rows[2].sha256), rows[1].sha256, found[0]]
    assert [row.group for row in grouped(rows, images, params(), Path("target"), {})] == [row.sha256 for row in rows]


@pytest.mark.parametrize("how", ["exact", "near"])
def test_copies_in_two_named_splits_do_not_join_groups(how: str) -> None:
    """validate_data finds the copies; a user group must not seem to be in two splits."""
    images = np.stack([blobs(0), blobs(0)])
    rows = [
        catalog_row(f"{split}/cat/{name}.png", split=split, row=place, phash=phash(images[0]))
        for place, (split, name) in enumerate([("train", "p1"), ("test", "p2")])
    ]
    if how == "exact":
        rows[1] = rows[1]._replace(sha256=rows[0].sha256)
    found = grouped(rows, images, params(group_pattern=PATIENT, near_duplicate_bits=4), Path("target"), {})
    assert [row.group for row in found] == ["p1", "p2"]


def test_a_user_group_in_two_named_splits_stays_one() -> None:
    rows = [catalog_row("train/cat/p1.png", split="train", row=0), catalog_row("test/cat/p1.png", split="test", row=1)]
    assert groups(rows, group_pattern=PATIENT) == ["p1", "p1"]


def test_a_chain_of_copies_and_groups_is_one_group() -> None:
    rows = rows_of(*(f"cat/p{number}_{copy}.png" for number in range(9) for copy in (0, 1)))
    chained = [
        row._replace(sha256=rows[place + 1].sha256) if place % 2 and place < 17 else row
        for place, row in enumerate(rows)
    ]
    assert set(groups(chained, group_pattern=PATIENT)) == {"p0"}


def test_the_row_of_an_unreadable_image_stays_as_it_is() -> None:
    rows = [*rows_of("cat/p1_0.png"), catalog_row("cat/broken.png", error="truncated", group="as it was")]
    assert groups(rows, group_pattern=PATIENT) == ["p1", "as it was"]


def test_no_images_have_no_groups() -> None:
    assert groups([], group_pattern=PATIENT, near_duplicate_bits=4) == []
    assert groups([], group_file="groups.csv") == []


@pytest.mark.parametrize("pattern", [PATIENT, r"cat/(p\d+)?", r"cat/(p?)"])
def test_images_without_a_match_are_refused_by_name(pattern: str) -> None:
    rows = rows_of("cat/p1.png", *(f"cat/P{number}.png" for number in range(4)))
    with pytest.raises(
        ValueError, match=r"target: want a match of .+, got none in 4 of them: 'cat/P0\.png', .+, \.\.\.\. Widen"
    ):
        groups(rows, group_pattern=pattern)


def test_a_source_without_any_match_has_no_groups_but_one_with_some_is_refused() -> None:
    alone = rows_of("cat/a.png", "cat/b.png")
    assert groups(alone, Path("source"), group_pattern=PATIENT) == [row.sha256 for row in alone]
    with pytest.raises(ValueError, match=r"got none in 1 of them: 'cat/a\.png'\."):
        groups(rows_of("cat/a.png", "cat/p1.png"), Path("source"), group_pattern=PATIENT)


def test_a_table_of_labels_names_groups() -> None:
    rows = rows_of("0.png", "1.png", "2.png")
    of_table = {"0.png": "x", "1.png": "y", "2.png": "x"}
    found = grouped(rows, np.zeros((3, 16, 16, 3), dtype=np.uint8), params(), Path("target"), of_table)
    assert [row.group for row in found] == ["x", "y", "x"]


def test_the_groups_of_a_table_are_those_of_its_rows_or_none() -> None:
    found = [Found("0.png", "cat", None, "x"), Found("1.png", "cat", None, "y")]
    assert table_groups(found, params(), Path("target")) == {"0.png": "x", "1.png": "y"}
    alone = [each._replace(group=None) for each in found]
    assert table_groups(alone, params(group_pattern=PATIENT), Path("target")) == {}


@pytest.mark.parametrize(("key", "value"), [("group_pattern", PATIENT), ("group_file", "groups.csv")])
def test_groups_in_both_table_and_params_are_an_error(key: str, value: str) -> None:
    sentence = rf"target/labels\.csv: want no column group where params\.yaml sets prepare_data\.{key}, got both\. Set"
    with pytest.raises(ValueError, match=sentence):
        table_groups([Found("0.png", "cat", None, "x")], params(**{key: value}), Path("target"))


def test_a_group_file_names_the_groups(tmp_path: Path) -> None:
    folder = with_file(tmp_path / "target", "\ufeffgroup,path,note\nx,cat/1.png,\ny,cat/0.png,late\nx,cat/2.png,\n")
    assert groups(rows_of("cat/0.png", "cat/1.png", "cat/2.png"), folder, group_file="groups.csv") == ["y", "x", "x"]


def test_a_group_file_may_be_written_as_other_programs_write_it(tmp_path: Path) -> None:
    folder = with_file(tmp_path / "target", "Path;Group\r\ncat\\0.png; x\r\ntarget/cat/1.png;y\r\n")
    assert groups(rows_of("cat/0.png", "cat/1.png"), folder, group_file="groups.csv") == ["x", "y"]


def test_a_group_file_may_name_or_leave_out_unreadable_files(tmp_path: Path) -> None:
    folder = with_file(tmp_path / "target", "path,group\ncat/0.png,x\ncat/b.png,x\n")
    broken = [catalog_row(f"cat/{name}.png", error="truncated", group="as it was") for name in "bc"]
    assert groups([*rows_of("cat/0.png"), *broken], folder, group_file="groups.csv") == ["x", "as it was", "as it was"]


def test_the_target_needs_its_group_file_and_the_source_does_not(tmp_path: Path) -> None:
    rows = rows_of("cat/0.png")
    with pytest.raises(FileNotFoundError, match=r"target/groups\.csv: want a CSV .+, got no file\. Put it there"):
        groups(rows, tmp_path / "target", group_file="groups.csv")
    assert groups(rows, tmp_path / "source", group_file="groups.csv") == [rows[0].sha256]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"want the columns path,group, got an empty file\. Name them"),
        ("path;patient\ncat/0.png;x\n", r"want the columns path,group, got path,patient\. Name them"),
        ("path,group\ncat/0.png,x\ncat/1.png,x\ncat/9.png,x\n", r"want paths of images .+ 1 of them: 'cat/9\.png'\."),
        ("path,group\ncat/0.png,x\n", r"want a group for every image, .+ 1 of them: 'cat/1\.png'\. Add them"),
        ("path,group\ncat/0.png,x\ncat/1.png,\n", r"want a group for every image, .+ 1 of them: 'cat/1\.png'\."),
        ("path,group\ncat/0.png,x\ncat/1.png\n", r"want a group for every image, .+ 1 of them: 'cat/1\.png'\."),
        ("path,group\ncat/0.png,x\ncat/1.png,x\ncat/0.png,y\n", r"want every path once, .+ 1 of them: 'cat/0\.png'\."),
    ],
)
def test_an_invalid_group_file_is_an_error(tmp_path: Path, text: str, sentence: str) -> None:
    folder = with_file(tmp_path / "target", text)
    with pytest.raises(ValueError, match=r"target/groups\.csv: " + sentence):
        groups(rows_of("cat/0.png", "cat/1.png"), folder, group_file="groups.csv")


def test_a_group_file_of_other_bytes_is_an_error(tmp_path: Path) -> None:
    folder = with_file(tmp_path / "target", "")
    (folder / "groups.csv").write_bytes("path,group\ncat/0.png,é\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"groups\.csv: want a CSV in UTF-8, got .+ Save it again"):
        groups(rows_of("cat/0.png"), folder, group_file="groups.csv")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"group_pattern": "(p"}, r"want a regular expression, got '\(p' \(.+\)\. Put parentheses"),
        ({"group_pattern": r"p\d"}, r"want one pair of parentheses, got 0 in 'p\\\\d'\. Put"),
        ({"group_pattern": r"(p)(\d)"}, r"want one pair of parentheses, got 2 in"),
        (
            {"group_pattern": "(p)", "group_file": "g.csv"},
            r"want group_pattern or group_file, got '\(p\)' and 'g\.csv'",
        ),
    ],
)
def test_an_invalid_pattern_is_refused_before_anything_is_read(changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        params(**changes)


def test_a_group_file_may_write_accents_in_another_encoding_than_the_disk(tmp_path: Path) -> None:
    folder = with_file(tmp_path / "target", "path,group\ncaf\u00e9/0.png,\u00e9\ncat/e\u0301.png,e\u0301\n")
    assert groups(rows_of("cafe\u0301/0.png", "cat/\u00e9.png"), folder, group_file="groups.csv") == ["\u00e9"] * 2


def test_a_pattern_may_write_accents_in_another_encoding_than_the_disk() -> None:
    assert groups(rows_of("cat/cafe\u0301_1.png"), group_pattern="(caf\u00e9_[0-9])") == ["caf\u00e9_1"]


def test_near_duplicates_that_connect_too_much_of_a_class_join_only_equal_files() -> None:
    images = np.stack([np.clip(blobs(0) + shade, 0, 255).astype(np.uint8) for shade in (0.0, *range(11))])
    rows = [catalog_row(f"cat/{place}.png", row=place, phash=phash(images[place])) for place in range(12)]
    rows[1] = rows[1]._replace(sha256=rows[0].sha256)
    found = [row.group for row in grouped(rows, images, params(near_duplicate_bits=4), Path("target"), {})]
    assert found == [row.sha256 for row in rows]
