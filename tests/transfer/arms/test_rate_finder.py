"""The rate finder: what it leaves alone, and that it finds where the loss falls."""

import copy
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tests.training.runs import NOTHING_VARIED, RECIPES, ignore, network, phase, plan, samples

from graft.networks.networks import Network, build_network, state_sha256
from graft.networks.preprocessing import SMALL_CNN
from graft.params.learning import Mixing, Sgd
from graft.params.recipes import Recipe
from graft.records.training import RateCurve
from graft.training.batches import Samples
from graft.training.checkpoints import NOTHING
from graft.training.loop import fit
from graft.training.run import Run
from graft.training.steps import Plan, Task
from graft.transfer.arms import rate_finder
from graft.transfer.arms.rate_finder import HIGHEST, LOWEST, MEMORY, N_STEPS, find_rate

VARIED = Recipe.model_validate(RECIPES["strong"])


def found(net: Network, seed: int = 0, frozen: tuple[str, ...] = ()) -> RateCurve:
    return find_rate(net, _task(plan(phase(rate=1.0, frozen=frozen)), seed))


@pytest.fixture(scope="module")
def usual() -> RateCurve:
    """Of an untrained network."""
    return found(network())


def _task(to: Plan, seed: int = 0) -> Task:
    return Task(samples(64, 1), samples(16, 2), to, seed, ignore, NOTHING)


AS_TRAINING = {
    "recipe": {"recipe": VARIED},
    "mixing": {"mixing": Mixing(kind="mixup", alpha=1.0)},
    "label smoothing": {"label_smoothing": 0.3},
    "balance": {"balance": "weights"},
    "sampling": {"balance": "sampling"},
    "views": {"views": 2, "recipe": VARIED},
    "accumulation": {"batch_size": 8, "accumulate": 8},
}


def skewed(n: int) -> Samples:
    """As `samples`, with three images of a class for one of the other."""
    both = samples(2 * n, 1)
    chosen = torch.arange(2 * n) % 4 != 1
    return Samples(both.images[chosen][:n], both.labels[chosen][:n])


