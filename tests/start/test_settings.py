from pathlib import Path
from typing import Any

import pytest
from tests.start.folders import PARAMS, classes, picture

from graft.params.pipeline import Params
from graft.start.minutes import Counts
from graft.start.presets import Wanted, preset
from graft.start.settings import Options, counts, pictures, settings
from graft.start.starting_point import StartingPoint
from graft.start.survey import survey

CHOICE = StartingPoint("resnet18", "IMAGENET1K_V1", "asked for")


def _values(folder: Path, params: Params = PARAMS, choice: StartingPoint = CHOICE) -> dict[str, Any]:
    found = settings(choice, survey(folder, params, any_shape=False), params, Options(None, "smoke"))
    return {key: each.value for key, each in found.items()}


def _with_section(name: str, **values: Any) -> Params:
    section = getattr(PARAMS, name).model_copy(update=values)
    return PARAMS.model_copy(update={name: section})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classes(tmp_path_factory.mktemp("images"), 20)


def test_the_preset_and_the_network_are_settings(folder: Path) -> None:
    wanted = Wanted("resnet18", "IMAGENET1K_V1", None, "smoke", 28, short_px=16, grey=False)
    network = {"name": "resnet18", "weights": "IMAGENET1K_V1", "weights_file": None, "weights_sha256": None}
    own = {"prepare_data.dataset": "folders", **{f"network.{key}": value for key, value in network.items()}}
    assert _values(folder) == own | preset(wanted)


def test_a_network_that_stays_is_no_setting(folder: Path) -> None:
    assert not [key for key in _values(folder, choice=CHOICE._replace(kept=True)) if key.startswith("network.")]


def test_a_size_that_was_asked_for_is_told_so(folder: Path) -> None:
    target = survey(folder, PARAMS, any_shape=False)
    assert settings(CHOICE, target, PARAMS, Options(64, "smoke"))["images.size_px"] == (64, "as asked for")


def test_large_pictures_raise_the_limit_of_pixels(tmp_path: Path) -> None:
    picture(classes(tmp_path) / "cat" / "large.png", (1100, 1000), mode="1", colour=1)
    assert _values(tmp_path, _with_section("images", max_megapixels=1))["images.max_megapixels"] == 2
    assert "images.max_megapixels" not in _values(tmp_path)


def test_files_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    (classes(tmp_path, 20) / "cat" / "x.png").write_text("no image")
    assert _values(tmp_path)["validate_data.on_undecodable"] == "quarantine"


def test_a_class_with_few_images_lowers_the_limit(tmp_path: Path) -> None:
    classes(tmp_path, 6)
    assert _values(tmp_path)["validate_data.min_images_per_class"] == 4
    (tmp_path / "dog" / "0.png").write_text("no image")
    assert _values(tmp_path)["validate_data.min_images_per_class"] == 3


def test_a_class_of_which_nothing_can_be_read_keeps_a_limit_that_params_may_hold(tmp_path: Path) -> None:
    classes(tmp_path, 12)
    for number in range(4):
        (tmp_path / "owl" / f"{number}.png").parent.mkdir(exist_ok=True)
        (tmp_path / "owl" / f"{number}.png").write_text("no image")
    assert _values(tmp_path)["validate_data.min_images_per_class"] == 1


@pytest.mark.parametrize(("named", "stays"), [(("cat", "dog"), True), (("ants", "bees"), False)])
def test_classes_of_other_images_are_forgotten(folder: Path, named: tuple[str, ...], stays: bool) -> None:
    values = _values(folder, _with_section("validate_data", classes=named))
    assert ("validate_data.classes" not in values) is stays


def test_images_are_counted_by_split(folder: Path) -> None:
    target = survey(folder, PARAMS, any_shape=False)
    assert counts(target, target) == Counts(40, 28, 6, 6, 2)
    assert counts(target, None).n_source == 0


def test_a_few_pictures_are_spread_over_all(folder: Path) -> None:
    chosen = pictures(survey(folder, PARAMS, any_shape=False))
    assert [each.parent.name for each in chosen] == ["cat"] * 4 + ["dog"] * 4
