import hashlib
import re

import pytest

from graft.params.data import PrepareData
from graft.validation.name_hints import almost, hints

CLASSES = ("cat", "dog", "cow")
N_GROUPS = 12


def listed(style: str, n_groups: int = N_GROUPS, size: int = 5) -> tuple[list[str], list[str]]:
    """Paths and classes of groups of one class each: `{c}` is the class, `{g}` the group, `{i}` the image in it."""
    paths, labels = [], []
    for group in range(n_groups):
        label = CLASSES[group % len(CLASSES)]
        for i in range(size):
            key, of_group = (hashlib.md5(text.encode()).hexdigest() for text in (f"{group} {i}", f"{group}"))
            letter = chr(ord("A") + group)
            paths.append(style.format(c=label, g=group, i=i, n=group * size + i, h=key, u=of_group, L=letter))
            labels.append(label)
    return paths, labels


@pytest.mark.parametrize(
    ("kind", "style", "pattern"),
    [
        ("frames", "{c}/clip{g:02d}_frame{i:04d}.jpg", r"(?<![A-Za-z])(clip\d+)"),
        ("frames", "{c}/video{g}/{i:06d}.png", r"(video\d+)"),
        ("frames", "{c}/vid_{g}-{i:04d}.jpg", r"(?<![A-Za-z])(vid_\d+)"),
        ("frames", "{c}/{u}_frame{i}.jpg", r"([^/]+)_frame\d"),
        ("frames", "{c}/{u}/frame_{i:05d}.jpg", r"([^/]+)/frame_\d"),
        ("frames", "{c}/IMG_{g:04d}_{i:03d}.jpg", r"([^/]+)[_-][A-Za-z]*\d+\.[A-Za-z][^/]*$"),
        ("frames", "{c}/{g:08d}_{i:03d}.png", r"([^/]+)[_-][A-Za-z]*\d+\.[A-Za-z][^/]*$"),
        ("frames", "{c}/walk{g}x/{i}0.png", r"([^/]+)/[A-Za-z]*[_-]?\d+\.[A-Za-z][^/]*$"),
        ("frames", "{c}/1.2.840.113619.2.55.{g}/{i}.dcm.png", r"([^/]+)/[A-Za-z]*[_-]?\d+\.[A-Za-z][^/]*$"),
        ("frames", "{c}/{u}_jpg.rf.{h}.jpg", r"([^/]+)\.rf\.[0-9a-f]{16,}"),
        ("frames", "{c}/{u}_aug{i}.jpg", r"([^/]+)_aug\d"),
        ("patients", "{c}/patient{g}_slice{i}.png", r"(patient\d+)"),
        ("patients", "{c}/P{g:04d}-{h}.png", r"(?<![A-Za-z0-9])([PS]\d+)(?=[_/-])"),
        ("patients", "{c}/sub-{g:02d}_ses-01_{i}.png", r"(?<![A-Za-z])(sub-\d+)"),
        ("patients", "{c}/case_{g}/{h}.png", r"(?<![A-Za-z])(case_\d+)"),
        ("patients", "{c}/TCGA-A2-A{g:03d}-01Z-00-DX1_{i}.png", r"(TCGA-\w\w-\w{{4}})"),
        ("patients", "{c}/slide_{g}_x{i}_y7.png", r"(slide_\d+)"),
        ("sites", "{c}/site{L}_{h}.png", r"(?<![A-Za-z])(site[A-Z])"),
        ("sites", "{c}/hospital{g}/{h}.png", r"(hospital\d+)"),
        ("sites", "{c}/cam{g}_20240101_{h}.jpg", r"(?<![A-Za-z])(cam\d+)"),
        ("sites", "{c}/2024-01-{g:02d}_{h}.jpg", r"(?<!\d)((?:19|20)\d\d-[01]\d-[0-3]\d)(?!\d)"),
    ],
)
def test_names_that_suggest_groups_give_the_pattern_to_paste(kind: str, style: str, pattern: str) -> None:
    paths, labels = listed(style)
    found = hints(paths, labels)[0]
    assert (found.kind, found.pattern, found.n_groups) == (kind, pattern.replace("{{4}}", "{4}"), N_GROUPS)
    assert len(found.examples) == 3
    assert len({re.search(found.pattern, each)[1] for each in found.examples}) == 1  # type: ignore[index]


