"""Which arm ships, why, and which of its runs."""

from typing import get_args

import pytest
from tests.decisions.verdict.arms import judged, params, run_of, trained
from tests.examples import catalog_record
from tests.house import ROOT

from graft.decisions.verdict.shipping import Cost, cost_of, median_run, pretraining_images, shipped_arm
from graft.params.pipeline import read_params
from graft.records.common import Arm, Outcome

DEAR_TRANSFER, DEAR_SCRATCH = Cost(300, 100), Cost(100, 300)


def test_a_gain_ships_transfer_whatever_it_costs() -> None:
    assert shipped_arm("POSITIVE", DEAR_TRANSFER, params(on_inconclusive="ship_cheapest")).arm == "transfer"


@pytest.mark.parametrize(("cost", "arm"), [(DEAR_TRANSFER, "scratch"), (DEAR_SCRATCH, "transfer")])
def test_equivalent_arms_ship_the_cheaper_to_make(cost: Cost, arm: Arm) -> None:
    shipped = shipped_arm("EQUIVALENT", cost, params())
    assert shipped.arm == arm
    assert "100 images pass through its training steps, 300 through those of the other arm" in shipped.because


def test_of_arms_that_cost_the_same_the_control_ships() -> None:
    shipped = shipped_arm("EQUIVALENT", Cost(100, 100), params())
    assert shipped.arm == "scratch"
    assert "needs no other weights" in shipped.because


@pytest.mark.parametrize(
    ("policy", "cost", "arm"),
    [
        ("warn", DEAR_TRANSFER, "transfer"),
        ("fail", DEAR_TRANSFER, "transfer"),
        ("ship_cheapest", DEAR_TRANSFER, "scratch"),
        ("ship_cheapest", DEAR_SCRATCH, "transfer"),
    ],
)
def test_an_open_verdict_ships_what_params_say(policy: str, cost: Cost, arm: Arm) -> None:
    shipped = shipped_arm("INCONCLUSIVE", cost, params(on_inconclusive=policy))
    assert shipped.arm == arm
    assert f"check_transfer.on_inconclusive says {policy}" in shipped.because


@pytest.mark.parametrize(("policy", "arm"), [("fail", "transfer"), ("warn", "transfer"), ("ship_scratch", "scratch")])
def test_a_loss_ships_the_control_only_if_params_say_so(policy: str, arm: Arm) -> None:
    shipped = shipped_arm("NEGATIVE", DEAR_SCRATCH, params(on_negative=policy))
    assert shipped.arm == arm
    assert f"check_transfer.on_negative says {policy}" in shipped.because


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_the_reason_is_one_sentence(outcome: Outcome) -> None:
    because = shipped_arm(outcome, DEAR_TRANSFER, params()).because
    assert because[0].isupper()
    assert because.endswith(".")


def test_making_an_arm_costs_the_images_of_a_run_and_transfer_those_of_its_pretraining() -> None:
    transfer, scratch = trained("transfer", n_images_seen=100), trained("scratch", n_images_seen=300)
    assert cost_of(transfer, scratch, 0) == (100, 300)
    assert cost_of(transfer, scratch, 250) == (350, 300)


def test_only_weights_that_are_made_here_cost_a_pretraining() -> None:
    values, catalog = read_params(ROOT / "params.yaml"), catalog_record("folders")
    made = values.model_copy(update={"network": values.network.model_copy(update={"weights": "pretrain"})})
    given = values.model_copy(update={"network": values.network.model_copy(update={"weights": "IMAGENET1K_V1"})})
    # the train split of the source has one image of each of two classes
    assert pretraining_images(made, catalog) == 2 * values.pretrain_source.epochs
    assert pretraining_images(given, catalog) == 0


@pytest.mark.parametrize(
    ("runs", "seed"),
    [
        ([(0, 0.5, 1.0), (1, 0.9, 1.0), (2, 0.7, 1.0)], 2),
        ([(0, 0.5, 1.0), (1, 0.9, 1.0), (2, 0.7, 1.0), (3, 0.6, 1.0)], 3),  # the lower of the middle two
        ([(0, 0.7, 0.9), (1, 0.7, 0.4), (2, 0.7, 0.4)], 1),  # equals: lowest loss, then lowest seed
        ([(9, 0.7, 0.4), (3, 0.7, 0.4), (5, 0.9, 0.1)], 3),
    ],
)
def test_the_median_run_ships(runs: list[tuple[int, float, float]], seed: int) -> None:
    records = tuple(run_of(*each) for each in runs)
    assert records[median_run(records)].seed == seed


def test_the_shipped_model_is_a_run_of_the_shipped_arm() -> None:
    refused, control = (judged(0.5, 0.9, on_negative=policy) for policy in ("fail", "ship_scratch"))
    # seed 2 has the median of VAL_ACCURACIES in both arms
    assert (refused.ships, refused.ships_seed, control.ships, control.ships_seed) == ("transfer", 2, "scratch", 2)
    assert abs(refused.ships_score - 0.5) < 0.1
    assert abs(control.ships_score - 0.9) < 0.1


def test_the_median_is_by_the_score_of_unlabelled_images_where_it_chose_the_runs() -> None:
    scores = (3.0, 1.0, 2.0)
    runs = tuple(
        run_of(seed, 0.9 - seed / 10).model_copy(update={"unlabelled_score": scores[seed]}) for seed in range(3)
    )
    assert median_run(runs) == 2
