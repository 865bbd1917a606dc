from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.validation.samples import GREY_WEIGHTS, domain, domains, noise, params, row

from graft.records.validation import Finding, ValidationRecord
from graft.store.catalogue import CatalogRow
from graft.validation.domains import Domains
from graft.validation.expectations import critical_sentences, validate, warning_sentences
from graft.validation.overlap import near_overlap_rules, overlap_rules
from graft.validation.rules import (
    class_rules,
    image_rules,
    left_rules,
    look_rules,
    pair_rules,
    split_rules,
    store_rules,
)

pytestmark = pytest.mark.usefixtures("by_limits")

SOUND = [
    row(f"{split}/{label}/{n}") for split in ("train", "val", "test") for label in ("cat", "dog") for n in range(2)
]
SOURCE = [row(each.path, f"source {each.path}") for each in SOUND]


def check(
    target: list[CatalogRow],
    docs: Path,
    source: list[CatalogRow] | None = None,
    limits: Any = None,
    unlabelled: list[CatalogRow] | None = None,
    **pictures: Any,
) -> ValidationRecord:
    others = domain("source", source or [], **pictures), domain("unlabeled", unlabelled or [], **pictures)
    opened = Domains(others[0], domain("target", target, **pictures), others[1])
    return validate(opened, GREY_WEIGHTS, params(**(limits or {})), docs).record


def failed(record: ValidationRecord) -> Finding:
    """The one finding that is not ok."""
    (finding,) = (each for each in record.findings if not each.ok)
    return finding


def test_sound_data_have_no_finding(tmp_path: Path) -> None:
    record = check(SOUND, tmp_path, SOURCE)
    assert record.ok
    assert all(each.ok and each.examples == () and each.advice for each in record.findings)
    assert len({each.name for each in record.findings}) == len(record.findings) == 40
    assert critical_sentences(record) == []


def test_an_unreadable_image_is_critical_and_named_with_its_reason(tmp_path: Path) -> None:
    record = check([*SOUND, row("train/cat/x", error="truncated")], tmp_path)
    assert (failed(record).severity, failed(record).n_unexpected) == ("critical", 1)
    assert failed(record).examples == ("target/train/cat/x (truncated)",)
    assert not record.ok


def test_in_quarantine_an_unreadable_image_is_a_warning_and_still_named(tmp_path: Path) -> None:
    rows = [*SOUND, row("train/cat/x", error="truncated")]
    record = check(rows, tmp_path, limits={"on_undecodable": "quarantine"})
    assert (failed(record).severity, failed(record).examples) == ("warning", ("target/train/cat/x (truncated)",))
    assert record.ok


def test_a_small_image_is_a_warning(tmp_path: Path) -> None:
    record = check([*SOUND, row("train/cat/x", width=7), row("train/cat/y", width=8)], tmp_path)
    assert (failed(record).severity, failed(record).examples) == ("warning", ("target/train/cat/x",))
    assert record.ok


def test_equal_images_in_two_splits_are_critical_and_both_are_named(tmp_path: Path) -> None:
    record = check([*SOUND, row("test/cat/x", "same"), row("train/cat/y", "same")], tmp_path)
    assert failed(record).name == "images in two splits"
    assert failed(record).severity == "critical"
    assert failed(record).examples == ("target/test/cat/x = target/train/cat/y",)
    assert critical_sentences(record) == [
        "images: want no images in two splits, got 2: target/test/cat/x = target/train/cat/y. "
        "These files are equal: keep each image in one split, or results on test are too good."
    ]


def test_equal_images_under_two_classes_are_critical(tmp_path: Path) -> None:
    record = check([*SOUND, row("train/cat/x", "same"), row("train/dog/y", "same")], tmp_path)
    names = {each.name: each for each in record.findings if not each.ok}
    assert names["images under two classes"].severity == "critical"
    assert names["images under two classes"].examples == ("target/train/cat/x = target/train/dog/y",)


