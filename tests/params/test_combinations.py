"""Techniques beside a strategy: what names them, what they want, and what does not go together."""

from pathlib import Path
from typing import Any, get_args

import pytest
from tests.params.reading import error_of, params_of, values_of

from graft.params.both_arms import FinetuneTarget, Strategy
from graft.params.combinations import (
    OFF,
    TECHNIQUES,
    effective,
    phases_as,
    techniques_on,
)
from graft.params.techniques import AdaptingChoice, KeepingChoice, TuningChoice, kind_of
from graft.yaml_files import read_yaml

BASE = ("feature_extraction", "top_blocks", "full", "gradual", "surgical", "norms")


@pytest.fixture
def values() -> Any:
    return values_of()


def _line(name: Strategy, tmp_path: Path) -> dict[str, Any]:
    """What the line to paste of a technique says."""
    (tmp_path / "line.yaml").write_text(TECHNIQUES[name].line)
    line: dict[str, Any] = read_yaml(tmp_path / "line.yaml")
    return line


def test_every_name_of_an_overrule_is_a_strategy_or_a_technique() -> None:
    assert set(get_args(Strategy)) == {*BASE, *TECHNIQUES}


@pytest.mark.parametrize(
    ("key", "choice"), [("keeping", KeepingChoice), ("adapting", AdaptingChoice), ("tuning", TuningChoice)]
)
def test_every_kind_of_a_key_is_a_technique(key: str, choice: Any) -> None:
    words: list[str] = []
    for each in get_args(get_args(choice)[0]):
        words += get_args(each.model_fields["kind"].annotation) if hasattr(each, "model_fields") else get_args(each)
    assert set(words) - {"none", "whole"} == {name for name, each in TECHNIQUES.items() if each.key == key}


@pytest.mark.parametrize("name", TECHNIQUES)
def test_a_technique_that_is_named_without_its_values_shows_the_line_to_write(
    tmp_path: Path, values: Any, name: Strategy
) -> None:
    values["select_strategy"]["overrule"] = name
    error = error_of(tmp_path, values)
    key = TECHNIQUES[name].key
    assert f"want finetune_target.{key} " in error
    assert f"with select_strategy.overrule {name}, got " in error
    (tmp_path / "pasted.yaml").write_text(error.split("`")[3])
    values["finetune_target"] |= read_yaml(tmp_path / "pasted.yaml")
    params = params_of(tmp_path, values)
    assert params.select_strategy.overrule == name
    assert techniques_on(params.finetune_target) == (name,)


def test_a_technique_of_another_kind_than_the_one_that_is_named_is_refused(tmp_path: Path, values: Any) -> None:
    values["select_strategy"]["overrule"] = "ewc"
    values["finetune_target"] |= _line("l2_sp", tmp_path)
    assert error_of(tmp_path, values) == (
        "params.yaml: want finetune_target.keeping ewc with select_strategy.overrule ewc, got l2_sp. Write under "
        "`finetune_target:` the line `  keeping: {kind: ewc, strength: 1000.0, images: 400}`, or set overrule to l2_sp."
    )


@pytest.mark.parametrize("batchnorm", [None, "frozen", "train"])
def test_adabn_wants_batchnorm_to_adapt(tmp_path: Path, values: Any, batchnorm: str | None) -> None:
    values["select_strategy"]["overrule"] = "adabn"
    values["finetune_target"]["batchnorm"] = batchnorm
    assert error_of(tmp_path, values).endswith(
        f"want finetune_target.batchnorm adapt with select_strategy.overrule adabn, got {batchnorm or 'null'}. Write "
        "under `finetune_target:` the line `  batchnorm: adapt`."
    )


@pytest.mark.parametrize("name", [name for name in TECHNIQUES if name != "adabn"])
def test_where_no_block_learns_a_technique_is_refused(tmp_path: Path, values: Any, name: Strategy) -> None:
    values["select_strategy"]["overrule"] = "feature_extraction"
    values["finetune_target"] |= _line(name, tmp_path)
    key = TECHNIQUES[name].key
    assert (
        f"want finetune_target.{key} {OFF[key]} with select_strategy.overrule feature_extraction, got {name}. No block "
        "learns under it"
    ) in error_of(tmp_path, values)


@pytest.mark.parametrize("name", ["bias", "lora", "adapters"])
def test_two_words_on_what_of_a_block_learns_are_refused(tmp_path: Path, values: Any, name: Strategy) -> None:
    values["select_strategy"]["overrule"] = "norms"
    values["finetune_target"] |= _line(name, tmp_path)
    assert f"tuning whole with select_strategy.overrule norms, got {name}. Both say what" in error_of(tmp_path, values)


@pytest.mark.parametrize("name", TECHNIQUES)
def test_views_are_refused_where_a_technique_stands_for_full(tmp_path: Path, values: Any, name: Strategy) -> None:
    values["select_strategy"]["overrule"] = name
    values["finetune_target"] |= {**_line(name, tmp_path), "views": 2}
    assert f"views null with select_strategy.overrule {name}, got 2." in error_of(tmp_path, values)


def test_techniques_compose_with_one_another_and_with_a_strategy(tmp_path: Path, values: Any) -> None:
    for name in ("lwf", "coral", "lora", "adabn"):
        values["finetune_target"] |= _line(name, tmp_path)
    values["select_strategy"]["overrule"] = "top_blocks"
    assert techniques_on(params_of(tmp_path, values).finetune_target) == ("lwf", "adabn", "coral", "lora")


@pytest.mark.parametrize("name", ["dan", "coral", "dann"])
def test_adapting_is_refused_beside_blended_images(tmp_path: Path, values: Any, name: Strategy) -> None:
    values["finetune_target"] |= _line(name, tmp_path)
    values["training"]["mixing"] = {"kind": "cutmix", "alpha": 1.0}
    assert error_of(tmp_path, values).startswith(
        f"params.yaml: want training.mixing none with finetune_target.adapting {name}, got cutmix. Images that are"
    )


def _settings(**values: Any) -> FinetuneTarget:
    return FinetuneTarget.model_validate({**values_of()["finetune_target"], **values})


def test_feature_extraction_has_no_effect_on_what_needs_a_block_that_learns() -> None:
    all_on = _settings(
        keeping={"kind": "replay", "share": 0.5}, adapting={"kind": "coral", "strength": 1}, tuning="bias",
        batchnorm="adapt", choose_by="information_maximisation",
    )  # fmt: skip
    assert effective("top_blocks", all_on) == all_on
    left = effective("feature_extraction", all_on)
    assert {key: kind_of(getattr(left, key)) for key in ("keeping", "adapting", "tuning")} == {
        key: OFF[key] for key in ("keeping", "adapting", "tuning")
    }
    assert techniques_on(left) == ("adabn",)
    assert left.choose_by == "information_maximisation"


@pytest.mark.parametrize("name", get_args(Strategy))
def test_a_technique_stands_for_the_phases_of_full(name: Strategy) -> None:
    assert phases_as(name) == ("full" if name in TECHNIQUES else name)
