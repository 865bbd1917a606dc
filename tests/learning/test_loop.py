import copy

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from graft.learning.augmentation import Augmentation, augmented
from graft.learning.batches import Samples, batch_rows, normalised
from graft.learning.loop import Plan, _optimizer, fit, parts_of
from graft.learning.networks import Network, build_network, state_sha256
from graft.learning.preprocessing import SMALL_CNN
from graft.learning.scores import evaluate


def _samples(n: int, seed: int) -> Samples:
    """Two classes that differ in brightness: a network learns them in a few steps."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    noise = torch.randint(0, 100, (n, 3, 32, 32), generator=generator)
    return Samples((noise + 100 * labels.view(-1, 1, 1, 1)).to(torch.uint8), labels)


def _plan(network: Network, rate: float = 0.01, frozen: tuple[str, ...] = (), epochs: int = 3) -> Plan:
    rates = {name: 0.0 if name in frozen else rate for name in parts_of(network)}
    return Plan(rates, epochs, 8, 0.01, Augmentation(1, False), SMALL_CNN)


def _network(seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return build_network("small_cnn", 2)


def _fit(network: Network, plan: Plan, seed: int = 0) -> object:
    return fit(network, _samples(32, 1), _samples(16, 2), plan, seed, lambda: None)


def test_training_learns() -> None:
    network = _network()
    fit(network, _samples(64, 1), _samples(32, 2), _plan(network, epochs=6), 0, lambda: None)
    assert evaluate(network, _samples(64, 3), SMALL_CNN).accuracy >= 0.95


def test_same_seed_gives_the_same_weights() -> None:
    one, two = _network(), _network()
    assert _fit(one, _plan(one)) == _fit(two, _plan(two))
    assert state_sha256([one]) == state_sha256([two])


def test_another_seed_gives_others() -> None:
    one, two = _network(), _network()
    _fit(one, _plan(one, epochs=1), seed=0)
    _fit(two, _plan(two, epochs=1), seed=1)
    assert state_sha256([one]) != state_sha256([two])


def test_frozen_blocks_keep_parameters_and_buffers() -> None:
    network = _network()
    before = state_sha256([network.blocks["block1"], network.blocks["block2"]])
    after_head = state_sha256([network.head])
    _fit(network, _plan(network, frozen=("block1", "block2")))
    assert state_sha256([network.blocks["block1"], network.blocks["block2"]]) == before
    assert state_sha256([network.head]) != after_head


def test_unfrozen_blocks_all_change() -> None:
    network = _network()
    before = copy.deepcopy(network)
    _fit(network, _plan(network))
    for name, part in parts_of(network).items():
        for old, new in zip(parts_of(before)[name].parameters(), part.parameters(), strict=True):
            assert not torch.equal(old, new), name


def test_network_ends_with_the_best_epoch_on_validation() -> None:
    network = _network()
    val = _samples(16, 2)
    fitted = fit(network, _samples(32, 1), val, _plan(network), 0, lambda: None)
    assert evaluate(network, val, SMALL_CNN) == fitted.best
    assert fitted.best.accuracy >= max(point.val_accuracy for point in fitted.curve)


def test_a_run_that_only_ends_worse_is_rolled_back_to_its_start() -> None:
    network = _network()
    fit(network, _samples(64, 1), _samples(32, 2), _plan(network, epochs=6), 0, lambda: None)
    good = state_sha256([network])
    fitted = fit(network, _samples(32, 1), _samples(32, 2), _plan(network, rate=10.0, epochs=2), 0, lambda: None)
    assert fitted.best_epoch == 0
    assert state_sha256([network]) == good


def test_a_run_whose_loss_is_not_finite_ends_with_its_best_epoch() -> None:
    network = _network()
    with torch.no_grad():
        next(network.blocks["block1"].parameters()).fill_(float("inf"))
    fitted = fit(network, _samples(32, 1), _samples(16, 2), _plan(network), 0, lambda: None)
    assert (fitted.best_epoch, fitted.curve) == (0, ())


def test_equal_accuracy_goes_to_the_lower_loss() -> None:
    network = _network()
    fitted = fit(network, _samples(64, 1), _samples(32, 2), _plan(network, epochs=6), 0, lambda: None)
    best = max(point.val_accuracy for point in fitted.curve)
    ties = [point for point in fitted.curve if point.val_accuracy == best]
    assert len(ties) > 1
    assert fitted.best.loss == min(point.val_loss for point in ties)


def test_each_block_peaks_at_its_own_rate_and_ends_near_zero() -> None:
    network = _network()
    rates = {name: 0.001 * 2**index for index, name in enumerate(parts_of(network))}
    optimizer, schedule = _optimizer(network, _plan(network)._replace(rates=rates), 40)
    owner = {id(each): name for name, part in parts_of(network).items() for each in part.parameters()}
    seen: dict[str, list[float]] = {name: [] for name in rates}
    for _ in range(40):
        for group in optimizer.param_groups:
            seen[owner[id(group["params"][0])]].append(group["lr"])
        optimizer.step()
        schedule.step()
    for name, rate in rates.items():
        assert max(seen[name]) == pytest.approx(rate, rel=0.02)
        assert seen[name][-1] < rate / 100


def test_the_schedule_advances_with_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    network, steps = _network(), []
    original = OneCycleLR.step

    def step(self: OneCycleLR) -> None:
        steps.append(1)
        original(self)

    monkeypatch.setattr(OneCycleLR, "step", step)
    _fit(network, _plan(network))
    assert len(steps) == 3 * 4 + 1  # three epochs of four batches, and the one that sets the start


def test_training_loss_is_the_mean_over_images() -> None:
    network = _network()
    train = _samples(20, 1)  # three batches of 7, 7 and 6
    plan = _plan(network, rate=1e-12, epochs=1)._replace(augmentation=Augmentation(0, False))
    network_in_training = copy.deepcopy(network).train()
    generator = torch.Generator().manual_seed(0)
    losses = []
    for rows in batch_rows(20, 8, generator):
        logits = network_in_training(normalised(train.images[rows], SMALL_CNN))
        losses += torch.nn.functional.cross_entropy(logits, train.labels[rows], reduction="none").tolist()
        augmented(train.images[rows], plan.augmentation, generator)
    fitted = fit(network, train, _samples(16, 2), plan, 0, lambda: None)
    assert fitted.curve[0].train_loss == pytest.approx(np.mean(losses), rel=1e-4)


def test_every_epoch_ticks_once() -> None:
    network, ticks = _network(), []
    fit(network, _samples(32, 1), _samples(16, 2), _plan(network), 0, lambda: ticks.append(1))
    assert len(ticks) == 3


def test_two_arms_with_one_seed_see_the_same_images(monkeypatch: pytest.MonkeyPatch) -> None:
    from graft.learning import loop

    seen: list[list[torch.Tensor]] = []
    original = augmented

    def remember(images: torch.Tensor, augmentation: Augmentation, generator: torch.Generator) -> torch.Tensor:
        made = original(images, augmentation, generator)
        seen[-1].append(made)
        return made

    monkeypatch.setattr(loop, "augmented", remember)
    for network, rate in ((_network(0), 0.01), (_network(1), 0.001)):
        seen.append([])
        _fit(network, _plan(network, rate=rate))
    assert len(seen[0]) == 3 * 4
    assert all(torch.equal(a, b) for a, b in zip(*seen, strict=True))


def test_weight_decay_leaves_biases_and_norms_alone() -> None:
    network = _network()
    optimizer, _ = _optimizer(network, _plan(network), 10)
    decayed = {id(each) for group in optimizer.param_groups if group["weight_decay"] for each in group["params"]}
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            assert not {id(part.weight), id(part.bias)} & decayed
    assert id(network.head.weight) in decayed
    assert np.isclose(
        sum(p.numel() for g in optimizer.param_groups for p in g["params"]),
        sum(p.numel() for p in network.parameters()),
    )