def test_a_group_in_two_splits_is_critical(tmp_path: Path) -> None:
    record = check([*SOUND, row("train/cat/x", group="patient 7"), row("val/dog/y", group="patient 7")], tmp_path)
    assert (failed(record).name, failed(record).severity) == ("groups in two splits", "critical")
    assert failed(record).examples == ("target/patient 7: target/train/cat/x and target/val/dog/y",)


def test_equal_images_in_one_split_are_a_warning(tmp_path: Path) -> None:
    record = check([*SOUND, row("train/cat/x", "same"), row("train/cat/y", "same")], tmp_path)
    assert (failed(record).name, failed(record).severity) == ("images twice in one split", "warning")
    assert failed(record).examples == ("target/train/cat/x = target/train/cat/y",)


def test_a_test_image_in_the_source_is_critical_and_both_are_named(tmp_path: Path) -> None:
    record = check([*SOUND, row("test/cat/x", "same")], tmp_path, [*SOURCE, row("train/dog/y", "same")])
    assert (failed(record).name, failed(record).severity) == ("test images of the target in the source", "critical")
    assert failed(record).examples == ("source/train/dog/y = target/test/cat/x",)


def test_names_that_differ_only_in_case_are_a_warning(tmp_path: Path) -> None:
    record = check([*SOUND, row("train/cat/x.jpg"), row("train/cat/X.JPG")], tmp_path)
    assert (failed(record).name, failed(record).severity) == (
        "files whose names differ only in case",
        "warning",
    )
    assert failed(record).examples == ("target/train/cat/X.JPG = target/train/cat/x.jpg",)


PICTURE = noise("00000000000a")
SAVED_AGAIN = np.clip(PICTURE.astype(np.int16) + 3, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("on_near_duplicates", "severity"), [("fail", "critical"), ("warn", "warning")])
def test_params_decide_how_severe_near_duplicates_in_two_splits_are(
    tmp_path: Path, on_near_duplicates: str, severity: str
) -> None:
    rows = [*SOUND, row("test/cat/x"), row("train/cat/y")]
    limits = {"on_near_duplicates": on_near_duplicates}
    record = check(rows, tmp_path, limits=limits, x=PICTURE, y=SAVED_AGAIN)
    assert (failed(record).name, failed(record).severity) == ("near duplicates in two splits", severity)
    assert failed(record).examples == ("target/test/cat/x ~ target/train/cat/y",)


def test_near_duplicates_in_a_split_are_a_warning(tmp_path: Path) -> None:
    record = check([*SOUND, row("val/cat/x"), row("val/cat/y")], tmp_path, x=PICTURE, y=SAVED_AGAIN)
    assert (failed(record).name, failed(record).severity) == ("near duplicates in one split", "warning")


def test_near_duplicates_under_two_classes_are_a_warning_and_both_are_named(tmp_path: Path) -> None:
    record = check([*SOUND, row("val/cat/x"), row("val/dog/y")], tmp_path, x=PICTURE, y=SAVED_AGAIN)
    broken = {each.name: each for each in record.findings if not each.ok}
    assert broken["near duplicates under two classes"].severity == "warning"
    assert broken["near duplicates under two classes"].examples == ("target/val/cat/x ~ target/val/dog/y",)


def test_a_near_duplicate_of_a_test_image_in_the_source_is_critical_and_both_are_named(tmp_path: Path) -> None:
    target, source = [*SOUND, row("test/cat/x")], [*SOURCE, row("val/dog/y")]
    record = check(target, tmp_path, source, x=PICTURE, y=SAVED_AGAIN)
    assert failed(record).name == "near duplicates of test images of the target in the source"
    assert (failed(record).severity, failed(record).examples) == (
        "critical",
        ("source/val/dog/y ~ target/test/cat/x",),
    )


def test_a_warning_names_two_files(tmp_path: Path) -> None:
    record = check([*SOUND, *(row(f"train/cat/x{n}", width=7) for n in range(3))], tmp_path)
    assert critical_sentences(record) == []
    assert warning_sentences(record) == [
        "warning: images of under 8 px on the smaller side (3): target/train/cat/x0; "
        "target/train/cat/x1; .... Replace them by larger ones, or lower validate_data.min_side_px."
    ]


