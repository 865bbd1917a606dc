from pathlib import Path

import pytest
from tests.start.folders import PARAMS, classes, picture

from graft.start import words
from graft.start.edits import Edits, Setting
from graft.start.minutes import RunMinutes
from graft.start.survey import survey


def _said(folder: Path) -> str:
    return "\n".join(sentence for _, sentence in words.found("target", survey(folder, PARAMS, any_shape=False)))


def test_classes_sizes_and_pixels_are_told(tmp_path: Path) -> None:
    picture(classes(tmp_path) / "cat" / "wide.png", (30, 20))
    assert _said(tmp_path).splitlines() == [
        f"13 images in 2 classes in {tmp_path}",
        "classes: cat 7, dog 6",
        "splits: no split folders; 15 % for val and 15 % for test will be cut, so about train 9, val 2, test 2",
        "sizes: 16 x 16 to 30 x 20, median 16 x 16 pixels",
        "pixels: colour; PNG 13",
        "value range: 8 bits",
    ]


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        (("train",), "folder train; val and test will be cut from it"),
        (("train", "valid"), "folders train and val; val becomes test, and a new val will be cut from train"),
        (("train", "test"), "folders train and test; val will be cut from train"),
        (("train", "val", "test"), "folders train, val and test, so about train 12, val 12, test 12"),
    ],
)
def test_what_will_be_cut_is_told(tmp_path: Path, splits: tuple[str, ...], said: str) -> None:
    for split in splits:
        classes(tmp_path / split)
    assert f"splits: {said}" in _said(tmp_path)


def test_many_classes_are_summed_up(tmp_path: Path) -> None:
    classes(tmp_path, 3, tuple(f"class{number:02}" for number in range(20)))
    picture(tmp_path / "class07" / "more.png")
    assert "classes: class07 has most (4), class19 fewest (3), the median class 3" in _said(tmp_path)


def test_skew_is_told_with_what_always_saying_one_class_would_reach(tmp_path: Path) -> None:
    classes(tmp_path, 30, ("cat",))
    classes(tmp_path, 10, ("dog",))
    assert "skewed: the largest class has 3.0 times the smallest, so always saying it is right for 75%" in _said(
        tmp_path
    )


def test_deep_grey_is_told_with_its_bits(tmp_path: Path) -> None:
    for number in range(10):
        picture(tmp_path / "ab"[number % 2] / f"{number}.png", mode="I;16", colour=4000 + number)
    assert "value range: 10 grey files of 16 bits, of which 12 are in use" in _said(tmp_path)


def test_what_cannot_be_read_or_is_left_out_is_told(tmp_path: Path) -> None:
    (classes(tmp_path) / "cat" / "x\n.png").write_text("no image")
    picture(tmp_path / "cat" / ".hidden.png")
    said = _said(tmp_path)
    assert "cannot be read: 1 files, such as cat/x\\n.png: want a whole image" in said
    assert "left out: 1 hidden files (cat/.hidden.png)" in said


def test_images_without_a_label_are_told(tmp_path: Path) -> None:
    classes(tmp_path)
    rows = [f"{label}/{number}.png,{label}" for label in ("cat", "dog") for number in range(5)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *rows]))
    assert "left out: 2 images that the table does not name (cat/5.png, dog/5.png)" in _said(tmp_path)


def test_names_that_tell_groups_are_told_with_the_line_to_paste(tmp_path: Path) -> None:
    for number in range(24):
        picture(tmp_path / ("ill", "well")[number % 2] / f"patient{number // 4}_{number}.png")
    said = _said(tmp_path)
    assert "names look like patients: 6 groups, such as" in said
    assert '\n  group_pattern: "(' in said


def test_a_change_is_a_line_with_its_reason() -> None:
    changed = {
        "images.size_px": Setting(128, "why"),
        "network.weights_sha256": Setting("0" * 64, "its hash"),
        "finetune_target.rates": Setting([0.5], "x"),
    }
    before = {
        "images": {"size_px": 32},
        "network": {"weights_sha256": None},
        "finetune_target": {"rates": [0.1, 1e-05]},
    }
    assert words.changes(Edits(before, changed, "", PARAMS, b"")) == [
        ("params", "images.size_px: 32 -> 128  (why)"),
        ("params", "network.weights_sha256: null -> 000000000000...  (its hash)"),
        ("params", "finetune_target.rates: [0.1, 1e-05] -> [0.5]  (x)"),
    ]
    assert words.changes(Edits(before, {}, "", PARAMS, b"")) == [
        ("params", "params.yaml says all of this already: nothing changes")
    ]


def test_minutes_are_told_the_longest_stages_first() -> None:
    estimate = RunMinutes(14.26, {"a": 2.25, "b": 10.0, "c": 0.0, "d": 0.01, "e": 1.0, "f": 1.0}, 14.26, 14.26)
    line = "about 14 minutes on this machine alone (smoke): b 10, a 2.2, e 1.0, f 1.0, the others 0.0"
    assert words.time(estimate, "smoke") == [("time", line)]


def test_minutes_hang_on_the_strategy() -> None:
    said = words.time(RunMinutes(5.0, {"a": 5.0}, 4.0, 7.5), "smoke")
    assert said == [
        ("time", "about 5.0 minutes on this machine alone (smoke): a 5.0"),
        ("time", "by the strategy that graft chooses, 4.0 to 7.5"),
    ]


def test_next_steps_name_all_that_dvc_should_know() -> None:
    steps = words.next_steps([Path("data/raw/target"), Path("models/weights/my net.pth")], dry_run=False)
    assert [step for _, step in steps] == [
        "dvc add data/raw/target",
        "dvc add 'models/weights/my net.pth'",
        "git add data/raw/target.dvc 'models/weights/my net.pth.dvc'",
        "make repro",
    ]


def test_what_lines_are_about_stands_once() -> None:
    assert words.shown([("a", "x"), ("a", "y"), ("b", "z")]) == "a         x\n          y\nb         z"
