"""Optimizers and schedules against closed forms."""

import math
from collections.abc import Iterator

import pytest
import torch
from tests.training.runs import learning
from torch import nn

from graft.params.learning import Learning, ScheduleChoice, Sgd, WarmRestarts
from graft.training.optimisation import build_optimizer, build_schedule, take_step

PLAIN = learning()
RESTARTS = WarmRestarts(kind="warm_restarts", restarts=3)


def _rates(settings: Learning, n_steps: int) -> list[float]:
    weight = nn.Parameter(torch.zeros(2, 2))
    optimizer = build_optimizer({"head": [weight]}, {"head": 0.5}, settings)
    schedule = build_schedule(optimizer, n_steps, settings)

    def walk() -> Iterator[float]:
        for _ in range(n_steps):
            yield optimizer.param_groups[0]["lr"]
            weight.grad = torch.zeros_like(weight)
            take_step(optimizer, schedule, [weight], None)

    return list(walk())


def test_weights_decay_and_biases_and_norms_do_not() -> None:
    parts = {
        "a": list(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).parameters()),
        "head": [nn.Parameter(torch.zeros(2, 4))],
    }
    groups = build_optimizer(parts, {"a": 0.1, "head": 0.2}, PLAIN).param_groups
    assert [(group["lr"], group["weight_decay"], [p.ndim > 1 for p in group["params"]]) for group in groups] == [
        (0.1, 0.01, [True]),
        (0.1, 0.0, [False, False, False]),
        (0.2, 0.01, [True]),
    ]


def test_cosine_follows_its_formula_after_the_warm_up() -> None:
    rates = _rates(learning(schedule="cosine", warmup=0.2), 50)
    assert rates[:10] == pytest.approx([0.5 * (k + 1) / 11 for k in range(10)])
    assert rates[10:] == pytest.approx([0.25 * (1 + math.cos(math.pi * k / 40)) for k in range(40)])


def test_warm_restarts_return_to_the_peak_at_each_cycle() -> None:
    rates = _rates(learning(schedule=RESTARTS, warmup=0.0), 30)
    assert [k for k in range(1, 30) if rates[k] > rates[k - 1]] == [10, 20]
    assert rates[10] == rates[20] == pytest.approx(0.5)


def test_a_constant_rate_stays() -> None:
    assert _rates(learning(schedule="constant", warmup=0.0), 5) == [0.5] * 5


def test_a_constant_rate_stays_once_it_has_risen() -> None:
    rates = _rates(learning(schedule="constant", warmup=0.4), 5)
    assert rates == pytest.approx([0.5 / 3, 1.0 / 3, 0.5, 0.5, 0.5])


def test_one_cycle_peaks_where_the_warm_up_ends() -> None:
    rates = _rates(PLAIN, 101)
    assert max(rates) == pytest.approx(0.5, rel=1e-3)
    assert abs(rates.index(max(rates)) - 30) <= 1
    assert rates[-1] < 0.001


@pytest.mark.parametrize("name", ["cosine", RESTARTS])
def test_a_schedule_ends_at_nothing_and_does_not_begin_again(name: ScheduleChoice) -> None:
    optimizer = build_optimizer({"head": [nn.Parameter(torch.zeros(2, 2))]}, {"head": 0.5}, PLAIN)
    schedule = build_schedule(optimizer, 10, learning(schedule=name))
    optimizer.step()
    for _ in range(10):
        schedule.step()
    assert schedule.get_last_lr() == pytest.approx([0.0], abs=1e-5)


@pytest.mark.parametrize("name", ["one_cycle", "cosine", RESTARTS, "constant"])
def test_parts_keep_the_ratio_of_their_rates_at_every_step(name: ScheduleChoice) -> None:
    low, high = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(2, 2))
    settings = learning(schedule=name)
    optimizer = build_optimizer({"low": [low], "high": [high]}, {"low": 0.1, "high": 0.5}, settings)
    schedule = build_schedule(optimizer, 10, settings)
    for _ in range(9):
        one, two = (group["lr"] for group in optimizer.param_groups)
        assert two == pytest.approx(5 * one)
        take_step(optimizer, schedule, [low, high], None)


