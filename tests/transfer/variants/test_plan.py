"""Which trainings stand beside the arms: none in smoke, fewer labels in standard, all in thorough."""

from typing import Any

import pytest
from tests.transfer.conftest import tiny_params

from graft.params.learning import Training
from graft.params.techniques import Coral, Lora, LwF
from graft.records.common import StrategyName
from graft.records.training import RunRecord, TrainingRecord, Trial
from graft.transfer.arms.rates import RunKey
from graft.transfer.variants.plan import Arms, Variant, left_out, plan_of, reset_blocks, small_network

SEEDS = (3, 4, 5)
RATES = (0.01, 0.1)
ALL = {"block1": 0.25, "block2": 0.5, "head": 1.0}


def _arm(name: str, factors: dict[str, float], strategy: StrategyName) -> TrainingRecord:
    return TrainingRecord.model_validate(
        {
            "arm": name,
            "strategy": strategy,
            "network": "small_cnn",
            "block_factors": factors,
            "batchnorm": "train",
            "flip": 0.0,
            "rate_curve": None,
            "trials": [
                Trial(seed=s, rate=r, val_accuracy=0.5, val_loss=1.0, accuracy=0.5, loss=1.0)
                for s in SEEDS
                for r in RATES
            ],
            "runs": [_run(seed, RATES[seed % 2]) for seed in SEEDS],
        }
    )


def _run(seed: int, rate: float) -> RunRecord:
    return RunRecord(
        seed=seed,
        rate=rate,
        best_epoch=1,
        val_accuracy=0.5,
        val_loss=1.0,
        n_images_seen=9,
        weights_sha256="",
        curve=(),
        phases=(),
    )


def _arms(factors: dict[str, float] = ALL, strategy: StrategyName = "full") -> Arms:
    return Arms(_arm("transfer", factors, strategy), _arm("scratch", ALL, "scratch"))


def _training(budget: Any) -> Training:
    return tiny_params(training={"budget": budget}).training


def test_smoke_trains_nothing_and_says_so() -> None:
    assert plan_of(_arms(), _training("smoke")) == {}
    assert left_out(_arms(), _training("smoke")) == (
        "With `training.budget: smoke` nothing is trained beside the two arms.",
    )


@pytest.mark.parametrize("budget", ["standard", 3])
def test_standard_and_numbers_train_fewer_labels_with_two_seeds_and_a_small_network_with_one(budget: Any) -> None:
    plan = plan_of(_arms(), _training(budget))
    names = {variant.name: len(runs) for variant, runs in plan.items()}
    assert names == {
        "small": 2,
        **{f"{arm}{percent}": 2 for arm in ("transfer", "scratch") for percent in (10, 25, 50)},
    }
    assert "thorough" in " ".join(left_out(_arms(), _training(budget)))


def test_with_fewer_labels_a_seed_keeps_its_rate() -> None:
    runs = plan_of(_arms(), _training("standard"))[Variant("transfer", 0.25)]
    assert runs == (RunKey(3, 0.1, "transfer25"), RunKey(4, 0.01, "transfer25"))


def test_thorough_adds_shuffled_weights_at_all_rates_and_reset_blocks_at_that_of_the_seed() -> None:
    plan = plan_of(_arms(), _training("thorough"))
    assert {(run.seed, run.rate) for run in plan[Variant("shuffled")]} == {(s, r) for s in SEEDS for r in RATES}
    assert [variant.block for variant in plan if variant.kind == "reset"] == ["block2", "block1"]
    assert [run.rate for run in plan[Variant("reset", block="block1")]] == [0.1, 0.01, 0.1]
    assert len(plan[Variant("scratch", 0.1)]) == len(SEEDS)
    assert left_out(_arms(), _training("thorough")) == ()


@pytest.mark.parametrize(
    ("factors", "strategy", "blocks"),
    [
        (ALL, "full", ("block2", "block1")),
        ({"block1": 0.0, "block2": 0.5, "head": 1.0}, "top_blocks", ("block2",)),
        ({"block1": 1.0, "block2": 0.0, "head": 1.0}, "surgical", ()),
        (ALL, "norms", ()),
    ],
)
def test_blocks_are_reset_from_the_top_as_far_as_they_are_trained_whole(
    factors: dict[str, float], strategy: StrategyName, blocks: tuple[str, ...]
) -> None:
    arms = _arms(factors, strategy)
    assert reset_blocks(arms.transfer) == blocks
    assert left_out(arms, _training("thorough")) == (
        () if blocks else (f"No block is reset: {strategy} trains none of them whole.",)
    )


def _with(**changes: object) -> Arms:
    arms = _arms()
    return arms._replace(transfer=arms.transfer.model_copy(update=changes))


def test_where_transfer_keeps_what_was_learned_no_weights_are_altered_and_the_reason_is_said() -> None:
    arms = _with(keeping=LwF(kind="lwf", strength=1.0, temperature=2.0))
    plan = plan_of(arms, _training("thorough"))
    assert {variant.kind for variant in plan} == {"small", "scratch", "transfer"}
    (said,) = left_out(arms, _training("thorough"))
    assert "as transfer keeps what was learned (lwf)" in said


def test_where_blocks_are_tuned_little_none_is_reset_but_weights_are_shuffled() -> None:
    arms = _with(tuning=Lora(kind="lora", rank=8, alpha=16.0))
    kinds = {variant.kind for variant in plan_of(arms, _training("thorough"))}
    assert "shuffled" in kinds
    assert "reset" not in kinds
    assert left_out(arms, _training("thorough")) == ("No block is reset: full with lora trains none of them whole.",)


def test_adapting_is_no_reason_to_leave_anything_out() -> None:
    assert plan_of(_with(adapting=Coral(kind="coral", strength=1.0)), _training("thorough")) == plan_of(
        _arms(), _training("thorough")
    )


def test_no_two_runs_have_one_name() -> None:
    plan = plan_of(_arms(), _training("thorough"))
    runs = [run for each in plan.values() for run in each]
    assert len(set(runs)) == len(runs)


def test_the_small_network_is_smaller_than_the_one_it_stands_beside() -> None:
    assert (small_network("resnet18"), small_network("small_cnn")) == ("small_cnn", "tiny_cnn")
