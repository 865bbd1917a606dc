"""Every value of params.yaml that training reads stands in the plan of a run."""

import pytest
import torch
from tests.transfer.conftest import tiny_params

from graft.params.learning import Mixing, Sgd, Training, WarmRestarts
from graft.training.optimisation import Optimisation
from graft.training.phases import Phase
from graft.training.plans import plan_of
from graft.training.steps import Plan

PHASE = Phase("phase", {"head": 0.1}, 3, None, norms_only=False)
OF_THE_ARM = {"head", "n_seeds", "epochs", "patience", "find_rate", "subsample", "augmentation"}
"""values that decide what is run with which phases, not how a run goes"""
OTHERS = {
    "batch_size": 5,
    "accumulate": 7,
    "optimizer": {"kind": "sgd", "momentum": 0.55},
    "weight_decay": 0.33,
    "schedule": {"kind": "warm_restarts", "restarts": 9},
    "warmup": 0.11,
    "clip_norm": 1.5,
    "ema_decay": 0.77,
    "label_smoothing": 0.22,
    "mixing": {"kind": "cutmix", "alpha": 0.44},
    "balance": "sampling",
}


def planned(**changes: object) -> Plan:
    params = tiny_params(training=changes)
    return plan_of((PHASE,), params.training, params.recipes["strong"], torch.bfloat16)


def test_every_value_of_a_run_is_tried_below() -> None:
    assert set(OTHERS) | OF_THE_ARM == set(Training.model_fields)


@pytest.mark.parametrize("name", OTHERS)
def test_another_value_makes_another_plan(name: str) -> None:
    assert planned(**{name: OTHERS[name]}) != planned()


def test_values_stand_in_their_places() -> None:
    plan = planned(**OTHERS)
    sgd, restarts = Sgd(kind="sgd", momentum=0.55), WarmRestarts(kind="warm_restarts", restarts=9)
    assert plan.optimisation == Optimisation(sgd, 0.33, restarts, 0.11, 1.5, 7)
    assert (plan.batch_size, plan.ema_decay, plan.label_smoothing, plan.balance) == (5, 0.77, 0.22, "sampling")
    assert plan.mixing == Mixing(kind="cutmix", alpha=0.44)
    assert plan.recipe == tiny_params().recipes["strong"]
    assert (plan.phases, plan.precision) == ((PHASE,), torch.bfloat16)


def test_nothing_is_mixed_unless_params_say_so() -> None:
    assert planned(mixing="none").mixing is None


def test_both_arms_share_all_but_phases_batchnorm_and_views() -> None:
    training, recipe = tiny_params().training, tiny_params().recipes["digits"]
    one = plan_of((PHASE,), training, recipe, torch.float32, batchnorm="adapt", views=4)
    other = plan_of((PHASE,), training, recipe, torch.float32)
    assert (one.batchnorm, one.views, other.batchnorm, other.views) == ("adapt", 4, "train", None)
    assert one._replace(batchnorm="train", views=None) == other
