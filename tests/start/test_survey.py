from pathlib import Path

import pytest
from PIL import Image
from tests.start.folders import PARAMS, classes, picture

from graft.start.survey import survey, survey_source


def test_counts_follow_the_cut(tmp_path: Path) -> None:
    seen = survey(classes(tmp_path, 20), PARAMS, any_shape=False)
    assert seen.classes == {"cat": 20, "dog": 20}
    assert {split: dict(n) for split, n in seen.counts.items()} == {
        "train": {"cat": 14, "dog": 14},
        "val": {"cat": 3, "dog": 3},
        "test": {"cat": 3, "dog": 3},
    }


def test_files_that_cannot_be_read_are_kept_apart(tmp_path: Path) -> None:
    (classes(tmp_path) / "cat" / "x.png").write_text("no image")
    seen = survey(tmp_path, PARAMS, any_shape=False)
    assert list(seen.unreadable) == ["cat/x.png"]
    assert len(seen.readable) == 12


@pytest.mark.parametrize(("n_images", "told"), [(0, "6 of 6"), (2, "4 of 6")])
def test_a_folder_of_which_most_cannot_be_read_is_refused(tmp_path: Path, n_images: int, told: str) -> None:
    for number in range(6):
        path = tmp_path / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        if number < 6 - n_images:
            path.write_text("text")
        else:
            Image.new("RGB", (16, 16)).save(path)
    with pytest.raises(ValueError, match=rf"most cannot be read \({told} looked at\), such as a/0\.png"):
        survey(tmp_path, PARAMS, any_shape=False)


def test_one_class_is_refused_with_the_folder_that_was_meant(tmp_path: Path) -> None:
    classes(tmp_path / "photos")
    with pytest.raises(ValueError, match=r"got only photos\. .* Did you mean \S+/photos\? It holds cat, dog\.$"):
        survey(tmp_path, PARAMS, any_shape=False)


def test_a_doubtful_shape_is_refused_unless_it_is_meant(tmp_path: Path) -> None:
    for year in ("2019", "2020"):
        classes(tmp_path / year)
    with pytest.raises(ValueError, match="same folders"):
        survey(tmp_path, PARAMS, any_shape=False)
    assert set(survey(tmp_path, PARAMS, any_shape=True).classes) == {"2019", "2020"}


def test_bits_in_use_are_told(tmp_path: Path) -> None:
    for number in range(10):
        picture(tmp_path / "ab"[number % 2] / f"{number}.png", mode="I;16", colour=4000 + number)
    seen = survey(tmp_path, PARAMS, any_shape=False)
    assert (seen.n_deep, seen.bits, seen.doubt) == (10, 12, "")


def test_bits_that_the_values_leave_open_are_in_doubt(tmp_path: Path) -> None:
    for number in range(10):
        picture(tmp_path / "ab"[number % 2] / f"{number}.png", mode="I;16", colour=2000)
    seen = survey(tmp_path, PARAMS, any_shape=False)
    assert seen.bits is None
    assert "Set images.value_bits" in seen.doubt


def test_grey_pictures_are_counted(tmp_path: Path) -> None:
    picture(classes(tmp_path) / "cat" / "grey.png", colour=(90, 90, 90))
    seen = survey(tmp_path, PARAMS, any_shape=False)
    assert (seen.n_decoded, seen.n_grey) == (13, 1)


def test_a_picture_that_is_cut_off_is_neither_grey_nor_in_colour(tmp_path: Path) -> None:
    for number in range(6):
        picture(tmp_path / "ab"[number % 2] / f"{number}.png", size=(64, 64), colour=(90, 90, 90))
    cut = tmp_path / "a" / "0.png"
    cut.write_bytes(cut.read_bytes()[:60])
    seen = survey(tmp_path, PARAMS, any_shape=False)
    assert (seen.n_decoded, seen.n_grey) == (5, 5)


def test_names_that_tell_groups_are_seen_unless_params_tell_them(tmp_path: Path) -> None:
    for number in range(24):
        picture(tmp_path / ("ill", "well")[number % 2] / f"patient{number // 4}_{number}.png")
    (hint,) = survey(tmp_path, PARAMS, any_shape=False).hints
    assert (hint.kind, hint.n_groups) == ("patients", 6)
    told = PARAMS.prepare_data.model_copy(update={"group_pattern": "(patient[0-9]+)"})
    assert survey(tmp_path, PARAMS.model_copy(update={"prepare_data": told}), any_shape=False).hints == ()


def test_groups_of_a_table_stay_whole_and_are_no_news(tmp_path: Path) -> None:
    rows = ["path,label,group"]
    for number in range(24):
        path = picture(tmp_path / ("ill", "well")[number % 2] / f"patient{number // 4}_{number}.png")
        rows.append(f"{path.relative_to(tmp_path)},{path.parent.name},{number // 4}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    seen = survey(tmp_path, PARAMS, any_shape=False)
    assert seen.hints == ()
    assert {n % 2 for of_class in seen.counts.values() for n in of_class.values()} == {0}


def test_a_source_may_be_absent_or_empty(tmp_path: Path) -> None:
    assert survey_source(tmp_path / "none", PARAMS, any_shape=False) is None
    assert survey_source(tmp_path, PARAMS, any_shape=False) is None
    assert survey_source(classes(tmp_path), PARAMS, any_shape=False) is not None