@pytest.mark.parametrize(
    "style",
    [
        "{c}/{i:04d}_{h}.png",
        "{c}/{n:04d}.png",
        "{c}/{h}.png",
        "{c}/IMG_{n:04d}.jpg",
        "{c}/DSC_{n:04d}.JPG",
        "{c}/DSC{n:05d}.JPG",
        "{c}/10{g}_{n:04d}.JPG",  # a camera that counts on in its next folder
        "{c}/P10{n:05d}.JPG",
        "{c}/{n}5236943_{h}.jpg",
        "{c}/{c}.{n}.jpg",
        "{c}/{c}_{n:03d}.jpg",
        "{c}/COCO_train2014_{n:012d}.jpg",
        "{c}/ISIC_{n:07d}.jpg",
        "{c}/patient{n:04d}.png",
        "{c}/image ({n}).png",
        "{c}/{n}8136_640x480.jpg",
        "{c}/{u}/{h}.jpg",
        "{c}/site{n}_{h}.png",
    ],
)
def test_running_numbers_counters_and_hashes_are_not_groups(style: str) -> None:
    paths, labels = listed(style)
    assert hints(paths, labels) == ()
    assert almost(paths, labels) is None


@pytest.mark.parametrize("style", ["{c}/frame_{n}.jpg", "n0{c}/video{c}_{n}.jpg", "{c}/{c}9_{n:02d}.jpg"])
def test_another_name_of_the_class_is_not_a_group(style: str) -> None:
    assert hints(*listed(style)) == ()


def test_numbers_that_start_anew_in_each_class_are_not_groups() -> None:
    paths = [f"{label}/scan_{number}.png" for label in CLASSES for number in range(20)]
    assert hints(paths, [path.split("/")[0] for path in paths]) == ()


def test_synsets_within_a_class_are_not_series() -> None:
    paths = [
        f"{c}/n0144{2 * g + k}_{i * 7919 % 1009}.jpg" for k, c in enumerate("ab") for g in range(8) for i in range(9)
    ]
    assert hints(paths, [path[0] for path in paths]) == ()


def test_a_series_whose_numbers_start_anew_in_each_class_is_named_with_its_folder() -> None:
    paths = [f"{label}/{g:05d}_{i:05d}.ppm" for label in CLASSES for g in range(12) for i in range(4)]
    (found,) = hints(paths, [path.split("/")[0] for path in paths])
    assert found.n_groups == 36
    assert found.pattern.startswith("([^/]+/[^/]+)")


def test_two_groups_are_too_few_to_cut_three_splits_from() -> None:
    assert hints(*listed("{c}/site{L}_{h}.png", n_groups=2, size=20)) == ()
    assert hints(*listed("{c}/site{L}_{h}.png", n_groups=4, size=20))[0].n_groups == 4


def test_patients_come_before_sites_and_equal_groups_are_reported_once() -> None:
    found = hints(*listed("{c}/hospital{g}/patient{g}_{i}/{h}.png"))
    assert [each.kind for each in found] == ["patients"]
    paths = [f"c{n % 2}/hospital{n % 4}/patient{n // 5}_{n}.png" for n in range(60)]
    assert [each.kind for each in hints(paths, [path[:2] for path in paths])] == ["patients", "sites"]


def test_the_same_patient_in_two_split_folders_is_one_group() -> None:
    paths = [f"{split}/{c}/patient{n}_{split}.png" for split in ("train", "test") for c in CLASSES for n in range(9)]
    (found,) = hints(paths, [path.split("/")[1] for path in paths])
    assert found.n_groups == 9


def test_names_are_matched_in_the_encoding_in_which_groups_are_found() -> None:
    """A name with a decomposed accent is matched by the composed pattern that prepare_data uses."""
    paths, labels = listed("{c}/pe\u0301re/video{g}/{i}.png")
    assert hints(paths, labels)[0].examples[0] == paths[0]


def test_a_pattern_is_valid_in_params_yaml() -> None:
    for style in ("{c}/clip{g}_{i}.png", "{c}/{g:08d}_{i}.png", "{c}/{g}_left{i}.png", "{c}/{u}/frame_{i}.png"):
        for found in hints(*listed(style)):
            given = {"dataset": "folders", "group_file": None, "near_duplicate_bits": None}
            assert PrepareData.model_validate({**given, "group_pattern": found.pattern})
            assert "'" not in found.pattern


def test_a_pattern_that_misses_some_images_is_reported_as_such() -> None:
    paths, labels = listed("{c}/patient{g}_{i}.png")
    paths, labels = [*paths, "cat/stray.png"], [*labels, "cat"]
    assert hints(paths, labels) == ()
    found = almost(paths, labels)
    assert found is not None
    assert (found.kind, found.pattern, found.n_matched, found.n_groups) == ("patients", r"(patient\d+)", 60, N_GROUPS)
    assert found.missed == "cat/stray.png"


def test_without_images_there_is_no_hint() -> None:
    assert hints([], []) == ()
    assert almost([], []) is None
