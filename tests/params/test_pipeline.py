import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.serialize import modify_yaml
from tests.house import ROOT
from tests.params.reading import error_of, params_of, values_of

from graft.files import UNSEEN
from graft.params.measure_shift import MeasureShift
from graft.params.pipeline import Params, read_params
from graft.params.recipes import Recipe
from graft.yaml_files import read_yaml


@pytest.fixture
def values() -> Any:
    return values_of()


def _pasted(tmp_path: Path, text: str) -> Any:
    (tmp_path / "pasted.yaml").write_text(text)
    return read_yaml(tmp_path / "pasted.yaml")


def test_the_shipped_params_are_valid() -> None:
    assert read_params(ROOT / "params.yaml").seed == 0


def test_missing_key_shows_the_line_to_paste(tmp_path: Path, values: Any) -> None:
    del values["training"]["epochs"]
    assert error_of(tmp_path, values) == (
        "params.yaml, training.epochs: want this key, got none. Paste under `training:` the line `  epochs: 30`."
    )


def test_missing_section_shows_the_section_to_paste(tmp_path: Path, values: Any) -> None:
    del values["measure_shift"]
    error = error_of(tmp_path, values)
    pasted = _pasted(tmp_path, error.split("Paste this section:\n")[1])
    assert params_of(tmp_path, {**values, **pasted}).measure_shift == MeasureShift(**pasted["measure_shift"])


def test_empty_section_shows_the_section_to_paste(tmp_path: Path, values: Any) -> None:
    values["check_transfer"] = None
    assert "check_transfer: want this key, got none. Paste this section:" in error_of(tmp_path, values)


def test_a_key_twice_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seed: 0\nseed: 1\n")
    with pytest.raises(ValueError, match="want YAML, got the key seed twice"):
        read_params(tmp_path / "params.yaml")


def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"params\.yaml, line 1: want YAML in UTF-8, got .*save as UTF-8"):
        read_params(tmp_path / "params.yaml")


def test_every_example_of_a_key_is_valid(values: Any) -> None:
    section: Any
    for section in Params.model_fields.values():
        if hasattr(section.annotation, "model_fields"):
            fields = section.annotation.model_fields
            examples = {key: field.examples[0] for key, field in fields.items() if field.examples}
            section.annotation.model_validate(examples)


def test_unknown_key_names_the_nearest(tmp_path: Path, values: Any) -> None:
    values["training"]["epoch"] = 3
    assert "params.yaml, training.epoch: want a known key, got epoch. Did you mean epochs?" in error_of(
        tmp_path, values
    )


def test_unknown_section_lists_the_known(tmp_path: Path, values: Any) -> None:
    values["zzz"] = {}
    assert "want a known key, got zzz. Known here: check_transfer, " in error_of(tmp_path, values)


@pytest.mark.parametrize(
    ("section", "key", "value", "want"),
    [
        ("training", "epochs", 0, "want greater than or equal to 1, got 0. It is passes over the train split"),
        ("training", "epochs", "30", "want a valid integer, got '30'. Write it without quotes: 30."),
        ("pretrain_source", "rate", "1e-3", "want a valid number, got '1e-3'. Write it without quotes: 0.001."),
        ("pretrain_source", "rate", "inf", "want a valid number, got 'inf'. It is learning rate"),
        ("training", "find_rate", "yes", "want a valid boolean, got 'yes'. Write true. It is whether to look for"),
        ("check_transfer", "on_negative", "cry", "want 'fail', 'ship_scratch' or 'warn', got 'cry'"),
        ("prepare_data", "dataset", "folder", "want 'example' or 'folders', got 'folder'"),
        ("network", "weights_sha256", "abc", "want match pattern"),
        ("training", "head", "big", "want 'linear' or 'mlp', got 'big'"),
        ("measure_shift", "bank_sha256", "ABC", "want match pattern"),
        ("measure_shift", "far_above", 5.5, "want less than or equal to 5, got 5.5"),
        ("measure_shift", "confidence", 95, "want less than 1, got 95"),
        (
            "train_scratch",
            "long_factor",
            1,
            "want greater than or equal to 2, got 1. It is length of the control's runs",
        ),
        ("extract_features", "sample_images", 39, "want greater than or equal to 40, got 39"),
        ("images", "size_px", 8, "want greater than or equal to 16, got 8"),
        ("finetune_target", "rates", [], "got []"),
    ],
)
def test_wrong_value_is_one_sentence(
    tmp_path: Path, values: Any, section: str, key: str, value: object, want: str
) -> None:
    values[section][key] = value
    error = error_of(tmp_path, values)
    assert error.startswith(f"params.yaml, {section}.{key}")
    assert want in error
    assert "\n" not in error


