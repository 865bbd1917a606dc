"""A key that names a choice: a bare word, or a mapping with `kind` where the choice has values of its own."""

from pathlib import Path

import pytest
from tests.params.reading import error_of, params_of, values_of

from graft.params.both_arms import FinetuneTarget, Plateau
from graft.params.learning import Mixing, Sgd, WarmRestarts


@pytest.mark.parametrize("section", ["pretrain_source", "training"])
@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("optimizer", "adamw", "adamw"),
        ("optimizer", {"kind": "sgd", "momentum": 0.5}, Sgd(kind="sgd", momentum=0.5)),
        ("schedule", "constant", "constant"),
        ("schedule", {"kind": "warm_restarts", "restarts": 4}, WarmRestarts(kind="warm_restarts", restarts=4)),
        ("mixing", {"kind": "mixup", "alpha": 0.2}, Mixing(kind="mixup", alpha=0.2)),
        ("mixing", {"kind": "cutmix", "alpha": 1}, Mixing(kind="cutmix", alpha=1.0)),
    ],
)
def test_a_choice_is_a_word_or_a_mapping(tmp_path: Path, section: str, key: str, value: object, read: object) -> None:
    values = values_of()
    values[section][key] = value
    assert getattr(getattr(params_of(tmp_path, values), section), key) == read


SGD, MIXUP, CUTMIX = "{kind: sgd, momentum: 0.9}", "{kind: mixup, alpha: 0.2}", "{kind: cutmix, alpha: 0.2}"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("optimizer", "sgd", f": want adamw or {SGD}, got 'sgd'. sgd has values of its own: write `optimizer: {SGD}`."),
        (
            "optimizer",
            {"kind": "adamw", "momentum": 0.9},
            f": want adamw or {SGD}, got {{'kind': 'adamw', 'momentum': 0.9}}. adamw has no values of its own: write "
            "`optimizer: adamw`.",
        ),
        ("optimizer", "Adam", f": want adamw or {SGD}, got 'Adam'. It is adamw, or sgd with its momentum."),
        ("optimizer", None, f": want adamw or {SGD}, got None. It is adamw, or sgd with its momentum."),
        ("optimizer", {"kind": "sgd"}, f".momentum: want this key, got none. Write `optimizer: {SGD}`."),
        ("optimizer", {"momentum": 0.9}, f": want adamw or {SGD}, got {{'momentum': 0.9}}. It is adamw, or"),
        (
            "optimizer",
            {"kind": "sgd", "momentum": 0, "x": 1},
            ".x: want a known key, got x. Known here: kind",
        ),
        ("mixing", {"kind": "cutmix"}, f".alpha: want this key, got none. Write `mixing: {CUTMIX}`."),
        (
            "mixing",
            "cutmix",
            f": want none, {MIXUP} or {CUTMIX}, got 'cutmix'. cutmix has values of",
        ),
        ("mixing", {"kind": "mixup", "alpha": 11}, ".alpha: want less than or equal to 10, got 11. It is parameter of"),
        ("schedule", {"kind": ["x"]}, ": want one_cycle, cosine, constant or {kind: warm_restarts, restarts: 3}, got"),
    ],
)
def test_what_is_wrong_with_a_choice_is_one_sentence(tmp_path: Path, key: str, value: object, said: str) -> None:
    values = values_of()
    values["training"][key] = value
    error = error_of(tmp_path, values)
    assert error.startswith(f"params.yaml, training.{key}{said[:4]}")
    assert said in error
    assert "\n" not in error


@pytest.mark.parametrize(
    ("old", "said"),
    [
        ("network.head", "Move this line to `training:`."),
        (
            "training.momentum",
            "It belongs to `optimizer: {kind: sgd, momentum: 0.9}`. Remove this line",
        ),
        ("training.restarts", "They belong to `schedule: {kind: warm_restarts, restarts: 3}`."),
        ("training.mixing_alpha", "`mixing: {kind: mixup, alpha: 0.2}`. Remove this line; `mixing: none` has none."),
        ("training.n_seeds", "Write `budget: standard` for 5 seeds, smoke for 2, thorough for 8"),
        ("check_transfer.confidence", "Write `level: 0.05` in place of `confidence: 0.95`"),
        ("finetune_target.unfreeze_patience", "It belongs to `unfreeze: {kind: plateau, patience: 2}`"),
    ],
)
def test_a_key_of_older_files_is_told_where_it_went(tmp_path: Path, old: str, said: str) -> None:
    values = values_of()
    section, key = old.split(".")
    values[section][key] = 1
    error = error_of(tmp_path, values)
    assert error.startswith(f"params.yaml, {old}: want a known key, got {key}. ")
    assert said in error


def test_a_section_of_older_files_is_told_where_its_values_went(tmp_path: Path) -> None:
    error = error_of(tmp_path, {**values_of(), "gate_release": {"on_inconclusive": "warn"}})
    assert "Move its line on_inconclusive to `check_transfer:`, and remove this section." in error


def test_a_choice_may_be_given_as_its_section() -> None:
    plateau, values = Plateau(kind="plateau", patience=3), values_of()["finetune_target"]
    assert FinetuneTarget.model_validate({**values, "unfreeze": plateau}).unfreeze == plateau