def test_a_near_duplicate_of_a_train_image_in_the_source_is_not_a_fault(tmp_path: Path) -> None:
    target, source = [*SOUND, row("train/cat/x")], [*SOURCE, row("val/dog/y")]
    assert check(target, tmp_path, source, x=PICTURE, y=SAVED_AGAIN).ok


def test_near_duplicates_within_the_source_do_not_count_as_test_images(tmp_path: Path) -> None:
    record = check(SOUND, tmp_path, [*SOURCE, row("val/dog/x"), row("val/dog/y")], x=PICTURE, y=SAVED_AGAIN)
    assert failed(record).name == "near duplicates in one split"
    assert failed(record).examples == ("source/val/dog/x ~ source/val/dog/y",)


UNLABELLED = [row(f"day1/{n}/x{n}", label="", split="train") for n in range(4)]


def test_sound_unlabelled_images_have_no_finding(tmp_path: Path) -> None:
    assert all(each.ok for each in check(SOUND, tmp_path, SOURCE, unlabelled=UNLABELLED).findings)


def test_an_unreadable_unlabelled_image_is_critical_and_a_small_one_is_named(tmp_path: Path) -> None:
    broken = row("a/b/c", label="", split="train", error="cut off")
    record = check(SOUND, tmp_path, unlabelled=[*UNLABELLED, broken])
    assert (failed(record).name, failed(record).severity) == ("unreadable images", "critical")
    assert failed(record).examples == ("unlabeled/a/b/c (cut off)",)
    small = row("a/b/c", label="", split="train", width=3)
    record = check(SOUND, tmp_path, unlabelled=[*UNLABELLED, small])
    assert (failed(record).severity, failed(record).examples) == ("warning", ("unlabeled/a/b/c",))


@pytest.mark.parametrize(
    ("labelled", "name", "severity"),
    [
        ("test/cat/0", "test images of the target among unlabelled images", "critical"),
        ("train/cat/0", "train or val images of the target among unlabelled images", "warning"),
        ("val/dog/1", "train or val images of the target among unlabelled images", "warning"),
    ],
)
def test_an_unlabelled_image_with_the_bytes_of_a_labelled_one_is_found(
    tmp_path: Path, labelled: str, name: str, severity: str
) -> None:
    record = check(SOUND, tmp_path, SOURCE, unlabelled=[*UNLABELLED, row("a/b/c", labelled, label="", split="train")])
    assert (failed(record).name, failed(record).severity) == (name, severity)
    assert failed(record).examples == (f"target/{labelled} = unlabeled/a/b/c",)


@pytest.mark.parametrize(("limit", "severity"), [("fail", "critical"), ("warn", "warning")])
def test_an_unlabelled_near_duplicate_of_a_test_image_is_as_severe_as_the_params_say(
    tmp_path: Path, limit: str, severity: str
) -> None:
    target, copy = [*SOUND, row("test/cat/x")], row("a/b/y", label="", split="train")
    limits = {"on_near_duplicates": limit}
    record = check(target, tmp_path, None, limits, [*UNLABELLED, copy], x=PICTURE, y=SAVED_AGAIN)
    assert failed(record).name == "near duplicates of test images of the target among unlabelled images"
    assert (failed(record).severity, failed(record).examples) == (severity, ("unlabeled/a/b/y ~ target/test/cat/x",))


def test_an_unlabelled_near_duplicate_of_a_train_image_is_only_said(tmp_path: Path) -> None:
    target, copy = [*SOUND, row("train/cat/x")], row("a/b/y", label="", split="train")
    record = check(target, tmp_path, unlabelled=[*UNLABELLED, copy], x=PICTURE, y=SAVED_AGAIN)
    assert failed(record).name == "near duplicates of train or val images of the target among unlabelled images"
    assert (record.ok, failed(record).severity) == (True, "warning")


def test_a_target_for_testing_alone_needs_no_train_images_but_its_source_does(tmp_path: Path) -> None:
    tested = [each for each in SOUND if each.path.startswith("test")]
    assert all(each.ok for each in check(tested, tmp_path, SOURCE, unlabelled=UNLABELLED).findings)
    few = [each for each in SOURCE if each.path != "train/dog/1"]
    record = check(tested, tmp_path, few, unlabelled=UNLABELLED)
    assert failed(record).name == "classes of under 2 readable train images"
    assert failed(record).examples == ("source/dog",)


