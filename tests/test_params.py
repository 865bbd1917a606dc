from pathlib import Path
from typing import Any

import pytest
import yaml

from graft.escaping import UNSEEN
from graft.params import Params, read_params
from graft.training_params import Recipe

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def values() -> Any:
    return yaml.safe_load((ROOT / "params.yaml").read_text())


def _error(tmp_path: Path, values: Any) -> str:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ValueError, match=r"params\.yaml") as caught:
        read_params(path)
    return str(caught.value).replace(str(path), "params.yaml")


def test_the_shipped_params_are_valid() -> None:
    assert read_params(ROOT / "params.yaml").seed == 0


def test_missing_key_shows_the_line_to_paste(tmp_path: Path, values: Any) -> None:
    del values["training"]["epochs"]
    assert _error(tmp_path, values) == (
        "params.yaml, training.epochs: want this key, got none. Paste under `training:` the line `  epochs: 30`."
    )


def test_missing_section_shows_the_section_to_paste(tmp_path: Path, values: Any) -> None:
    section = values.pop("measure_shift")
    error = _error(tmp_path, values)
    pasted = yaml.safe_load(error.split("Paste this section:\n")[1])
    assert set(pasted["measure_shift"]) == set(section)


def test_empty_section_shows_the_section_to_paste(tmp_path: Path, values: Any) -> None:
    values["gate_release"] = None
    assert "gate_release: want this key, got none. Paste this section:" in _error(tmp_path, values)


def test_a_key_twice_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seed: 0\nseed: 1\n")
    with pytest.raises(ValueError, match="want YAML, got the key seed twice"):
        read_params(tmp_path / "params.yaml")


def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"params\.yaml: want YAML, got .*Mend that line"):
        read_params(tmp_path / "params.yaml")


def test_every_example_of_a_key_is_valid(values: Any) -> None:
    section: Any
    for section in Params.model_fields.values():
        if hasattr(section.annotation, "model_fields"):
            examples = {key: field.examples[0] for key, field in section.annotation.model_fields.items()}
            section.annotation.model_validate(examples)


def test_unknown_key_names_the_nearest(tmp_path: Path, values: Any) -> None:
    values["training"]["epoch"] = 3
    assert "params.yaml, training.epoch: want a known key, got epoch. Did you mean epochs?" in _error(tmp_path, values)


def test_unknown_section_lists_the_known(tmp_path: Path, values: Any) -> None:
    values["zzz"] = {}
    assert "want a known key, got zzz. Known here: check_transfer, " in _error(tmp_path, values)


@pytest.mark.parametrize(
    ("section", "key", "value", "want"),
    [
        ("training", "epochs", 0, "want greater than or equal to 1, got 0. It is passes over the target train split"),
        ("training", "epochs", "30", "want a valid integer, got '30'. YAML reads 30 as text: write 30."),
        ("pretrain_source", "rate", "1e-3", "YAML reads 1e-3 as text: write 0.001."),
        ("check_transfer", "on_negative", "cry", "want 'fail', 'ship_scratch' or 'warn', got 'cry'"),
        ("prepare_data", "dataset", "folder", "want 'example' or 'folders', got 'folder'"),
        ("network", "weights_sha256", "abc", "want match pattern"),
        ("network", "head", "big", "want 'linear' or 'mlp', got 'big'"),
        ("measure_shift", "bank_sha256", "ABC", "want match pattern"),
        ("measure_shift", "far_above", 5.5, "want less than or equal to 5, got 5.5"),
        ("measure_shift", "confidence", 95, "want less than 1, got 95"),
        ("extract_features", "sample_images", 39, "want greater than or equal to 40, got 39"),
        ("images", "size_px", 8, "want greater than or equal to 16, got 8"),
        ("finetune_target", "rates", [], "got []"),
    ],
)
def test_wrong_value_is_one_sentence(
    tmp_path: Path, values: Any, section: str, key: str, value: object, want: str
) -> None:
    values[section][key] = value
    error = _error(tmp_path, values)
    assert error.startswith(f"params.yaml, {section}.{key}")
    assert want in error
    assert "\n" not in error


def test_arms_must_have_as_many_trials(tmp_path: Path, values: Any) -> None:
    values["finetune_target"]["rates"] = [0.1]
    assert "want as many finetune_target.rates as train_scratch.rates, got 1 and" in _error(tmp_path, values)


def test_file_of_weights_needs_path_and_hash(tmp_path: Path, values: Any) -> None:
    values["network"]["weights"] = "file"
    assert "want weights_file and weights_sha256 with `weights: file`, got None and None" in _error(tmp_path, values)


def test_small_cnn_has_no_published_weights(tmp_path: Path, values: Any) -> None:
    values["network"]["weights"] = "IMAGENET1K_V1"
    assert "network: want `weights: pretrain` with small_cnn, got 'IMAGENET1K_V1'." in _error(tmp_path, values)


