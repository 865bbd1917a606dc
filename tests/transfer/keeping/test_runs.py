"""Whole runs with each technique: it holds what it shall, goes with phases and freezing, and continues to the byte."""

import copy
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from tests.training.runs import ignore, samples
from tests.transfer.conftest import strategy, tiny_backbone, tiny_data, tiny_params
from torch import Tensor

from graft.networks.networks import Network, state_sha256
from graft.training.batches import Samples
from graft.training.checkpoints import NOTHING, Keeper, State
from graft.training.loop import Fitted, fit
from graft.training.objective import Moment, Term, score_of
from graft.transfer.companions import Companions
from graft.transfer.finetuning.task import TransferTask, start_of, with_head
from graft.transfer.finetuning.techniques import plan_of
from graft.transfer.keeping.ewc import fisher_roots
from graft.transfer.keeping.l2_sp import Pull
from graft.transfer.keeping.lwf import LwF, divergence
from graft.transfer.keeping.replay import Replay

SOURCE = samples(20, 8)
VALUES: dict[str, dict[str, object]] = {
    "l2_sp": {"kind": "l2_sp", "strength": 30.0},
    "ewc": {"kind": "ewc", "strength": 3e5, "images": 12},
    "lwf": {"kind": "lwf", "strength": 100.0, "temperature": 2.0},
    "replay": {"kind": "replay", "share": 0.5},
}
GRADUAL: dict[str, object] = {"unfreeze": "schedule"}


class KilledError(Exception):
    """What a kill looks like to a test."""


def task_of(keeping: str, choice: str = "full", **others: object) -> TransferTask:
    values = {"keeping": VALUES[keeping]} if keeping in VALUES else {}
    params = tiny_params(finetune_target={**values, **others}, training={"epochs": 4})
    return TransferTask(tiny_backbone(), tiny_data(), strategy(choice), params, Companions(source=SOURCE))


def run(
    task: TransferTask, keeper: Keeper = NOTHING, watch: Callable[[Term, Moment], None] | None = None
) -> tuple[Network, Fitted]:
    """One run at a rate that moves the blocks, and the network that it ends with."""
    start = start_of(task)
    network = with_head(task, start, torch.arange(24).numpy(), 0.1)
    plan = plan_of(task, start, 0.03)
    if watch is not None:
        (make,) = plan.terms

        def watched(begun: Network) -> Term:
            term = make(begun)
            term.register_forward_pre_hook(lambda module, given: watch(term, given[0]))
            return term

        plan = plan._replace(terms=(watched,))
    return network, fit(network, task.data.train, task.data.val, plan, 3, ignore, keeper)


def last(task: TransferTask) -> Network:
    """The network as the last step leaves it, whatever epoch was the best."""
    states: list[State] = []
    # copies, because in the end the best weights are loaded into these tensors
    network, _ = run(task, Keeper(lambda: None, lambda make: states.append(copy.deepcopy(make()["network"]))))
    network.load_state_dict(states[-1])
    return network.eval()


def parameters(network: Network) -> list[Tensor]:
    return [each.detach() for each in network.blocks.parameters()]


def distance(network: Network, roots: tuple[Tensor, ...] | None = None) -> float:
    """Squared distance of the blocks from the start, all weights counted alike or by the square of these roots."""
    ended, started = parameters(network), parameters(tiny_backbone().network)
    factors = roots or [torch.ones_like(each) for each in started]
    return sum(float((f * (a - b)).square().sum()) for f, a, b in zip(factors, ended, started, strict=True))


def forgotten(network: Network) -> float:
    """Loss of the source's images under the old head."""
    with torch.no_grad():
        return score_of(tiny_backbone().network.head(network.features(SOURCE.images)), SOURCE.labels).loss


def strayed(network: Network) -> float:
    """How far the old head says something else of the target's images."""
    start, images = tiny_backbone().network, tiny_data().train.images
    with torch.no_grad():
        return divergence(start.head(network.features(images)), start(images), 2.0).item()


@pytest.fixture(scope="module")
def plain() -> Network:
    return last(task_of("none"))


def test_l2_sp_leaves_the_blocks_nearer_to_their_start(plain: Network) -> None:
    assert distance(last(task_of("l2_sp"))) < distance(plain) / 3


def test_ewc_leaves_the_weights_that_count_nearer_to_their_start(plain: Network) -> None:
    roots = fisher_roots(tiny_backbone().network, SOURCE, 20, 0)
    assert distance(last(task_of("ewc")), roots) < distance(plain, roots) / 3


def test_ewc_counts_weights_by_the_pretrained_network_whatever_statistics_the_run_starts_with() -> None:
    adapted, frozen = (start_of(task_of("ewc", batchnorm=policy)) for policy in ("adapt", "frozen"))
    assert state_sha256([adapted.network]) != state_sha256([frozen.network])
    assert all(torch.equal(a, b) for a, b in zip(adapted.fisher_roots, frozen.fisher_roots, strict=True))


def test_lwf_leaves_the_words_of_the_old_head_nearer_to_what_they_were() -> None:
    held, free = (last(task_of(keeping, batchnorm="frozen")) for keeping in ("lwf", "none"))
    assert strayed(held) < strayed(free) / 3


def test_replay_learns_the_source_beside_the_target(plain: Network) -> None:
    assert forgotten(last(task_of("replay"))) < forgotten(plain) / 2


