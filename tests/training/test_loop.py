"""One run: what it trains, what it does not change, and that it continues from any checkpoint to the same last bit."""

import copy
from collections.abc import Callable, Collection

import pytest
import torch
from tests.training.runs import NOTHING_VARIED, SHIFTED, evaluate, ignore, network, phase, plan, samples
from torch import Tensor

from graft.networks.networks import Network, state_sha256, with_new_head
from graft.params.learning import Mixing, OptimizerChoice, ScheduleChoice, Sgd, WarmRestarts
from graft.params.network import Head
from graft.params.recipes import Recipe
from graft.training import checkpoints, loop, steps
from graft.training.activations import AT_ONCE, Pass, back
from graft.training.augmentation.augmentation import augmented
from graft.training.batches import Samples, batch_rows
from graft.training.checkpoints import Keeper, State
from graft.training.loop import Fitted, fit, view_seed
from graft.training.optimisation import running_mean, take_step
from graft.training.phases import BatchNormPolicy, parts_of
from graft.training.steps import Plan


def run(net: Network, to: Plan, seed: int = 0, keeper: Keeper = checkpoints.NOTHING) -> Fitted:
    return fit(net, samples(32, 1), samples(16, 2), to, seed, ignore, keeper)


def test_training_learns() -> None:
    net = network()
    fit(net, samples(64, 1), samples(32, 2), plan(phase(epochs=6)), 0, ignore)
    assert evaluate(net, samples(64, 3)).accuracy >= 0.95


def test_same_seed_gives_the_same_weights() -> None:
    one, two = network(), network()
    assert run(one, plan()) == run(two, plan())
    assert state_sha256([one]) == state_sha256([two])


def test_another_seed_gives_another_result() -> None:
    one, two = network(), network()
    run(one, plan(phase(epochs=1)), seed=0)
    run(two, plan(phase(epochs=1)), seed=1)
    assert state_sha256([one]) != state_sha256([two])


def test_frozen_blocks_keep_parameters_and_buffers() -> None:
    net = network()
    before, head = state_sha256([net.blocks["block1"], net.blocks["block2"]]), state_sha256([net.head])
    fitted = run(net, plan(phase(frozen=("block1", "block2"))))
    assert state_sha256([net.blocks["block1"], net.blocks["block2"]]) == before
    assert state_sha256([net.head]) != head
    assert fitted.phases[0].trained == ("block3", "block4", "head")
    assert fitted.phases[0].frozen_sha256 is not None


def test_a_frozen_block_that_changes_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network()
    _meddle_with(net, monkeypatch)
    with pytest.raises(RuntimeError, match="phase: want frozen parameters and buffers unchanged"):
        run(net, plan(phase(frozen=("block1",))))


def test_a_frozen_block_that_changes_in_an_epoch_that_is_not_kept_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights from before the phase are restored, which hides it."""
    one, two, val = network(), network(), _with_wrong_labels(samples(16, 2))
    ruin = plan(phase(frozen=("block1",), rate=10.0, epochs=2))
    for net in (one, two):
        fit(net, samples(64, 1), val, plan(phase(epochs=6)), 0, ignore)
    assert fit(one, samples(32, 1), val, ruin, 0, ignore).best_epoch == 0
    _meddle_with(two, monkeypatch)
    with pytest.raises(RuntimeError, match="phase: want frozen parameters and buffers unchanged"):
        fit(two, samples(32, 1), val, ruin, 0, ignore)


def _meddle_with(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step moves a counter of the first block, which no score depends on."""

    def meddle(*given: object) -> None:
        take_step(*given)  # type: ignore[arg-type]
        net.get_buffer("blocks.block1.1.num_batches_tracked").add_(1)

    monkeypatch.setattr(steps, "take_step", meddle)


def test_unfrozen_blocks_all_change() -> None:
    net = network()
    before = copy.deepcopy(net)
    run(net, plan())
    for name, part in parts_of(net).items():
        for old, new in zip(parts_of(before)[name].parameters(), part.parameters(), strict=True):
            assert not torch.equal(old, new), name


def test_norms_alone_leave_all_other_weights() -> None:
    net = network()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    run(net, plan(phase(learns="norms")))
    changed = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert all(name.startswith("head") or ".1." in name for name in changed)  # each block's second layer is its norm
    assert any("block1.1.weight" in name for name in changed)


@pytest.mark.parametrize("policy", ["frozen", "adapt"])
def test_statistics_do_not_change_under_frozen_and_adapt(policy: BatchNormPolicy) -> None:
    net = network()
    before = [each.clone() for each in net.buffers()]
    run(net, plan(batchnorm=policy))
    assert all(torch.equal(a, b) for a, b in zip(before, net.buffers(), strict=True))


