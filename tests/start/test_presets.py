"""What a first run is set to; values are held where they follow from something, not one by one."""

from typing import Any, get_args

import pytest
from tests.house import ROOT

from graft.params.pipeline import Params
from graft.start.presets import Budget, Wanted, preset
from graft.yaml_files import read_yaml

BUDGETS: tuple[Budget, ...] = get_args(Budget)
PHOTOGRAPHS = Wanted(
    network="mobilenet_v2",
    weights="file",
    size_px=None,
    budget="standard",
    n_train=208,
    short_px=375,
    grey=False,
)
DIGITS = PHOTOGRAPHS._replace(network="small_cnn", weights="pretrain", short_px=28, grey=True, n_train=1000)
CASES = [
    each._replace(budget=budget, n_train=n) for each in (PHOTOGRAPHS, DIGITS) for budget in BUDGETS for n in (28, 9000)
]


def filled_in(values: dict[str, Any]) -> Params:
    """params.yaml with these values."""
    raw = read_yaml(ROOT / "params.yaml")
    for name, value in values.items():
        section, key = name.split(".")
        assert key in raw[section]
        raw[section][key] = value
    return Params.model_validate(raw)


@pytest.mark.parametrize("wanted", CASES)
def test_params_yaml_takes_the_values(wanted: Wanted) -> None:
    assert filled_in(preset(wanted)).training.epochs >= 1


@pytest.mark.parametrize("wanted", CASES)
def test_both_arms_have_a_rate_inside_their_grid(wanted: Wanted) -> None:
    values = preset(wanted)
    for arm in ("finetune_target", "train_scratch"):
        rates = values[f"{arm}.rates"]
        assert len(rates) >= 3
        assert rates == sorted(set(rates))


@pytest.mark.parametrize("wanted", CASES)
def test_rates_of_the_control_lie_above_those_of_transfer(wanted: Wanted) -> None:
    values = preset(wanted)
    pairs = zip(values["finetune_target.rates"], values["train_scratch.rates"], strict=True)
    assert all(scratch > transfer for transfer, scratch in pairs)


@pytest.mark.parametrize("wanted", [PHOTOGRAPHS, DIGITS])
@pytest.mark.parametrize("key", ["training.epochs", "images.size_px", "extract_features.sample_images"])
def test_a_larger_budget_never_spends_less(wanted: Wanted, key: str) -> None:
    spent = [preset(wanted._replace(budget=budget))[key] for budget in BUDGETS]
    assert spent == sorted(spent)


@pytest.mark.parametrize("budget", BUDGETS)
def test_the_budget_itself_stands_in_params_and_names_the_seeds(budget: Budget) -> None:
    values = preset(PHOTOGRAPHS._replace(budget=budget))
    assert values["training.budget"] == budget
    assert filled_in(values).training.n_seeds == {"smoke": 2, "standard": 5, "thorough": 8}[budget]


def test_the_same_values_do_not_share_their_lists() -> None:
    preset(PHOTOGRAPHS)["train_scratch.rates"].clear()
    assert preset(PHOTOGRAPHS)["train_scratch.rates"]


def test_a_size_that_was_asked_for_stays() -> None:
    assert preset(PHOTOGRAPHS._replace(size_px=80))["images.size_px"] == 80
    assert preset(PHOTOGRAPHS._replace(size_px=0))["images.size_px"] == 0, "to be refused, and not to be overlooked"


def test_photographs_are_not_enlarged() -> None:
    assert preset(PHOTOGRAPHS._replace(short_px=100))["images.size_px"] == 96


def test_pictures_of_64_px_are_small_and_are_enlarged_as_smaller_ones_are() -> None:
    sizes = {preset(PHOTOGRAPHS._replace(short_px=each))["images.size_px"] for each in (28, 64)}
    assert len(sizes) == 1


@pytest.mark.parametrize("short_px", [8, 28, 64])
def test_small_pictures_are_smaller_than_photographs(short_px: int) -> None:
    small, large = (preset(PHOTOGRAPHS._replace(short_px=each))["images.size_px"] for each in (short_px, 65 * 2))
    assert small < large


def test_a_network_that_takes_no_small_images_gets_larger_ones() -> None:
    assert preset(PHOTOGRAPHS._replace(network="inception_v3", short_px=28, budget="smoke"))["images.size_px"] == 96


def test_a_network_that_takes_one_size_gets_it() -> None:
    assert preset(PHOTOGRAPHS._replace(network="maxvit_t"))["images.size_px"] == 224


def test_grey_pictures_which_may_have_a_left_and_a_right_are_not_mirrored() -> None:
    params = filled_in(preset(PHOTOGRAPHS._replace(grey=True)))
    assert params.recipes[params.training.augmentation].flip == 0


def test_photographs_are_mirrored() -> None:
    params = filled_in(preset(PHOTOGRAPHS))
    assert params.recipes[params.training.augmentation].flip > 0


@pytest.mark.parametrize("n_train", [28, 70, 120])
def test_few_images_give_as_many_steps_as_more(n_train: int) -> None:
    def steps(n: int) -> int:
        values = preset(PHOTOGRAPHS._replace(n_train=n))
        return int(values["training.epochs"] * -(-round(0.9 * n) // values["training.batch_size"]))

    assert steps(n_train) >= steps(208)


def test_many_images_get_fewer_epochs() -> None:
    few, many = (preset(PHOTOGRAPHS._replace(n_train=n))["training.epochs"] for n in (1999, 2000))
    assert many < few


def test_pretraining_is_set_where_weights_are_made_here_alone() -> None:
    published, here = (
        {key for key in preset(each) if key.startswith("pretrain_source.")} for each in (PHOTOGRAPHS, DIGITS)
    )
    assert (published, here) == (
        set(),
        {f"pretrain_source.{key}" for key in ("epochs", "rate", "batch_size", "augmentation")},
    )


@pytest.mark.parametrize("grey", [True, False])
def test_pretraining_has_the_batches_and_the_augmentation_of_the_arms(grey: bool) -> None:
    values = preset(DIGITS._replace(grey=grey, n_train=100))
    assert (values["pretrain_source.batch_size"], values["pretrain_source.augmentation"]) == (
        values["training.batch_size"],
        values["training.augmentation"],
    )


def test_another_network_that_is_pretrained_here_has_its_own_rates() -> None:
    values = preset(DIGITS._replace(network="resnet18"))
    assert max(values["finetune_target.rates"]) < max(preset(DIGITS)["finetune_target.rates"])
    assert values["pretrain_source.rate"] < preset(DIGITS)["pretrain_source.rate"]
