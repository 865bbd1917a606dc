"""The two arms side by side: what they must share, what they may not."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from graft.networks.networks import Network, state_sha256
from graft.networks.outputs import Score
from graft.networks.saving import load_network
from graft.params.pipeline import Params
from graft.records.training import RateCurve, TrainingRecord
from graft.training import steps
from graft.training.batches import Samples
from graft.training.checkpoints import Keeper
from graft.training.loop import Fitted
from graft.training.phases import equal_rates
from graft.training.steps import Plan, Tick
from graft.transfer import control
from graft.transfer.arms.rates import rates_around
from graft.transfer.arms.target_data import TargetData, part_of, seen_by
from graft.transfer.control import train_scratch
from graft.transfer.finetuning import finetune
from graft.transfer.finetuning.finetune import finetune_target
from graft.transfer.finetuning.strategies import block_rates
from graft.transfer.finetuning.task import Backbone, TransferTask
from tests.transfer.conftest import strategy, tiny_params


class Call(NamedTuple):
    """What one run was given."""

    start_sha256: str
    train: Samples
    val: Samples
    plan: Plan
    seed: int


Accuracy = Callable[[Plan], float]


def _spy(monkeypatch: pytest.MonkeyPatch, module: object, accuracy: Accuracy) -> list[Call]:
    """Put in place of `fit` a recorder that marks the network with its rate and gives it that accuracy."""
    calls: list[Call] = []

    def fit(
        network: Network, train: Samples, val: Samples, plan: Plan, seed: int, tick: Tick, keeper: Keeper
    ) -> Fitted:
        tick(0)
        calls.append(Call(state_sha256([network]), train, val, plan, seed))
        with torch.no_grad():
            network.head.state_dict()["bias"].fill_(plan.phases[0].rates["head"])
        return Fitted(1, Score(0.5, accuracy(plan)), (), (), 0)

    monkeypatch.setattr(module, "fit", fit)
    # the accuracy given decides alone
    monkeypatch.setattr(module, "judged", lambda network, fitted, *_: fitted)
    return calls


def _params() -> Params:
    return tiny_params(training={"budget": 3, "subsample": 0.5, "weight_decay": 0.03, "patience": 7})


@pytest.fixture
def transfer(
    monkeypatch: pytest.MonkeyPatch, backbone: Backbone, data: TargetData, tmp_path: Path
) -> tuple[list[Call], TrainingRecord]:
    calls = _spy(monkeypatch, finetune, lambda plan: plan.phases[0].rates["head"])
    record = finetune_target(
        TransferTask(backbone, data, strategy("full"), _params()), tmp_path / "transfer", tmp_path / "half"
    )
    return calls, record


def _scratch(
    monkeypatch: pytest.MonkeyPatch, data: TargetData, folder: Path, accuracy: Accuracy
) -> tuple[list[Call], TrainingRecord]:
    calls = _spy(monkeypatch, control, accuracy)
    return calls, train_scratch(data, _params(), folder, folder.parent / "half_scratch")


def _same(one: Samples, two: Samples) -> bool:
    return torch.equal(one.images, two.images) and torch.equal(one.labels, two.labels)


def test_arms_share_images_order_augmentation_and_all_but_rates(
    monkeypatch: pytest.MonkeyPatch, transfer: tuple[list[Call], TrainingRecord], data: TargetData, tmp_path: Path
) -> None:
    scratch, _ = _scratch(monkeypatch, data, tmp_path / "scratch", lambda plan: plan.phases[0].rates["head"])
    assert len(transfer[0]) == 6
    for one, two in zip(transfer[0], scratch, strict=True):
        assert one.seed == two.seed
        assert _same(one.train, two.train)
        assert _same(one.val, two.val)
        assert one.plan._replace(phases=()) == two.plan._replace(phases=())
        assert [each.patience for each in one.plan.phases] == [each.patience for each in two.plan.phases]


def test_a_run_sees_the_subsample_of_its_seed(transfer: tuple[list[Call], TrainingRecord], data: TargetData) -> None:
    for call in transfer[0]:
        places = seen_by(data, _params().training, call.seed)
        assert len(places) == 12
        assert _same(call.train, part_of(data.train, places))


def test_both_arms_judge_a_run_by_images_that_it_was_not_trained_on(
    monkeypatch: pytest.MonkeyPatch, backbone: Backbone, data: TargetData, tmp_path: Path
) -> None:
    judged: list[tuple[int, ...]] = []

    def record(network: Network, fitted: Fitted, data: TargetData, plan: Plan, places: NDArray[np.int64]) -> Fitted:
        judged.append(tuple(places.tolist()))
        return fitted

    for module in (finetune, control):
        _spy(monkeypatch, module, lambda plan: 0.5)
        monkeypatch.setattr(module, "judged", record)
    finetune_target(TransferTask(backbone, data, strategy("full"), _params()), tmp_path / "transfer", tmp_path / "half")
    train_scratch(data, _params(), tmp_path / "scratch", tmp_path / "half_scratch")
    seen = [set(seen_by(data, _params().training, seed).tolist()) for seed in (0, 0, 1, 1, 2, 2)]
    others = [tuple(sorted(set(range(24)) - each)) for each in seen]
    assert judged == [*others, *others]


def test_plans_hold_what_params_say(transfer: tuple[list[Call], TrainingRecord], backbone: Backbone) -> None:
    params = _params()
    for call, rate in zip(transfer[0], (0.001, 0.01) * 3, strict=True):
        assert call.plan.phases[0].epochs == params.training.epochs
        assert call.plan.phases[0].patience == 7
        assert call.plan.learning == params.training
        assert call.plan.recipe == params.recipes["digits"]
        assert call.plan.phases[0].rates == block_rates(
            "full", list(backbone.network.blocks), rate, params.finetune_target
        )


def test_every_seed_tries_every_rate_in_both_arms(
    monkeypatch: pytest.MonkeyPatch, transfer: tuple[list[Call], TrainingRecord], data: TargetData, tmp_path: Path
) -> None:
    scratch, _ = _scratch(monkeypatch, data, tmp_path / "scratch", lambda plan: plan.phases[0].rates["head"])
    for calls in (transfer[0], scratch):
        tried = [(call.seed, call.plan.phases[0].rates["head"]) for call in calls]
        assert tried == [(seed, rate) for seed in (0, 1, 2) for rate in (0.001, 0.01)]


def test_the_control_runs_at_one_rate_for_all_blocks_and_longer_than_transfer(
    monkeypatch: pytest.MonkeyPatch, data: TargetData, tmp_path: Path
) -> None:
    calls, _ = _scratch(monkeypatch, data, tmp_path / "scratch", lambda plan: plan.phases[0].rates["head"])
    assert {call.plan.phases[0].epochs for call in calls} == {4}
    blocks = [name for name in calls[0].plan.phases[0].rates if name != "head"]
    assert all(call.plan.phases[0].rates == equal_rates(blocks, call.plan.phases[0].rates["head"]) for call in calls)


def test_the_control_starts_elsewhere_with_each_seed_and_alike_at_each_rate(
    monkeypatch: pytest.MonkeyPatch, data: TargetData, tmp_path: Path
) -> None:
    calls, _ = _scratch(monkeypatch, data, tmp_path / "scratch", lambda plan: plan.phases[0].rates["head"])
    starts = {(call.seed, call.start_sha256) for call in calls}
    assert len(starts) == 3


def test_each_seed_takes_its_own_best_rate_and_the_weights_of_that_run(
    monkeypatch: pytest.MonkeyPatch, data: TargetData, tmp_path: Path
) -> None:
    best = {0: 0.01, 1: 0.001, 2: 0.01}
    calls = list[Call]()

    def accuracy(plan: Plan) -> float:
        return 0.9 if plan.phases[0].rates["head"] == best[calls[-1].seed] else 0.8

    calls = _spy(monkeypatch, control, accuracy)
    record = train_scratch(data, _params(), tmp_path / "scratch", tmp_path / "half")
    assert {run.seed: run.rate for run in record.runs} == best
    assert sorted(each.name for each in (tmp_path / "scratch").iterdir()) == [
        f"seed_{seed}.safetensors" for seed in range(3)
    ]
    for seed, rate in best.items():
        bias = load_network(tmp_path / "scratch" / f"seed_{seed}.safetensors").head.state_dict()["bias"]
        assert bias[0] == pytest.approx(rate)


def test_both_arms_look_for_the_rate_on_the_images_of_the_first_seed(
    monkeypatch: pytest.MonkeyPatch, backbone: Backbone, data: TargetData, tmp_path: Path
) -> None:
    looked: list[steps.Task] = []

    def find_rate(network: Network, task: steps.Task) -> RateCurve:
        looked.append(task)
        return RateCurve(rates=(0.1,), losses=(1.0,), suggested=0.02)

    params = tiny_params(training={"subsample": 0.5, "find_rate": True})
    for module in (finetune, control):
        monkeypatch.setattr(module, "find_rate", find_rate)
        _spy(monkeypatch, module, lambda plan: plan.phases[0].rates["head"])
    records = [
        finetune_target(
            TransferTask(backbone, data, strategy("full"), params), tmp_path / "transfer", tmp_path / "half"
        ),
        train_scratch(data, params, tmp_path / "scratch", tmp_path / "half_scratch"),
    ]
    for record, task in zip(records, looked, strict=True):
        assert {trial.rate for trial in record.trials} == set(rates_around(0.02, 2))
        assert _same(task.train, part_of(data.train, seen_by(data, params.training, params.seed)))
        assert _same(task.val, data.val)


def test_both_arms_have_the_head_that_params_name(backbone: Backbone, data: TargetData, tmp_path: Path) -> None:
    params = tiny_params(training={"budget": 2, "head": "mlp"})
    finetune_target(TransferTask(backbone, data, strategy("full"), params), tmp_path / "transfer", tmp_path / "half")
    train_scratch(data, params, tmp_path / "scratch", tmp_path / "half_scratch")
    heads = [load_network(tmp_path / arm / "seed_0.safetensors").head_kind for arm in ("transfer", "scratch")]
    assert heads == ["mlp", "mlp"]