@pytest.mark.parametrize("keeping", VALUES)
def test_blocks_that_are_frozen_stay_as_they_were(keeping: str) -> None:
    """Also where source images pass through them, or a penalty holds them."""
    network, fitted = run(task_of(keeping, "top_blocks"))
    frozen = ("block1", "block2", "block3")
    start = tiny_backbone().network
    assert state_sha256(network.blocks[name] for name in frozen) == state_sha256(start.blocks[name] for name in frozen)
    assert [each.frozen_sha256 is not None for each in fitted.phases] == [True]


@pytest.mark.parametrize("keeping", VALUES)
def test_each_goes_with_the_phases_of_gradual_unfreezing(keeping: str) -> None:
    _, fitted = run(task_of(keeping, "gradual", **GRADUAL))
    assert [each.trained[0] for each in fitted.phases] == ["block4", "block3", "block2", "block1"]


@pytest.mark.parametrize(
    ("keeping", "tuning"),
    [("lwf", "adapters"), ("replay", "adapters"), ("lwf", "lora"), ("l2_sp", "bias"), ("ewc", "bias")],
)
def test_each_goes_with_tuning_little_where_it_has_something_to_hold(keeping: str, tuning: str) -> None:
    values: dict[str, object] = {
        "adapters": {"kind": "adapters", "width": 4},
        "lora": {"kind": "lora", "rank": 2, "alpha": 4.0},
        "bias": "bias",
    }
    terms: list[float] = []

    def watch(term: Term, moment: Moment) -> None:
        loss = type(term).forward(term, moment)
        terms.append(loss.item())
        assert loss.requires_grad

    _, fitted = run(task_of(keeping, tuning=values[tuning]), watch=watch)
    assert len(terms) == fitted.n_seen // 8
    assert terms[-1] > 0


def test_the_frozen_blocks_of_every_phase_are_those_of_the_teacher() -> None:
    """So the teacher may begin at their output: none has learned in an earlier phase, also after a roll-back."""
    seen: set[int] = set()

    def watch(term: Term, moment: Moment) -> None:
        assert isinstance(term, LwF)
        (teacher,) = term.teacher
        blocks = [list(each.blocks.values())[: moment.n_front] for each in (teacher, moment.network)]
        assert state_sha256(blocks[0]) == state_sha256(blocks[1])
        seen.add(moment.n_front)

    _, fitted = run(task_of("lwf", "gradual", **GRADUAL), watch=watch)
    assert seen == {3, 2, 1, 0}
    assert any(each.rolled_back for each in fitted.phases)


def test_a_later_phase_pulls_to_where_the_run_began() -> None:
    """Not to where the phase began, at what an earlier one had made of the blocks."""
    firsts: dict[int, float] = {}

    def watch(term: Term, moment: Moment) -> None:
        firsts.setdefault(moment.n_front, type(term).forward(term, moment).item())

    network, fitted = run(task_of("l2_sp", "gradual", **GRADUAL), watch=watch)
    assert firsts[3] == 0.0
    assert (firsts[2] > 0) is not fitted.phases[0].rolled_back
    assert network.training is False


@pytest.mark.parametrize("kill_at", [2, 7])
@pytest.mark.parametrize("keeping", VALUES)
def test_a_killed_run_continues_to_the_same_bytes(keeping: str, kill_at: int) -> None:
    task = task_of(keeping, "gradual", **GRADUAL)
    kept, steps = list[State](), list[int]()

    def save(make: Callable[[], State]) -> None:
        steps.append(1)
        if len(steps) == kill_at:
            kept.append(_written(make()))
            raise KilledError

    whole, fitted = run(task)
    with pytest.raises(KilledError):
        run(task, Keeper(lambda: None, save))
    torch.rand(5)
    again, refitted = run(task, Keeper(lambda: kept[0], lambda make: None))
    assert refitted == fitted
    assert state_sha256([again]) == state_sha256([whole])


def _written(state: State) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_feature_extraction_keeps_its_blocks_anyway() -> None:
    task = task_of("ewc", "feature_extraction")._replace(companions=Companions())
    start = start_of(task)
    assert start.fisher_roots == ()
    assert plan_of(task, start, 0.1).terms == ()


def _named(given: TransferTask) -> Iterator[Term]:
    start = start_of(given)
    return (make(start.network) for make in plan_of(given, start, 0.1).terms)


@pytest.mark.parametrize(("keeping", "kind"), [("l2_sp", Pull), ("ewc", Pull), ("lwf", LwF), ("replay", Replay)])
def test_the_value_of_params_names_the_term(keeping: str, kind: type[Term]) -> None:
    assert [type(each) for each in _named(task_of(keeping))] == [kind]


@pytest.mark.parametrize("keeping", ["ewc", "replay"])
@pytest.mark.parametrize(
    ("source", "n"),
    [(None, 0), (Samples(SOURCE.images[:0], SOURCE.labels[:0]), 0), (SOURCE._replace(labels=SOURCE.labels * 2), 3)],
    ids=["none", "empty", "other classes"],
)
def test_source_images_of_other_classes_than_the_old_heads_are_refused(
    keeping: str, source: Samples | None, n: int
) -> None:
    task = task_of(keeping)._replace(companions=Companions(source=source))
    with pytest.raises(ValueError, match=rf"^data/raw/source: want .* the 2 classes .*{keeping}`, got {n} classes"):
        list(_named(task))


def test_lwf_without_the_head_of_the_source_is_refused() -> None:
    task = task_of("lwf")
    task = task._replace(backbone=task.backbone._replace(name="squeezenet1_1", source_head=False))
    with pytest.raises(
        ValueError, match=r"want weights with the head of their source for lwf, got squeezenet1_1 without"
    ):
        list(_named(task))