@pytest.mark.parametrize("change", AS_TRAINING.values(), ids=AS_TRAINING)
def test_the_first_step_of_the_trial_is_that_of_training(
    change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graft.transfer.arms.rate_finder.N_STEPS", 3)
    to = plan(phase(frozen=("block1",), epochs=1), **{"batch_size": 64, **change})
    task = Task(skewed(64), samples(16, 2), to, 3, ignore, NOTHING)
    first = find_rate(network(), task).losses[0]
    trained = fit(network(), task.train, task.val, to, 3, ignore).curve[0].train_loss
    plain = find_rate(network(), task._replace(plan=plan(*to.phases, batch_size=64, recipe=NOTHING_VARIED))).losses[0]
    assert first == pytest.approx(trained, rel=1e-4)
    assert first != pytest.approx(plain, rel=1e-3)


def test_gradients_are_clipped_in_the_trial_as_in_training() -> None:
    sgd = Sgd(kind="sgd", momentum=0.0)
    free, clipped = (
        find_rate(network(), _task(plan(phase(rate=1.0), optimizer=sgd, weight_decay=0.0, clip_norm=norm)))
        for norm in (None, 1e-6)
    )
    assert min(free.losses) < 0.8 * free.losses[0]
    assert min(clipped.losses[:90]) > 0.9 * clipped.losses[0]


def test_rates_rise_by_one_factor_and_losses_come_with_each(usual: RateCurve) -> None:
    assert usual.rates[0] == pytest.approx(LOWEST)
    assert len(usual.rates) == len(usual.losses) <= N_STEPS
    np.testing.assert_allclose(np.diff(np.log(usual.rates)), np.log(HIGHEST / LOWEST) / (N_STEPS - 1), rtol=1e-6)


def test_the_rate_lies_before_the_lowest_loss(usual: RateCurve) -> None:
    assert usual.rates[0] < usual.suggested <= usual.rates[int(np.argmin(usual.losses))]
    assert min(usual.losses) < 0.8 * usual.losses[0]


def test_rates_of_the_plan_count_by_their_ratio_alone(usual: RateCurve) -> None:
    assert find_rate(network(), _task(plan(phase(rate=0.5)))) == usual


def test_the_same_seed_finds_the_same_rate_and_leaves_the_network_as_it_is(usual: RateCurve) -> None:
    net = network()
    before = state_sha256([net])
    assert found(net) == usual
    assert state_sha256([net]) == before


def test_frozen_blocks_stay_frozen_in_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    trials: list[Network] = []

    def keep(net: Network) -> Network:
        trials.append(copy.deepcopy(net))
        return trials[-1]

    monkeypatch.setattr("graft.transfer.arms.rate_finder.copy", SimpleNamespace(deepcopy=keep))
    net = network()
    found(net, frozen=("block1", "block2"))
    assert state_sha256([trials[0].blocks["block1"]]) == state_sha256([net.blocks["block1"]])
    assert state_sha256([trials[0].blocks["block4"]]) != state_sha256([net.blocks["block4"]])


def test_a_network_that_is_right_already_does_not_end_the_search_at_its_first_mistake() -> None:
    net = network()
    fit(net, samples(64, 1), samples(16, 2), plan(phase(epochs=6)), 0, ignore)
    one_wrong = samples(64, 1)
    one_wrong.labels[0] = 1 - one_wrong.labels[0]
    curve = find_rate(net, Task(one_wrong, samples(16, 2), plan(phase(rate=1.0)), 0, ignore, NOTHING))
    assert max(curve.losses[:20]) > 4 * min(curve.losses[:20])
    assert len(curve.rates) > 50


def test_a_loss_that_is_no_number_is_one_sentence() -> None:
    net = network()
    with torch.no_grad():
        next(net.blocks["block1"].parameters()).fill_(float("nan"))
    with pytest.raises(ValueError, match=r"training\.find_rate: want a loss that is a number for 3 steps, got 0\."):
        found(net)


RATES = np.geomspace(LOWEST, HIGHEST, N_STEPS).tolist()


def _suggested(monkeypatch: pytest.MonkeyPatch, losses: Sequence[float]) -> float:
    """What is suggested for ten classes where the running mean of the losses goes along this curve."""
    curve, n_steps = np.array(losses), np.arange(1, len(losses) + 1)
    sums = curve * (1 - MEMORY**n_steps)  # as they were before they were freed of their start at zero
    of_steps = (sums - MEMORY * np.concatenate([[0.0], sums[:-1]])) / (1 - MEMORY)

    def steps_of_epoch(run: Run, *_: object) -> Iterator[None]:
        for loss in of_steps:
            run.loss = run.loss + 8 * torch.tensor(loss)
            run.n_seen += 8
            yield

    monkeypatch.setattr(rate_finder, "steps_of_epoch", steps_of_epoch)
    torch.manual_seed(0)
    found = find_rate(build_network("small_cnn", 10, SMALL_CNN), _task(plan(phase(rate=1.0))))
    np.testing.assert_allclose(found.losses, losses[: len(found.losses)], atol=1e-6)
    return found.suggested


def test_the_rate_lies_a_factor_of_ten_below_the_rise_of_a_known_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = [2.3 - min(max(np.log10(rate / 1e-3), 0), 1) + max(20 * np.log10(rate / 0.1), 0) for rate in RATES]
    assert _suggested(monkeypatch, losses) == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize("place", [0, 30, 60])
def test_of_a_loss_that_cannot_fall_only_the_rise_counts(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    losses = [0.05 + 20 * max(np.log10(rate / 0.03), 0) for rate in RATES]
    losses[place] -= 0.02
    assert _suggested(monkeypatch, losses) == pytest.approx(0.003, rel=0.2)


def test_a_loss_that_never_rises_leaves_the_highest_rate_to_start_from(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _suggested(monkeypatch, [2 - rate for rate in RATES]) == pytest.approx(0.1)
