"""Every strategy with every way to tune little, to keep and to adapt: a plan whose first step works, or a sentence."""

from itertools import product
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from graft.params.combinations import effective
from graft.training.loop import fit
from graft.training.phases import frozen_sha256
from graft.transfer.companions import Companions
from graft.transfer.finetuning.finetune import by_steps
from graft.transfer.finetuning.task import TransferTask, start_of, with_head
from graft.transfer.finetuning.techniques import plan_of
from tests.transfer.conftest import strategy, tiny_backbone, tiny_data, tiny_params

STRATEGIES: dict[str, dict[str, Any]] = {
    "feature_extraction": {},
    "top_blocks": {},
    "full": {},
    "gradual": {"unfreeze": "schedule"},
    "surgical": {"surgical_blocks": ["block2"]},
    "norms": {},
}
TUNING = ("whole", "bias", {"kind": "lora", "rank": 2, "alpha": 4.0}, {"kind": "adapters", "width": 4})
KEEPING = (
    "none",
    {"kind": "l2_sp", "strength": 0.01},
    {"kind": "ewc", "strength": 1.0, "images": 8},
    {"kind": "lwf", "strength": 1.0, "temperature": 2.0},
    {"kind": "replay", "share": 0.3},
)
ADAPTING = (
    "none",
    {"kind": "dan", "strength": 1.0, "blocks": ["block3", "block4"]},
    {"kind": "coral", "strength": 1.0},
    {"kind": "dann", "strength": 1.0},
)
# what the pretrained weights are held by has no hold on weights beside them
HELD = {"l2_sp", "ewc"}
BESIDE = {"lora", "adapters"}


def _kind(value: Any) -> str:
    return value if isinstance(value, str) else value["kind"]


def _refused(choice: str, tuning: Any, keeping: Any, overruled: bool) -> bool:
    if _kind(keeping) in HELD and _kind(tuning) in BESIDE:
        return True
    return overruled and choice == "norms" and tuning != "whole"


def _task(choice: str, overruled: bool, **arm: Any) -> TransferTask:
    params = tiny_params(
        finetune_target={**STRATEGIES[choice], **arm},
        select_strategy={"overrule": choice if overruled or STRATEGIES[choice] else None},
        training={"epochs": 1},
    )
    data = tiny_data()
    companions = Companions(source=data.train, unlabelled=data.train.images)
    return TransferTask(tiny_backbone()._replace(source_head=True), data, strategy(choice), params, companions)


@pytest.mark.parametrize("tuning", TUNING, ids=_kind)
@pytest.mark.parametrize("choice", STRATEGIES)
def test_every_combination_has_a_plan_or_a_sentence(choice: str, tuning: Any) -> None:
    for keeping, adapting in product(KEEPING, ADAPTING):
        arm = {"tuning": tuning, "keeping": keeping, "adapting": adapting}
        if _refused(choice, tuning, keeping, overruled=False):
            with pytest.raises(ValidationError, match="want finetune_target"):
                _task(choice, False, **arm)
            continue
        task = _task(choice, False, **arm)
        start = start_of(task)
        plan = plan_of(task, start, 0.001)
        left = effective(task.strategy.choice, task.params.finetune_target)
        n_terms = (left.keeping != "none") + (left.adapting != "none")
        assert len(plan.terms) == n_terms
        network = with_head(task, start, torch.arange(8).numpy(), 1.0)
        # what learns is known, and what does not is hashed
        hashes = [frozen_sha256(network, phase, plan.batchnorm) for phase in plan.phases]
        whole = choice in ("full", "gradual") and tuning == "whole"
        assert (hashes[-1] is None) == whole


@pytest.mark.parametrize("tuning", TUNING, ids=_kind)
@pytest.mark.parametrize("choice", ["feature_extraction", "norms"])
def test_what_params_can_see_is_refused_where_the_strategy_is_named(choice: str, tuning: Any) -> None:
    if tuning == "whole":
        _task(choice, True)
    else:
        with pytest.raises(ValidationError, match=r"finetune_target\.tuning whole with select_strategy"):
            _task(choice, True, tuning=tuning)


@pytest.mark.parametrize(
    ("choice", "tuning", "keeping", "adapting"),
    [
        ("top_blocks", 2, 3, 1),
        ("gradual", 3, 4, 3),
        ("surgical", 1, 2, 2),
        ("norms", 0, 1, 1),
        ("full", 2, 4, 2),
    ],
)
def test_combinations_are_trained_to_the_end(choice: str, tuning: int, keeping: int, adapting: int) -> None:
    task = _task(choice, False, tuning=TUNING[tuning], keeping=KEEPING[keeping], adapting=ADAPTING[adapting])
    assert by_steps(task)
    start = start_of(task)
    network, plan = with_head(task, start, torch.arange(24).numpy(), 1.0), plan_of(task, start, 0.001)
    fitted = fit(network, task.data.train, task.data.val, plan, 0, lambda n: None)
    assert fitted.n_seen == 24
    assert all(torch.isfinite(torch.tensor([each.train_loss, each.val_loss])).all() for each in fitted.curve)
