import csv
from pathlib import Path
from typing import Any

import pandas as pd
from tests.validation.samples import domain, domains, row

from graft.params.data import ValidateData
from graft.validation.failing import COLUMNS, Failing, failing, write_failing
from graft.validation.pair_table import pair_table
from graft.validation.rules import Rule, class_rules, image_rules, split_rules
from graft.validation.table import class_table, image_table

LIMITS = ValidateData(
    min_images_per_class=1, min_side_px=8, classes=None, on_undecodable="fail", on_near_duplicates="fail"
)
RULES = {rule.column: rule for rule in (*image_rules(LIMITS), *class_rules(LIMITS), *split_rules())}


def of(column: str, table: pd.DataFrame) -> list[Failing]:
    """The rows of a table that break the rule on a column."""
    rule = RULES[column]
    values = table[column]
    broken = (values < rule.least) if rule.least is not None else (values > rule.most)
    return failing(rule, table[broken])


def test_each_file_has_a_line_with_its_place_and_its_value() -> None:
    images = image_table([], [row(f"train/cat/{n}", width=7 - n) for n in range(2)] + [row("val/dog/x")])
    assert of("min_side", images) == [
        Failing(
            "images of under 8 px on the smaller side", "warning", "target", f"train/cat/{n}", "cat", "train", 7 - n,
            "", f"target/train/cat/{n}",
        )
        for n in range(2)
    ]  # fmt: skip


def test_all_files_are_listed_although_the_record_names_ten() -> None:
    images = image_table([], [row(f"train/cat/{n:03}", error="cut off") for n in range(300)])
    found = of("readable", images)
    assert [each.path for each in found] == [f"train/cat/{n:03}" for n in range(300)]
    assert found[0].note == "target/train/cat/000 (cut off)"


def test_equal_files_are_listed_with_one_in_the_other_split() -> None:
    rows = [row("test/cat/a", "same"), row("test/cat/b", "same"), row("train/cat/c", "same"), row("val/cat/d", "same")]
    found = {each.path: (each.other, each.value) for each in of("splits_of_image", image_table([], rows))}
    assert found == {
        "test/cat/a": ("target/train/cat/c", 3),
        "test/cat/b": ("target/train/cat/c", 3),
        "train/cat/c": ("target/test/cat/a", 3),
        "val/cat/d": ("target/test/cat/a", 3),
    }


def test_near_duplicates_are_listed_with_both_files() -> None:
    same = domain("target", [row("train/cat/x", "x"), row("test/dog/y", "y"), row("val/cat/z", "z")])
    seen = same._replace(images=same.images[[0, 0, 2]], rows=_alike(same.rows))
    table = pair_table(domains(domain("source", []), seen), 4)
    rule = Rule("near", "critical", "in_two_splits", None, 0, "")
    (found,) = failing(rule, table[table["in_two_splits"] > 0])
    assert (found.domain, found.path, found.label, found.split) == ("target", "train/cat/x", "cat", "train")
    assert found.other == "target/test/dog/y"


def _alike(rows: Any) -> Any:
    return (rows[0], rows[1]._replace(phash=rows[0].phash), rows[2])


def test_a_class_has_no_path() -> None:
    images = image_table([], [row("train/cat/a"), row("val/cat/b"), row("test/cat/c"), row("train/dog/d")])
    (found,) = of("fewest", class_table(images, None))
    assert (found.domain, found.path, found.label, found.split) == ("target", "", "dog", "")
    assert found.note == "target/dog (none in val and test)"


def test_a_row_that_is_not_about_a_file_has_only_its_note() -> None:
    table = pd.DataFrame({"name": ["target/test (4 of 100 images)"], "small_share": [0.04]})
    (found,) = of("small_share", table)
    assert found[2:] == ("", "", "", "", 0.04, "", "target/test (4 of 100 images)")


def test_the_file_keeps_names_and_disarms_formulas(tmp_path: Path) -> None:
    one = Failing("faults", "warning", "target", 'a/=1+1,\n".png', "-x", "train", -0.123456789, "", "b")
    write_failing([one], tmp_path / "failing.csv")
    write_failing([one], tmp_path / "again.csv")
    with (tmp_path / "failing.csv").open(newline="", encoding="utf-8") as file:
        header, line = csv.reader(file)
    assert tuple(header) == COLUMNS
    assert line[3:7] == ['a/=1+1,\n".png', "'-x", "train", "-0.123456789"]
    assert (tmp_path / "failing.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()


def test_if_nothing_fails_there_is_only_the_header(tmp_path: Path) -> None:
    write_failing([], tmp_path / "failing.csv")
    assert (tmp_path / "failing.csv").read_text().splitlines() == [",".join(COLUMNS)]