def test_an_unknown_recipe_lists_the_choices(tmp_path: Path, values: Any) -> None:
    values["training"]["augmentation"] = "digit"
    assert (
        "want training.augmentation among recipes, got digit. Choose one of digits, none, photographs, strong, "
        "or add a recipe of that name."
    ) in _error(tmp_path, values)


def test_a_recipe_of_ones_own_can_be_chosen(tmp_path: Path, values: Any) -> None:
    values["recipes"]["mine"] = {**values["recipes"]["none"], "flip": 1}
    values["training"]["augmentation"] = "mine"
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(values))
    assert read_params(path).recipes["mine"].flip == 1


def test_missing_key_of_a_recipe_shows_the_line_to_paste(tmp_path: Path, values: Any) -> None:
    del values["recipes"]["none"]["shift"]
    assert _error(tmp_path, values) == (
        "params.yaml, recipes.none.shift: want this key, got none. Paste under `none:` the line `  shift: 0.0625`."
    )


def test_unknown_key_of_a_recipe_names_the_nearest(tmp_path: Path, values: Any) -> None:
    values["recipes"]["none"]["rotate"] = 3
    assert "recipes.none.rotate: want a known key, got rotate. Did you mean rotation?" in _error(tmp_path, values)


def test_wrong_value_of_a_recipe_tells_its_range(tmp_path: Path, values: Any) -> None:
    values["recipes"]["none"]["flip"] = 1.5
    error = _error(tmp_path, values)
    assert "recipes.none.flip: want less than or equal to 1, got 1.5. It is probability of a mirror" in error


def test_missing_recipes_show_one_to_paste(tmp_path: Path, values: Any) -> None:
    pasted = _error(tmp_path, {key: value for key, value in values.items() if key != "recipes"}).split("`")[1]
    Recipe.model_validate(yaml.safe_load(pasted)["recipes"]["digits"])


def test_path_without_weights_file_is_refused(tmp_path: Path, values: Any) -> None:
    values["network"]["weights_file"] = "x.pth"
    assert "want weights_file and weights_sha256 null with `weights: pretrain`" in _error(tmp_path, values)


@pytest.mark.parametrize("given", ["bank_file", "bank_sha256"])
def test_a_bank_and_its_hash_belong_together(tmp_path: Path, values: Any, given: str) -> None:
    values["measure_shift"][given] = "a" * 64
    error = _error(tmp_path, values)
    assert "measure_shift: want bank_file and bank_sha256 both or neither, got " in error
    assert "Paste the two lines that `graft bank` prints" in error


@pytest.mark.parametrize(
    ("section", "low", "high"),
    [
        ("measure_shift", "near_below", "far_above"),
        ("select_strategy", "headroom_small", "headroom_large"),
    ],
)
def test_limits_must_ascend(tmp_path: Path, values: Any, section: str, low: str, high: str) -> None:
    values[section][low], values[section][high] = 0.5, 0.4
    assert f"want {low} under {high}, got 0.5 and 0.4" in _error(tmp_path, values)


def test_every_fault_is_listed(tmp_path: Path, values: Any) -> None:
    values["training"]["epochs"] = 0
    values["training"]["subsample"] = "x"
    assert len(_error(tmp_path, values).splitlines()) == 2


def test_broken_yaml_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seed: [1\nnetwork: {")
    with pytest.raises(ValueError, match=r"want YAML, got .*Mend that line"):
        read_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("text", ["", "- 1", "seed"])
def test_yaml_that_holds_no_keys_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"want keys and values"):
        read_params(tmp_path / "params.yaml")


def test_absent_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"want a file, got none\. Run from the top"):
        read_params(tmp_path / "params.yaml")


def test_no_key_has_a_default() -> None:
    def required(model: Any) -> bool:
        return all(
            field.is_required() and (not hasattr(field.annotation, "model_fields") or required(field.annotation))
            for field in model.model_fields.values()
        )

    assert required(Params)
    assert required(Recipe)


EVIL = "a\x1b[2J\nseed: want 1\u202e"


@pytest.mark.parametrize("place", ["key", "recipe", "augmentation", "choice"])
def test_what_the_user_wrote_is_told_on_one_line(tmp_path: Path, values: Any, place: str) -> None:
    if place == "key":
        values[EVIL] = 1
    elif place == "recipe":
        values["recipes"][EVIL] = {"crop": 1.0}
    elif place == "augmentation":
        values["training"]["augmentation"] = EVIL
    else:
        values["training"]["optimizer"] = EVIL
    error = _error(tmp_path, values)
    assert all(line.startswith("params.yaml") for line in error.split("\n"))
    assert not UNSEEN.search(error.replace("\n", ""))
