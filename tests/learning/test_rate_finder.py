"""The rate finder: what it leaves alone, and that it finds where the loss falls."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.learning.runs import ignore, network, phase, plan, samples

from graft.learning.checkpoints import NOTHING
from graft.learning.loop import fit
from graft.learning.networks import Network, state_sha256
from graft.learning.rate_finder import HIGHEST, LOWEST, N_STEPS, _steepest, find_rate
from graft.learning.steps import Task
from graft.records import RateCurve


def found(net: Network, seed: int = 0, frozen: tuple[str, ...] = ()) -> RateCurve:
    to = plan(phase(rate=1.0, frozen=frozen))
    return find_rate(net, Task(samples(64, 1), samples(16, 2), to, seed, ignore, NOTHING))


def test_the_network_stays_as_it_is() -> None:
    net = network()
    before = state_sha256([net])
    found(net)
    assert state_sha256([net]) == before


def test_rates_rise_by_one_factor_and_losses_come_with_each() -> None:
    curve = found(network())
    assert curve.rates[0] == pytest.approx(LOWEST)
    assert len(curve.rates) == len(curve.losses) <= N_STEPS
    np.testing.assert_allclose(np.diff(np.log(curve.rates)), np.log(HIGHEST / LOWEST) / (N_STEPS - 1), rtol=1e-6)


def test_the_rate_lies_before_the_lowest_loss() -> None:
    curve = found(network())
    assert curve.rates[0] < curve.suggested <= curve.rates[int(np.argmin(curve.losses))]
    assert min(curve.losses) < 0.8 * curve.losses[0]


def test_the_same_seed_finds_the_same_rate() -> None:
    assert found(network()) == found(network())


def test_frozen_blocks_stay_frozen_in_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    trials: list[Network] = []

    def keep(net: Network) -> Network:
        trials.append(copy.deepcopy(net))
        return trials[-1]

    monkeypatch.setattr("graft.learning.rate_finder.copy", SimpleNamespace(deepcopy=keep))
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


def test_the_steepest_fall_of_a_known_curve_is_found() -> None:
    rates = np.geomspace(1e-5, 1, 101)
    losses = 1 - 0.8 / (1 + np.exp(-4 * np.log(rates / 1e-2))) + np.maximum(np.log(rates / 0.1), 0)
    assert _steepest(list(zip(rates.tolist(), losses.tolist(), strict=True))) == pytest.approx(1e-2, rel=0.15)