@pytest.mark.parametrize("policy", ["frozen", "adapt"])
def test_statistics_of_the_head_change_under_frozen_and_adapt(policy: BatchNormPolicy) -> None:
    """They are the initial ones, and nothing else would set them: a head that divides by them would learn nothing."""
    net = with_new_head(network(), 2, "mlp")
    before = [each.clone() for each in net.head.buffers()]
    fitted = run(net, plan(batchnorm=policy))
    assert fitted.best_epoch > 0
    assert not any(torch.equal(a, b) for a, b in zip(before, net.head.buffers(), strict=True))


def test_network_ends_with_the_best_epoch_on_validation() -> None:
    net = network()
    fitted = run(net, plan())
    assert evaluate(net, samples(16, 2)) == pytest.approx(fitted.best)
    assert fitted.best.accuracy >= max(point.val_accuracy for point in fitted.curve)


def _with_wrong_labels(right: Samples) -> Samples:
    """Two labels are wrong, so that an overconfident network has a large loss."""
    labels = right.labels.clone()
    labels[:2] = 1 - labels[:2]
    return Samples(right.images, labels)


def test_a_phase_that_only_ends_worse_is_rolled_back_to_its_start() -> None:
    net, val = network(), _with_wrong_labels(samples(16, 2))
    fit(net, samples(64, 1), val, plan(phase(epochs=6)), 0, ignore)
    good = state_sha256([net])
    fitted = fit(net, samples(32, 1), val, plan(phase(rate=10.0, epochs=2)), 0, ignore)
    assert fitted.best_epoch == 0
    assert fitted.phases[0].rolled_back
    assert state_sha256([net]) == good


def test_the_next_phase_starts_from_what_was_rolled_back_to() -> None:
    good, ruin = phase(epochs=4), phase(rate=10.0, epochs=2, name="ruin")
    still = phase(rate=1e-12, epochs=1, name="still")
    one, two, val = network(), network(), _with_wrong_labels(samples(16, 2))
    as_they_are = plan(recipe=NOTHING_VARIED, batchnorm="frozen")
    fitted = fit(one, samples(32, 1), val, as_they_are._replace(phases=(good, ruin, still)), 0, ignore)
    fit(two, samples(32, 1), val, as_they_are._replace(phases=(good,)), 0, ignore)
    assert [each.rolled_back for each in fitted.phases][:2] == [False, True]
    assert fitted.curve[-1].val_loss == pytest.approx(evaluate(two, val).loss, rel=1e-3)


def test_a_run_whose_loss_is_not_finite_ends_with_its_best_epoch() -> None:
    net = network()
    with torch.no_grad():
        next(net.blocks["block1"].parameters()).fill_(float("inf"))
    fitted = run(net, plan())
    assert (fitted.best_epoch, fitted.curve) == (0, ())


