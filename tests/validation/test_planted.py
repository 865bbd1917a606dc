"""Faults of the data as a whole are planted in folders; each is found and named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.validation.planting import CLASSES, SPLITS, Found, faults, picture, run, save, without_split_folders
from tests.validation.samples import ON_COLOUR

pytestmark = pytest.mark.usefixtures("by_limits")


def test_sound_data_have_no_fault(raw: Path) -> None:
    assert faults(run(raw)) == {}


def test_sound_data_without_split_folders_have_no_fault(raw: Path) -> None:
    assert faults(run(without_split_folders(raw))) == {}


# --- copies ---


def test_a_duplicate_across_splits(raw: Path) -> None:
    shutil.copy(raw / "target/train/cat/0.png", raw / "target/test/cat/again.png")
    assert faults(run(raw)) == {
        "images in two splits": Found("critical", ("target/test/cat/again.png = target/train/cat/0.png",))
    }


def test_a_duplicate_within_a_split(raw: Path) -> None:
    shutil.copy(raw / "target/train/cat/0.png", raw / "target/train/cat/again.png")
    assert faults(run(raw)) == {
        "images twice in one split": Found("warning", ("target/train/cat/0.png = target/train/cat/again.png",))
    }


def test_a_mislabelled_copy(raw: Path) -> None:
    shutil.copy(raw / "target/train/cat/0.png", raw / "target/train/dog/again.png")
    found = faults(run(raw))["images under two classes"]
    assert found == Found("critical", ("target/train/cat/0.png = target/train/dog/again.png",))


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: np.clip(image.astype(int) + 8, 0, 255).astype(np.uint8),
        lambda image: np.asarray(Image.fromarray(image).resize((96, 96))),
    ],
    ids=["saved again", "brighter", "resized"],
)
def test_a_near_duplicate_across_splits(raw: Path, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> None:
    save(raw / "target/test/cat/again.jpg", change(picture(0)), quality=50)
    assert faults(run(raw)) == {
        "near duplicates in two splits": Found("critical", ("target/test/cat/again.jpg ~ target/train/cat/0.png",))
    }


def test_near_duplicates_are_kept_in_one_split_if_graft_cuts_the_splits(raw: Path) -> None:
    without_split_folders(raw)
    save(raw / "target/cat/again.jpg", picture(0), quality=50)
    (found,) = faults(run(raw)).items()
    assert found == (
        "near duplicates in one split",
        Found("warning", ("target/cat/again.jpg ~ target/cat/train0.png",)),
    )


def test_a_mislabelled_near_duplicate(raw: Path) -> None:
    save(raw / "target/train/dog/again.jpg", picture(0), quality=50)
    found = faults(run(raw))["near duplicates under two classes"]
    assert found == Found("warning", ("target/train/cat/0.png ~ target/train/dog/again.jpg",))


def test_a_test_image_in_the_source(raw: Path) -> None:
    shutil.copy(raw / "target/test/dog/1.png", raw / "source/cat/again.png")
    found = faults(run(raw))["test images of the target in the source"]
    assert found == Found("critical", ("source/cat/again.png = target/test/dog/1.png",))


def test_a_near_duplicate_of_a_test_image_in_the_source(raw: Path) -> None:
    save(raw / "source/cat/again.jpg", np.asarray(Image.open(raw / "target/test/dog/1.png")), quality=50)
    found = faults(run(raw))["near duplicates of test images of the target in the source"]
    assert found == Found("critical", ("source/cat/again.jpg ~ target/test/dog/1.png",))


# --- groups, splits and classes ---


def test_a_group_leak_by_a_pattern(raw: Path) -> None:
    for seed, path in enumerate(("train/cat/patient7_a.png", "test/cat/patient7_b.png"), 500):
        save(raw / "target" / path, picture(seed))
    pattern = r"(patient\d+|(?:test|train|val)/?[^/]*/?\d)[_.]"
    assert faults(run(raw, grouping={"group_pattern": pattern})) == {
        "groups in two splits": Found(
            "critical", ("target/patient7: target/test/cat/patient7_b.png and target/train/cat/patient7_a.png",)
        )
    }


def test_a_group_leak_by_a_file(raw: Path) -> None:
    lines = [
        f"{split}/{label}/{place}.png,{'video' if label == 'cat' and place == 0 else f'{split}{label}{place}'}"
        for split in SPLITS
        for label in CLASSES
        for place in range(4)
    ]
    (raw / "target/groups.csv").write_text("\n".join(["path,group", *lines]))
    found = faults(run(raw, grouping={"group_file": "groups.csv"}))
    shared = "target/video: target/test/cat/0.png and target/train/cat/0.png"
    assert found == {"groups in two splits": Found("critical", (shared,))}


def test_an_empty_class(raw: Path) -> None:
    (raw / "target/train/elk").mkdir()
    with pytest.raises(ValueError, match="elk"):
        run(raw)


def test_a_class_missing_from_a_split(raw: Path) -> None:
    shutil.rmtree(raw / "target/test/dog")
    with pytest.raises(ValueError, match="got none of dog in test"):
        run(raw)


def test_a_class_whose_test_images_are_all_broken(raw: Path) -> None:
    for file in (raw / "target/test/dog").iterdir():
        file.write_bytes(b"broken")
    found = faults(run(raw))
    assert found["classes missing from a split"] == Found("critical", ("target/dog (none in test)",))
    assert len(found["unreadable images"].examples) == 4


def test_a_class_that_is_not_expected(raw: Path) -> None:
    for split in SPLITS:
        (raw / "target" / split / "dog").rename(raw / "target" / split / "dgo")
    assert faults(run(raw, classes=CLASSES)) == {
        "classes that are not those of validate_data.classes": Found(
            "critical", ("target/dgo (not expected)", "target/dog (expected, no such class)")
        )
    }


def test_wrong_split_proportions(raw: Path) -> None:
    for number in range(150):
        save(raw / f"target/train/{CLASSES[number % 2]}/more{number}.png", picture(5_000 + number))
    found = faults(run(raw))["splits of under 5% of the images"]
    assert found == Found("warning", ("target/test (8 of 174 images)", "target/val (8 of 174 images)"))


def test_another_class_distribution_in_test(raw: Path) -> None:
    for number in range(40):
        save(raw / f"target/train/cat/more{number}.png", picture(5_000 + number))
        save(raw / f"target/test/dog/more{number}.png", picture(6_000 + number))
    (example,) = faults(run(raw))["splits with another mix of classes than train"].examples
    assert example.startswith("target: train and test (cat: 92% of train, 8% of test")


def test_a_test_split_from_another_camera(raw: Path) -> None:
    for number in range(80):
        split, label = ("train", "test")[number % 2], CLASSES[number // 2 % 2]
        image = picture(5_000 + number) // 2 + (90 if split == "test" else 0)
        save(raw / f"target/{split}/{label}/more{number}.png", image.astype(np.uint8))
    (example,) = faults(run(raw))["splits whose images can be told from train images"].examples
    assert example.startswith("target: train and test (a classifier orders ")


# --- appearance of the images ---


def look(raw: Path, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> None:
    """Change every image of the target."""
    for file in sorted((raw / "target").rglob("*.png")):
        save(file, change(np.asarray(Image.open(file))))


def test_grey_images_for_weights_made_on_colour(raw: Path) -> None:
    look(raw, lambda image: image[..., :1].repeat(3, axis=2))
    (name,) = faults(run(raw, preprocessing=ON_COLOUR))
    assert name == "grey images where the weights were made on colour"


def test_inverted_images(raw: Path) -> None:
    look(raw, lambda image: 255 - image // 3)
    for file in sorted((raw / "source").rglob("*.png")):
        save(file, np.asarray(Image.open(file)) // 3)
    (example,) = faults(run(raw))["images that look inverted"].examples
    assert example.startswith("target (mean brightness 0.8")


def test_images_that_were_normalised_before(raw: Path) -> None:
    look(raw, lambda image: image // 128)
    (example,) = faults(run(raw))["images that look normalised"].examples
    assert "nearly black" in example


# --- files that are left out, and content that does not match its container ---


def test_frames_and_pages_beyond_the_first_are_named(raw: Path) -> None:
    pages = [Image.fromarray(picture(n)) for n in (900, 901)]
    pages[0].save(raw / "target/val/cat/pages.tif", save_all=True, append_images=pages[1:])
    pages[0].save(raw / "target/val/dog/moves.gif", save_all=True, append_images=pages[1:])
    name = "files of several frames or pages"
    assert faults(run(raw))[name] == Found("warning", ("target/val/cat/pages.tif", "target/val/dog/moves.gif"))


def test_hidden_images_and_system_folders_are_named_and_left_out(raw: Path) -> None:
    save(raw / "target/train/.bird/0.png", picture(900))
    save(raw / "source/cat/@eaDir/0.png/thumb.jpg", picture(901))
    assert faults(run(raw)) == {
        "images in hidden folders or files": Found("warning", ("target: train/.bird (1 files)",)),
        "folders of operating systems, disk stations or archivers": Found("warning", ("source: cat/@eaDir (1 files)",)),
    }


def test_images_without_a_label_and_doubts_about_a_table_are_named(raw: Path) -> None:
    files = [file.relative_to(raw / "target") for file in (raw / "target").rglob("*.png")]
    rows = [f"{file},{file.parts[1]},{file.parts[0]},{number // 2}\n" for number, file in enumerate(files)]
    (raw / "target/labels.csv").write_text(f"path,label,split,patient\n{''.join(rows)}")
    save(raw / "target/late.png", picture(900))
    found = faults(run(raw))
    assert found.pop("images without a label in labels.csv") == Found("warning", ("target: late.png (1 files)",))
    (doubt,) = found.pop("doubts about the table of labels").examples
    assert doubt.startswith("target: column 'patient' looks like groups")
    assert found == {}


def test_a_strip_whose_ends_are_cut_off_is_named(raw: Path) -> None:
    save(raw / "target/val/cat/strip.png", np.tile(picture(900, 20), (1, 17, 1)))
    assert faults(run(raw)) == {
        "images more than 16 times as long as wide": Found("warning", ("target/val/cat/strip.png",))
    }


def test_a_fully_transparent_image_is_named(raw: Path) -> None:
    clear = np.dstack([picture(900), np.zeros((48, 48), np.uint8)])
    save(raw / "target/val/cat/clear.png", clear)
    assert faults(run(raw))["images of one colour throughout"] == Found("warning", ("target/val/cat/clear.png",))


def test_a_class_of_the_source_in_another_case_is_named(raw: Path) -> None:
    (raw / "source/cat").rename(raw / "source/Cat")
    name = "classes of the source that only look like one of the target"
    assert faults(run(raw)) == {name: Found("warning", ("source/Cat",))}


def test_12_bit_colours_in_16_bit_files_are_named(raw: Path) -> None:
    for file in (raw / "target").rglob("*.png"):
        values = np.asarray(Image.open(file)) // 4
        save(file, values)
    assert faults(run(raw))["images that use 64 or fewer of 256 values"].severity == "warning"


CHAINED = "near duplicates that connect over 10% of a class"
STROKE = "facts about brightness or file size that tell the class"
"""only the stroke changes in front of a fixed camera"""


def fixed_camera(raw: Path, name: str, n: int, seed: int) -> None:
    """Write the images of a domain by a fixed camera: one scene with grain, and a stroke in one class."""
    rng = np.random.default_rng(seed)
    for label in CLASSES:
        for number in range(n):
            image = picture(7).astype(float) + rng.normal(0, 1, (48, 48, 3)) + rng.normal(0, 2)
            image[20 + number % 8, 10:20] -= 50 * (label == "dog")
            save(raw / name / label / f"{number}.png", np.clip(image, 0, 255).astype(np.uint8))


def test_a_fixed_camera_is_cut_into_splits_with_a_warning_that_names_its_cause(tmp_path: Path) -> None:
    fixed_camera(tmp_path / "raw", "target", 20, seed=0)
    record = run(tmp_path / "raw")
    assert record.ok
    assert set(faults(record)) == {CHAINED, STROKE}
    (finding,) = [each for each in record.findings if each.name == CHAINED]
    assert finding.examples == ("target/cat (20 of 20 images)", "target/dog (20 of 20 images)")
    assert "prepare_data.near_duplicate_bits" in finding.advice


def test_one_fixed_camera_of_both_domains_is_not_a_leak(tmp_path: Path) -> None:
    fixed_camera(tmp_path / "raw", "target", 20, seed=0)
    fixed_camera(tmp_path / "raw", "source", 20, seed=1)
    record = run(tmp_path / "raw")
    assert record.ok
    assert set(faults(record)) == {CHAINED, STROKE}


def test_equal_files_of_a_fixed_camera_stay_in_one_split(tmp_path: Path) -> None:
    fixed_camera(tmp_path / "raw", "target", 20, seed=0)
    for number in range(8):
        shutil.copy(tmp_path / f"raw/target/cat/{number}.png", tmp_path / f"raw/target/cat/copy{number}.png")
    assert run(tmp_path / "raw").ok