def test_arms_must_have_as_many_trials(tmp_path: Path, values: Any) -> None:
    values["finetune_target"]["rates"] = [0.1]
    assert "want as many finetune_target.rates as train_scratch.rates, got 1 and" in error_of(tmp_path, values)


@pytest.mark.parametrize("section", ["finetune_target", "train_scratch"])
def test_no_rate_stands_twice_in_an_arm(tmp_path: Path, values: Any, section: str) -> None:
    values[section]["rates"][-1] = values[section]["rates"][0]
    assert f"want {section}.rates that differ, got" in error_of(tmp_path, values)


def test_rates_that_are_looked_for_may_be_written_alike(tmp_path: Path, values: Any) -> None:
    for section in ("finetune_target", "train_scratch"):
        values[section]["rates"] = [0.1, 0.1]
    values["training"]["find_rate"] = True
    assert params_of(tmp_path, values).finetune_target.rates == (0.1, 0.1)


def test_file_of_weights_needs_path_and_hash(tmp_path: Path, values: Any) -> None:
    values["network"]["weights"] = "file"
    assert "want weights_file and weights_sha256 with `weights: file`, got None and None" in error_of(tmp_path, values)


def test_small_cnn_has_no_published_weights(tmp_path: Path, values: Any) -> None:
    values["network"]["weights"] = "IMAGENET1K_V1"
    assert "network: want `weights: pretrain` with small_cnn, got 'IMAGENET1K_V1'." in error_of(tmp_path, values)


@pytest.mark.parametrize("section", ["pretrain_source", "training"])
def test_an_unknown_recipe_lists_the_choices(tmp_path: Path, values: Any, section: str) -> None:
    values[section]["augmentation"] = "digit"
    assert (
        f"want {section}.augmentation among recipes, got digit. Choose one of none, digits, photographs, strong, "
        "or add a recipe of that name."
    ) in error_of(tmp_path, values)


def test_a_recipe_of_ones_own_can_be_chosen(tmp_path: Path, values: Any) -> None:
    values["recipes"]["mine"] = {**values["recipes"]["none"], "flip": 1}
    values["training"]["augmentation"] = "mine"
    path = tmp_path / "params.yaml"
    path.write_text(json.dumps(values))  # which is YAML
    assert read_params(path).recipes["mine"].flip == 1


@pytest.mark.parametrize(("ops", "magnitude"), [(2, 0.0), (0, 0.3)])
def test_operations_without_strength_and_strength_without_operations_are_refused(
    tmp_path: Path, values: Any, ops: int, magnitude: float
) -> None:
    values["recipes"]["none"] |= {"ops": ops, "magnitude": magnitude}
    error = error_of(tmp_path, values)
    assert f"recipes.none: want ops and magnitude both above 0 or both 0, got {ops} and {magnitude:g}. One" in error


def test_unknown_key_of_a_recipe_names_the_nearest(tmp_path: Path, values: Any) -> None:
    values["recipes"]["none"]["rotate"] = 3
    assert "recipes.none.rotate: want a known key, got rotate. Did you mean rotation?" in error_of(tmp_path, values)


def test_wrong_value_of_a_recipe_tells_its_range(tmp_path: Path, values: Any) -> None:
    values["recipes"]["none"]["flip"] = 1.5
    error = error_of(tmp_path, values)
    assert "recipes.none.flip: want less than or equal to 1, got 1.5. It is probability of a mirror" in error


def test_missing_recipes_show_one_to_paste(tmp_path: Path, values: Any) -> None:
    pasted = error_of(tmp_path, {key: value for key, value in values.items() if key != "recipes"}).split("`")[1]
    Recipe.model_validate(_pasted(tmp_path, pasted)["recipes"]["digits"])