def test_an_epoch_whose_last_step_breaks_the_network_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The training loss is from before that step: only validation shows it."""
    net, seen = network(), 0

    def breaking(*given: object) -> None:
        nonlocal seen
        take_step(*given)  # type: ignore[arg-type]
        seen += 1
        if seen == 8:  # the last of epoch 2
            with torch.no_grad():
                net.get_parameter("head.bias").fill_(float("nan"))

    monkeypatch.setattr(steps, "take_step", breaking)
    fitted = run(net, plan(phase(epochs=4)))
    assert len(fitted.curve) == 1
    assert all(value.isfinite().all() for value in net.state_dict().values())


def test_equal_accuracy_goes_to_the_lower_loss() -> None:
    fitted = fit(network(), samples(64, 1), samples(32, 2), plan(phase(epochs=6)), 0, ignore)
    best = max(point.val_accuracy for point in fitted.curve)
    ties = [point for point in fitted.curve if point.val_accuracy == best]
    assert len(ties) > 1
    assert fitted.best.loss == min(point.val_loss for point in ties)


def test_a_phase_ends_early_when_validation_does_not_gain() -> None:
    fitted = run(network(), plan(phase(rate=1e-12, epochs=9, patience=2), recipe=NOTHING_VARIED, batchnorm="frozen"))
    assert len(fitted.curve) < 9
    assert fitted.phases[0].epochs == len(fitted.curve) == fitted.best_epoch + 2


def test_the_tick_is_called_for_every_image_of_every_epoch() -> None:
    ticks: list[int] = []
    fit(network(), samples(32, 1), samples(16, 2), plan(), 0, ticks.append)
    assert sum(ticks) == 3 * 32


def test_two_arms_with_one_seed_see_the_same_images(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[torch.Tensor]] = []

    def remember(images: torch.Tensor, recipe: Recipe, generator: torch.Generator) -> torch.Tensor:
        seen[-1].append(augmented(images, recipe, generator))
        return seen[-1][-1]

    monkeypatch.setattr(steps, "augmented", remember)
    for seed, rate in ((0, 0.01), (1, 0.001)):
        seen.append([])
        run(network(seed), plan(phase(rate=rate)))
    assert len(seen[0]) == 3 * 4
    assert all(torch.equal(a, b) for a, b in zip(*seen, strict=True))


def _final(to: Plan, keeper: Keeper = checkpoints.NOTHING, head: Head = "linear") -> tuple[str, Fitted]:
    net = with_new_head(network(), 2, head)
    fitted = run(net, to, keeper=keeper)
    return state_sha256([net]), fitted


def test_a_running_mean_of_weights_is_what_is_scored_and_kept() -> None:
    net = network()
    fitted = run(net, plan(phase(epochs=4), ema_decay=0.9))
    assert evaluate(net, samples(16, 2)) == pytest.approx(fitted.best)
    assert state_sha256([net]) != _final(plan(phase(epochs=4)))[0]


@pytest.mark.parametrize("name", ["head.weight", "blocks.block1.1.running_mean", "blocks.block4.1.running_var"])
def test_a_running_mean_follows_its_formula(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, seen = network(), []

    def watch(*given: object) -> None:
        take_step(*given)  # type: ignore[arg-type]
        seen.append(net.state_dict()[name].clone())

    monkeypatch.setattr(steps, "take_step", watch)
    run(net, plan(phase(epochs=1), ema_decay=0.8))
    mean = seen[0]
    for value in seen[1:]:
        mean = 0.8 * mean + 0.2 * value
    torch.testing.assert_close(net.state_dict()[name], mean)


def test_a_running_mean_copies_counters_and_does_not_change_those_of_frozen_blocks() -> None:
    net = network()
    counter = net.get_buffer("blocks.block1.1.num_batches_tracked").fill_(3)  # torch's own mean of 3 and 3 is 2
    fitted = run(net, plan(phase(frozen=("block1",)), ema_decay=0.9))
    assert fitted.best_epoch > 0
    assert counter == 3
    assert net.get_buffer("blocks.block4.1.num_batches_tracked") == 4 * fitted.best_epoch  # of 4 steps an epoch


def test_kept_weights_are_checked_by_the_hash_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def drifting(decay: float) -> Callable[..., None]:
        def average(means: list[Tensor], values: list[Tensor], n: object) -> None:
            running_mean(decay)(means, values, n)  # type: ignore[arg-type]
            for mean in means:
                mean.add_(1e-6 if mean.is_floating_point() else 1)

        return average

    to = plan(phase(frozen=("block1",)), ema_decay=0.5)
    assert run(network(), to).best_epoch > 0
    monkeypatch.setattr(loop, "running_mean", drifting)
    with pytest.raises(RuntimeError, match="want frozen parameters and buffers unchanged"):
        run(network(), to)


SGD, RESTARTS = Sgd(kind="sgd", momentum=0.9), WarmRestarts(kind="warm_restarts", restarts=3)
VARIANTS = {
    "plain": plan(),
    "gradual": plan(
        phase(frozen=("block1", "block2", "block3"), epochs=2), phase(frozen=("block1",), epochs=2), phase(epochs=2)
    ),
    "restarts": plan(schedule=RESTARTS, optimizer=SGD, accumulate=2),
    "mean": plan(ema_decay=0.9, label_smoothing=0.1),
    "mixup": plan(mixing=Mixing(kind="mixup", alpha=0.2)),
    "cutmix": plan(mixing=Mixing(kind="cutmix", alpha=1.0), balance="weights"),
    "sampling": plan(balance="sampling", clip_norm=1.0, schedule="cosine"),
    "views": plan(phase(frozen=("block1", "block2"), epochs=4), views=2),
    "patience": plan(phase(epochs=6, patience=1)),
    "bfloat16": plan(precision=torch.bfloat16),
}


class KilledError(Exception):
    """Stands for a kill."""


def _killer(at: int, kept: list[State]) -> Keeper:
    """Keeper that copies every state and kills the run after n steps."""
    count = [0]

    def save(make: Callable[[], State]) -> None:
        kept[:] = [copy.deepcopy(make())]
        count[0] += 1
        if count[0] == at:
            raise KilledError

    return Keeper(lambda: kept[-1] if kept else None, save)


def test_frozen_blocks_that_changed_while_a_run_was_killed_are_a_fault() -> None:
    """A restored run is checked by the hash from before the phase, not by the content of the checkpoint."""
    kept: list[State] = []
    with pytest.raises(KilledError):
        run(network(), plan(phase(frozen=("block1",))), keeper=_killer(2, kept))
    kept[0]["network"]["blocks.block1.0.weight"].add_(1)
    with pytest.raises(RuntimeError, match="want frozen parameters and buffers unchanged"):
        run(network(), plan(phase(frozen=("block1",))), keeper=_killer(0, kept))


@pytest.mark.parametrize(("name", "head"), [*((name, "linear") for name in VARIANTS), ("plain", "mlp")])
def test_a_run_killed_anywhere_ends_as_if_it_had_not_been(name: str, head: Head) -> None:
    to = VARIANTS[name]  # a head with dropout draws from torch's own generator
    whole = _final(to, head=head)
    kept: list[State] = []
    n_kills = 0
    while True:
        try:
            resumed = _final(to, _killer(at=3, kept=kept), head)
            break
        except KilledError:
            n_kills += 1
            torch.rand(7)  # what others draw meanwhile must not matter
    assert n_kills >= 2
    assert resumed == whole


def test_a_run_killed_while_validation_does_not_gain_keeps_its_patience() -> None:
    still = plan(phase(rate=1e-12, epochs=9, patience=3), recipe=NOTHING_VARIED, batchnorm="frozen")
    kept: list[State] = []
    with pytest.raises(KilledError):
        _final(still, _killer(at=9, kept=kept))  # in the third epoch, of four steps each
    assert kept[0]["since_gain"] > 0
    assert _final(still, _killer(at=0, kept=kept)) == _final(still)


def test_a_restored_run_ticks_the_images_that_were_seen_before() -> None:
    kept, ticks = list[State](), list[int]()
    with pytest.raises(KilledError):
        run(network(), plan(), keeper=_killer(3, kept))
    fit(network(), samples(32, 1), samples(16, 2), plan(), 0, ticks.append, _killer(0, kept))
    assert ticks[0] == 3 * 8
    assert sum(ticks) == 3 * 32


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", RESTARTS, "constant"])
@pytest.mark.parametrize("optimizer", ["adamw", SGD])
def test_every_schedule_learns(schedule: ScheduleChoice, optimizer: OptimizerChoice) -> None:
    to = plan(phase(epochs=6), schedule=schedule, optimizer=optimizer, warmup=0.1)
    net = network()
    fit(net, samples(64, 1), samples(32, 2), to, 0, ignore)
    assert evaluate(net, samples(64, 3)).accuracy >= 0.9


def test_cached_activations_give_the_result_of_running_the_blocks() -> None:
    frozen = phase(frozen=("block1", "block2", "block3"), epochs=1)
    fresh = plan(frozen, recipe=NOTHING_VARIED)
    one, two = network(), network()
    run(one, fresh)
    run(two, fresh._replace(views=1))
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_fixed_views_are_drawn_for_each_image_and_used_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    train, seen = samples(40, 1), list[Tensor]()  # more than the frozen blocks see at once
    order = torch.Generator().manual_seed(3)

    def watch(network: Network, n_front: int, values: Tensor, wanted: Collection[str]) -> Pass:
        (rows,) = batch_rows(40, 40, order)
        seen.append(values[rows.argsort()])
        return back(network, n_front, values, wanted)

    monkeypatch.setattr(steps, "back", watch)
    net = network()
    to = plan(phase(frozen=("block1", "block2", "block3", "block4"), epochs=4), views=2, batch_size=40)
    fit(net, train, samples(16, 2), to, 3, ignore)
    assert len(seen) == 4
    for epoch, values in enumerate(seen):
        generator = torch.Generator().manual_seed(view_seed(3, epoch % 2))
        images = torch.cat([augmented(part, SHIFTED, generator) for part in torch.split(train.images, AT_ONCE)])
        with torch.no_grad():
            expected = net.eval().features(images)
        torch.testing.assert_close(values, expected, rtol=0, atol=1e-5)


def test_no_two_views_of_any_runs_share_a_seed_and_none_has_that_of_a_run() -> None:
    seeds = [view_seed(seed, number) for seed in range(1000) for number in range(64)]
    assert len({*seeds, *range(1000)}) == 65 * 1000


def test_fixed_views_that_do_not_fit_are_refused_with_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "free_bytes", lambda device: 10**9)
    monkeypatch.setattr("graft.training.activations.free_bytes", lambda device: 1000)
    with pytest.raises(ValueError, match=r"^views: want activations of 3 views in 0\.0 GiB"):
        run(network(), plan(phase(frozen=("block1",)), views=3))


def test_validation_without_room_for_its_activations_scores_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    to = plan(phase(frozen=("block1", "block2")))
    kept = _final(to)
    monkeypatch.setattr(loop, "free_bytes", lambda device: 0)
    assert _final(to) == kept


@pytest.mark.parametrize(("accumulate", "a_epoch"), [(1, 4), (3, 2)])
def test_a_curve_counts_the_steps_since_the_start_over_all_phases(accumulate: int, a_epoch: int) -> None:
    two = plan(phase(epochs=2), phase(epochs=1), accumulate=accumulate)
    assert [point.steps for point in run(network(), two).curve] == [a_epoch, 2 * a_epoch, 3 * a_epoch]