@pytest.mark.parametrize("name", ["one_cycle", "cosine", RESTARTS, "constant"])
@pytest.mark.parametrize("n_steps", [1, 2, 3, 4])
@pytest.mark.parametrize("warmup", [0.0, 0.3, 0.5, 0.9])
def test_few_steps_are_allowed(name: ScheduleChoice, n_steps: int, warmup: float) -> None:
    rates = _rates(learning(schedule=name, warmup=warmup), n_steps)
    assert all(0 <= rate <= 0.5 + 1e-9 for rate in rates)


def test_sgd_with_momentum_moves_as_its_formula_says() -> None:
    settings = learning(optimizer=Sgd(kind="sgd", momentum=0.9), weight_decay=0.0, schedule="constant", warmup=0.0)
    weight = nn.Parameter(torch.tensor([[1.0]]))
    optimizer = build_optimizer({"head": [weight]}, {"head": 0.1}, settings)
    schedule = build_schedule(optimizer, 9, settings)
    value, velocity = 1.0, 0.0
    for gradient in (1.0, -2.0, 0.5):
        weight.grad = torch.tensor([[gradient]])
        take_step(optimizer, schedule, [weight], None)
        velocity = 0.9 * velocity + gradient
        value -= 0.1 * (gradient + 0.9 * velocity)  # Nesterov
    assert weight.item() == pytest.approx(value)


def test_adamw_moves_as_its_formula_says() -> None:
    settings = learning(weight_decay=0.1, schedule="constant", warmup=0.0)
    weight = nn.Parameter(torch.tensor([[1.0]]))
    optimizer = build_optimizer({"head": [weight]}, {"head": 0.1}, settings)
    schedule = build_schedule(optimizer, 9, settings)
    value, mean, square = 1.0, 0.0, 0.0
    for step, gradient in enumerate((1.0, -2.0, 0.5), start=1):
        weight.grad = torch.tensor([[gradient]])
        take_step(optimizer, schedule, [weight], None)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        value *= 1 - 0.1 * 0.1  # decay apart from the gradient
        value -= 0.1 * mean / (1 - 0.9**step) / math.sqrt(square / (1 - 0.999**step))
    assert weight.item() == pytest.approx(value)


def test_gradients_are_clipped_to_the_norm_of_all_together() -> None:
    settings = learning(optimizer=Sgd(kind="sgd", momentum=0.0), weight_decay=0.0, schedule="constant", warmup=0.0)
    one, two = nn.Parameter(torch.zeros(1, 1)), nn.Parameter(torch.zeros(1, 1))
    optimizer = build_optimizer({"head": [one, two]}, {"head": 1.0}, settings)
    one.grad, two.grad = torch.tensor([[30.0]]), torch.tensor([[40.0]])
    take_step(optimizer, build_schedule(optimizer, 9, settings), [one, two], clip_norm=1.0)
    assert [one.item(), two.item()] == pytest.approx([-0.6, -0.8], rel=1e-3)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_momentum_of_sgd_stays_what_it_was_set_to_under_one_cycle(momentum: float) -> None:
    weight = nn.Parameter(torch.zeros(2, 2))
    optimizer = build_optimizer(
        {"head": [weight]}, {"head": 0.1}, learning(optimizer=Sgd(kind="sgd", momentum=momentum))
    )
    schedule = build_schedule(optimizer, 10, learning(optimizer=Sgd(kind="sgd", momentum=momentum)))
    for _ in range(9):
        assert optimizer.param_groups[0]["momentum"] == momentum
        weight.grad = torch.zeros_like(weight)
        take_step(optimizer, schedule, [weight], None)


def test_gradients_are_dropped_after_a_step() -> None:
    weight = nn.Parameter(torch.zeros(2, 2))
    optimizer = build_optimizer({"head": [weight]}, {"head": 0.1}, PLAIN)
    weight.grad = torch.ones(2, 2)
    take_step(optimizer, build_schedule(optimizer, 9, PLAIN), [weight], None)
    assert weight.grad is None