def test_without_a_target_the_expected_classes_are_those_of_the_source(tmp_path: Path) -> None:
    assert check([], tmp_path, SOURCE, {"classes": ("cat", "dog")}, UNLABELLED).ok
    record = check([], tmp_path, SOURCE, {"classes": ("cat", "elk")}, UNLABELLED)
    assert failed(record).examples == ("source/dog (not expected)", "source/elk (expected, no such class)")


def test_near_duplicates_are_not_mentioned_if_they_are_not_looked_for(tmp_path: Path) -> None:
    given = params()
    not_looked = given.model_copy(
        update={"prepare_data": given.prepare_data.model_copy(update={"near_duplicate_bits": None})}
    )
    record = validate(domains(domain("source", []), domain("target", SOUND)), GREY_WEIGHTS, not_looked, tmp_path).record
    assert not any("near duplicate" in each.name for each in record.findings)


def test_a_class_without_readable_images_in_a_split_is_critical(tmp_path: Path) -> None:
    rows = [each for each in SOUND if not each.path.startswith("val/dog")]
    record = check(rows, tmp_path)
    assert (failed(record).name, failed(record).severity) == ("classes missing from a split", "critical")
    assert failed(record).examples == ("target/dog (none in val)",)


def test_a_class_of_the_source_without_images_in_a_split_is_critical_and_both_are_named(tmp_path: Path) -> None:
    source = [each for each in SOURCE if not each.path.startswith(("val/cat", "test/cat"))]
    record = check(SOUND, tmp_path, source)
    assert failed(record).examples == ("source/cat (none in val and test)",)
    assert critical_sentences(record)[0].startswith(
        "images: want no classes missing from a split, got 1: source/cat (none in val and test). Add readable images"
    )


def test_a_class_that_quarantine_removes_from_a_split_is_critical(tmp_path: Path) -> None:
    rows = [each._replace(error="cut off", row=-1) if each.path.startswith("test/dog") else each for each in SOUND]
    record = check(rows, tmp_path, limits={"on_undecodable": "quarantine"})
    assert not record.ok
    assert {each.name: each.examples for each in record.findings if not each.ok and each.severity == "critical"} == {
        "classes missing from a split": ("target/dog (none in test)",)
    }


def test_classes_that_are_not_the_expected_ones_are_critical_and_named(tmp_path: Path) -> None:
    record = check(SOUND, tmp_path, limits={"classes": ("cat", "elk")})
    assert failed(record).name == "classes that are not those of validate_data.classes"
    assert failed(record).severity == "critical"
    assert failed(record).examples == ("target/dog (not expected)", "target/elk (expected, no such class)")


def test_the_expected_classes_are_those_of_the_target_alone(tmp_path: Path) -> None:
    source = [row(each.path.replace("dog", "elk"), f"source {each.path}") for each in SOUND]
    assert check(SOUND, tmp_path, source, limits={"classes": ("dog", "cat")}).ok


def test_too_few_train_images_of_a_class_are_critical(tmp_path: Path) -> None:
    record = check([each for each in SOUND if each.path != "train/dog/1"], tmp_path)
    assert failed(record).name == "classes of under 2 readable train images"
    assert (failed(record).severity, failed(record).examples) == ("critical", ("target/dog",))


def test_a_class_ten_times_smaller_is_a_warning(tmp_path: Path) -> None:
    even = [row(f"train/cat/more {n}") for n in range(18)]
    assert check([*SOUND, *even], tmp_path).ok
    record = check([*SOUND, *even, row("train/cat/one more")], tmp_path)
    assert (failed(record).severity, failed(record).examples) == ("warning", ("target/dog",))