def test_path_without_weights_file_is_refused(tmp_path: Path, values: Any) -> None:
    values["network"]["weights_file"] = "x.pth"
    assert "want weights_file and weights_sha256 null with `weights: pretrain`" in error_of(tmp_path, values)


@pytest.mark.parametrize("given", ["bank_file", "bank_sha256"])
def test_a_bank_and_its_hash_belong_together(tmp_path: Path, values: Any, given: str) -> None:
    values["measure_shift"][given] = "a" * 64
    error = error_of(tmp_path, values)
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
    assert f"want {low} under {high}, got 0.5 and 0.4" in error_of(tmp_path, values)


def test_every_fault_is_listed(tmp_path: Path, values: Any) -> None:
    values["training"]["epochs"] = 0
    values["training"]["subsample"] = "x"
    assert len(error_of(tmp_path, values).splitlines()) == 2


def test_broken_yaml_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seed: [1\nnetwork: {")
    with pytest.raises(ValueError, match=r"want YAML, got: .*Fix that line"):
        read_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("text", ["", "- 1", "seed"])
def test_yaml_that_holds_no_keys_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"want keys and values"):
        read_params(tmp_path / "params.yaml")


def test_absent_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"want a file, got none\. Run from the top"):
        read_params(tmp_path / "params.yaml")


OF_LEARNING = {
    "accumulate": 1,
    "clip_norm": None,
    "ema_decay": None,
    "label_smoothing": 0.0,
    "mixing": "none",
    "balance": "none",
}
OFF = {
    "network.weights_file": None,
    "network.weights_sha256": None,
    "images.value_bits": None,
    "prepare_data.group_pattern": None,
    "prepare_data.group_file": None,
    "validate_data.classes": None,
    "measure_shift.bank_file": None,
    "measure_shift.bank_sha256": None,
    "select_strategy.overrule": None,
    **{f"pretrain_source.{key}": value for key, value in OF_LEARNING.items()},
    **{f"training.{key}": value for key, value in OF_LEARNING.items()},
    "training.patience": None,
    "training.find_rate": False,
    "finetune_target.keeping": "none",
    "finetune_target.adapting": "none",
    "finetune_target.tuning": "whole",
    "finetune_target.choose_by": None,
    "finetune_target.unfreeze": None,
    "finetune_target.surgical_blocks": (),
    "finetune_target.views": None,
}


def test_only_keys_that_are_then_off_have_a_default() -> None:
    defaults: dict[str, object] = {}
    for name, section in Params.model_fields.items():
        assert section.is_required()
        fields = getattr(section.annotation, "model_fields", {})
        defaults |= {f"{name}.{key}": field.default for key, field in fields.items() if not field.is_required()}
    assert defaults == OFF


def test_a_recipe_says_only_what_it_changes(tmp_path: Path, values: Any) -> None:
    spelt_out = Recipe.model_validate(values["recipes"]["none"])
    assert set(values["recipes"]["none"]) == set(Recipe.model_fields)
    values["recipes"]["mine"] = {}
    assert params_of(tmp_path, values).recipes["mine"] == spelt_out


def test_a_file_without_the_keys_that_are_off_says_the_same(tmp_path: Path, values: Any) -> None:
    whole = params_of(tmp_path, values)
    for key in OFF:
        section, name = key.split(".")
        values[section].pop(name, None)
    assert params_of(tmp_path, values) == whole


OF_THE_ARMS = {"budget": 7, "label_smoothing": 0.1, "batch_size": 64, "mixing": {"kind": "mixup", "alpha": 0.2}}


@pytest.mark.parametrize("key", OF_THE_ARMS)
def test_pretraining_has_values_of_its_own(tmp_path: Path, values: Any, key: str) -> None:
    before = params_of(tmp_path, values).pretrain_source
    values["training"][key] = OF_THE_ARMS[key]
    assert params_of(tmp_path, values).pretrain_source == before