def test_a_changed_store_is_critical_and_its_pixels_are_not_read(tmp_path: Path) -> None:
    spoilt = domain("target", SOUND)._replace(images=np.zeros((0, 1, 1, 3), dtype=np.uint8), fault="t.npy: changed")
    record = validate(domains(domain("source", SOURCE), spoilt), GREY_WEIGHTS, params(), tmp_path).record
    assert (failed(record).name, failed(record).severity) == ("damaged image stores", "critical")
    assert failed(record).examples == ("t.npy: changed",)
    assert not any("can be told from" in each.name for each in record.findings)


def test_at_most_ten_files_are_named(tmp_path: Path) -> None:
    broken = [row(f"train/cat/x{n:02}", error="truncated") for n in range(13)]
    pairs = [row(f"{split}/cat/{n}p", f"same {n}") for n in range(8) for split in ("train", "test")]
    record = check([*SOUND, *broken, *pairs], tmp_path)
    unread, twice = (each for each in record.findings if not each.ok)
    assert (unread.n_unexpected, len(unread.examples)) == (13, 10)
    assert (twice.n_unexpected, len(twice.examples)) == (16, 5)
    assert all("; ..." in sentence for sentence in critical_sentences(record))


def test_a_name_with_a_newline_is_written_on_one_line(tmp_path: Path) -> None:
    record = check([*SOUND, row("train/cat/a\nb\x1b", error="truncated")], tmp_path)
    assert failed(record).examples == (r"target/train/cat/a\nb\x1b (truncated)",)


def test_a_name_in_another_script_is_written_as_it_is(tmp_path: Path) -> None:
    record = check([*SOUND, row("train/cat/кошка ё 猫", error="truncated")], tmp_path)
    assert failed(record).examples == ("target/train/cat/кошка ё 猫 (truncated)",)


def test_twice_the_same_gives_the_same_record(tmp_path: Path) -> None:
    rows = [*SOUND, row("test/cat/x", "same"), row("train/cat/y", "same")]
    assert check(rows, tmp_path) == check(rows, tmp_path)


def test_a_finding_is_named_by_its_fault(tmp_path: Path) -> None:
    limits = params(classes=("cat", "dog")).validate_data
    every = (
        store_rules(),
        image_rules(limits),
        overlap_rules(),
        near_overlap_rules(limits),
        left_rules(),
        pair_rules(limits),
        class_rules(limits),
        split_rules(),
        look_rules(),
    )
    names = [rule.name for rules in every for rule in rules]
    assert len(names) == len(set(names)) == 38
    for name in names:
        assert name.split()[0] not in {"no", "every", "at", "the"}, f"`no {name}` is what is wanted"


def test_advice_to_cut_new_splits_first_asks_what_a_split_is_for() -> None:
    anew = [rule for rule in split_rules() if "cut" in rule.advice]
    assert len(anew) == 2
    assert all("meant to come from elsewhere" in rule.advice.split("cut")[0] for rule in anew)


def test_a_group_with_a_newline_is_written_on_one_line(tmp_path: Path) -> None:
    spread = [row(f"{split}/cat/x", f"{split} x")._replace(group="p\n\x1b[2J") for split in ("train", "test")]
    assert failed(check([*SOUND, *spread], tmp_path)).examples[0].startswith(r"target/p\n\x1b[2J: ")


def test_names_that_suggest_groups_are_a_warning_with_the_line_to_paste(tmp_path: Path) -> None:
    rows = [
        row(f"{s}/{c}/patient{g}_{s}{n}") for s in ("train", "val", "test") for c in "ab" for g in "123" for n in "12"
    ]
    record = check(rows, tmp_path)
    found = failed(record)
    assert (found.name, found.severity) == ("names that look like frames, patients or sites without groups", "warning")
    assert r"write `prepare_data.group_pattern: '(patient\d+)'` into params.yaml" in found.advice


def test_an_image_size_that_predicts_the_class_is_a_warning(tmp_path: Path) -> None:
    rows = [row(f"{s}/{c}/{n}") for s in ("train", "val", "test") for c in ("cat", "dog") for n in range(5)]
    record = check([each._replace(width=64) if each.label == "cat" else each for each in rows], tmp_path)
    named = {each.name for each in record.findings if not each.ok}
    assert "facts about image size or format that tell the class" in named