@pytest.mark.parametrize(
    ("strategy", "key", "value", "written"),
    [
        ("gradual", "unfreeze", "schedule", "schedule"),
        ("gradual", "unfreeze", {"kind": "plateau", "patience": 3}, "plateau"),
        ("surgical", "surgical_blocks", ["block1", "\x1bblock2"], "block1, \\x1bblock2"),
    ],
)
def test_values_of_a_strategy_go_with_it(
    tmp_path: Path, values: Any, strategy: str, key: str, value: object, written: str
) -> None:
    values["finetune_target"][key] = value
    assert error_of(tmp_path, values) == (
        f"params.yaml: want no finetune_target.{key} with select_strategy.overrule null, got {written}. "
        f"Only {strategy} uses it: remove the line, or set overrule to {strategy}."
    )
    values["select_strategy"]["overrule"] = "full"
    assert f"with select_strategy.overrule full, got {written}. Only {strategy}" in error_of(tmp_path, values)
    values["select_strategy"]["overrule"] = strategy
    assert params_of(tmp_path, values).select_strategy.overrule == strategy


@pytest.mark.parametrize(("strategy", "key"), [("gradual", "unfreeze"), ("surgical", "surgical_blocks")])
def test_a_strategy_without_its_values_shows_the_line_to_paste(
    tmp_path: Path, values: Any, strategy: str, key: str
) -> None:
    values["select_strategy"]["overrule"] = strategy
    error = error_of(tmp_path, values)
    assert f"want finetune_target.{key} with select_strategy.overrule {strategy}, got none. Paste under " in error
    values["finetune_target"] |= _pasted(tmp_path, error.split("`")[3])
    assert params_of(tmp_path, values).select_strategy.overrule == strategy


def test_views_that_no_phase_would_use_are_refused(tmp_path: Path, values: Any) -> None:
    values["finetune_target"]["views"] = 2
    assert params_of(tmp_path, values).finetune_target.views == 2
    values["select_strategy"]["overrule"] = "full"
    assert "want finetune_target.views null with select_strategy.overrule full, got 2." in error_of(tmp_path, values)
    values["select_strategy"]["overrule"] = None
    values["training"]["mixing"] = {"kind": "cutmix", "alpha": 1.0}
    assert "want finetune_target.views null with training.mixing cutmix, got 2." in error_of(tmp_path, values)


EVIL = "a\x1b[2J\nseed: want 1\u202e"


@pytest.mark.parametrize("place", ["key", "recipe", "augmentation", "choice"])
def test_what_the_user_wrote_is_told_on_one_line(tmp_path: Path, values: Any, place: str) -> None:
    if place == "key":
        values[EVIL] = 1
    elif place == "recipe":
        values["recipes"][EVIL] = {"crop": 2.0}
    elif place == "augmentation":
        values["training"]["augmentation"] = EVIL
    else:
        values["training"]["optimizer"] = EVIL
    error = error_of(tmp_path, values)
    assert all(line.startswith("params.yaml") for line in error.split("\n"))
    assert not UNSEEN.search(error.replace("\n", ""))


def _with_line(path: Path, key: str, value: str) -> Path:
    """The repository's params.yaml with another value of a key, as an editor would leave it."""
    text, n = re.subn(rf"^( *{key}:) .*$", rf"\1 {value}", (ROOT / "params.yaml").read_text(), count=1, flags=re.M)
    assert n == 1
    path.write_text(text)
    return path


@pytest.mark.parametrize("written", ["1e-05", "3e-05", "1E-5", "0.00001", "1.0e-5"])
def test_a_rate_below_a_ten_thousandth_is_read(tmp_path: Path, written: str) -> None:
    params = read_params(_with_line(tmp_path / "params.yaml", "rate", written))
    assert params.pretrain_source.rate == float(written)


@pytest.mark.parametrize("rate", [3e-05, 1e-07, 0.001, 1])
def test_params_that_dvc_has_written_are_read(tmp_path: Path, rate: float) -> None:
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    with modify_yaml(path) as values:  # as `dvc exp run -S` does
        values["pretrain_source"]["rate"] = rate
        values["train_scratch"]["rates"] = values["finetune_target"]["rates"] = [rate, 0.5]
        values["validate_data"]["classes"] = ["yes", "no", "0", "1e3", "2024-01-01", "null", "true", "007", "é", " a"]
    params = read_params(path)
    assert params.pretrain_source.rate == rate
    assert params.finetune_target.rates == (rate, 0.5)
    assert params.validate_data.classes == (*("yes", "no", "0", "1e3", "2024-01-01", "null", "true", "007", "é", " a"),)


@pytest.mark.parametrize("names", [("yes", "no"), ("on", "off"), ("0", "1"), ("2024", "1.5"), ("true", "y")])
def test_class_names_are_the_text_that_stands_there(tmp_path: Path, names: tuple[str, str]) -> None:
    for written in ("{}, {}", "'{}', '{}'"):
        path = _with_line(tmp_path / "params.yaml", "classes", f"[{written.format(*names)}]")
        assert read_params(path).validate_data.classes == names


@pytest.mark.parametrize(
    "name", ["007", "1e3", "1_000", "+1", "0x1F", "True", "2024-01-01", "null", "~", "1.50", ".5", "-0"]
)
def test_a_class_name_that_yaml_takes_for_what_is_written_otherwise_is_to_be_quoted(tmp_path: Path, name: str) -> None:
    path = _with_line(tmp_path / "params.yaml", "classes", f"[{name}, b]")
    with pytest.raises(ValueError, match=r"line \d+, validate_data\.classes\.0: want a ") as caught:
        read_params(path)
    assert str(caught.value).endswith(f"Put it in quotes: '{name}'.")
    assert read_params(_with_line(path, "classes", f"['{name}', b]")).validate_data.classes == (name, "b")


def test_other_names_are_the_text_that_stands_there_too(tmp_path: Path) -> None:
    path = _with_line(tmp_path / "params.yaml", "augmentation", "2024")
    path.write_text(path.read_text().replace("  digits: {shift", "  2024: {shift").replace(": digits", ": 2024"))
    params = read_params(path)
    assert params.training.augmentation == "2024"
    assert "2024" in params.recipes


def test_a_date_is_refused_with_its_line_for_dvc_would_stop_without_one(tmp_path: Path) -> None:
    said = r"line 4, seed: want a text or a number, got the date 2024-01-01, which DVC refuses\. Put it in quotes"
    with pytest.raises(ValueError, match=said):
        read_params(_with_line(tmp_path / "params.yaml", "seed", "2024-01-01"))


HUGE = "x" * 100_000
LISTS = "[" + "a, " * 5000 + "a]"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", HUGE),
        ("seed", "9" * 4000),
        ("seed", LISTS),
        ("seed", f"{{a: {HUGE}, b: {LISTS}}}"),
        ("name", LISTS),
        ("group_pattern", HUGE),
        ("group_pattern", f"'({HUGE}'"),
        ("augmentation", HUGE),
        ("weights_sha256", HUGE),
        ("classes", "[" + "[a], " * 3000 + "[a]]"),
        ("recipes", "{" + ", ".join(f"r{n}: 0" for n in range(2000)) + "}"),
        ("recipes", "{" + HUGE + ": 0}"),
        (HUGE, "0"),
    ],
)
def test_what_is_echoed_of_a_large_value_is_short(tmp_path: Path, key: str, value: str) -> None:
    (tmp_path / "params.yaml").write_text(f"{key}: {value}\n")
    if key not in ("seed", "recipes", HUGE):
        _with_line(tmp_path / "params.yaml", key, value.replace("\\", r"\\"))
    with pytest.raises(ValueError, match="want") as caught:
        read_params(tmp_path / "params.yaml")
    assert len(str(caught.value)) < 12_000
    assert max(len(line) for line in str(caught.value).splitlines()) < 1500


def test_escape_sequences_in_a_key_reach_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text('"\\e[31mred\\n": 0\n')
    with pytest.raises(ValueError, match=r"got \\x1b\[31mred\\n\. Known here"):
        read_params(tmp_path / "params.yaml")


def test_a_file_with_windows_line_ends_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes().replace(b"\n", b"\r\n"))
    assert read_params(tmp_path / "params.yaml") == read_params(ROOT / "params.yaml")


def test_a_list_whose_items_are_refused_is_not_called_too_short(tmp_path: Path) -> None:
    path = _with_line(tmp_path / "params.yaml", "classes", "[[a], [b]]")
    with pytest.raises(ValueError, match="want") as caught:
        read_params(path)
    assert [line.split(":")[0].split(", ")[1] for line in str(caught.value).splitlines()] == [
        "validate_data.classes.0",
        "validate_data.classes.1",
    ]
