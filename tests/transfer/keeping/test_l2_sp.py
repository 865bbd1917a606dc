"""The pull towards the start: its value and gradient, which weights it holds, and that they do not decay beside it."""

import pytest
import torch
from tests.training.runs import ADAMW, learning, network, phase
from tests.transfer.keeping.moments import moment_of, moved
from torch import Tensor

from graft.training.loop import optimizer_of
from graft.training.phases import trained_parameters
from graft.transfer.keeping.l2_sp import Pull, l2_sp, pull


def _tensors(seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((3, 4), (5,), ())]


def test_trap_7_the_factor_of_one_half() -> None:
    """Without it the gradient is twice strength times distance, and a published strength means another one."""
    weight, start = torch.tensor([3.0], requires_grad=True), torch.tensor([1.0])
    value = pull([weight], [start], 0.5)
    value.backward()  # type: ignore[no-untyped-call]
    # 0.5 / 2 * (3 - 1)^2, and 0.5 * (3 - 1)
    assert value.item() == 1.0
    assert weight.grad == torch.tensor([1.0])


@pytest.mark.parametrize("weighted", [False, True])
def test_value_and_gradient_are_those_of_autograd(weighted: bool) -> None:
    starts, fisher = _tensors(1), [each.square() for each in _tensors(2)]
    given, plain = ([each.requires_grad_() for each in _tensors(0)] for _ in range(2))
    roots = [each.sqrt() for each in fisher] if weighted else None
    factors = fisher if weighted else [torch.ones_like(each) for each in fisher]
    value = pull(given, starts, 0.3, roots)
    terms = [(f * (w - s).square()).sum() for f, w, s in zip(factors, plain, starts, strict=True)]
    expected = 0.3 / 2 * torch.stack(terms).sum()
    # times a factor, as the loss of one of several batches to a step
    (value * 0.25).backward()  # type: ignore[no-untyped-call]
    (expected * 0.25).backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    for a, b in zip(given, plain, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-12, atol=1e-12)


def test_nothing_is_pulled_at_the_start() -> None:
    net = network()
    term = l2_sp(0.1)(net)
    assert term(moment_of(net, term)).item() == 0.0


def test_trap_7_the_new_head_is_left_out() -> None:
    """It has no optimum on the source: a pull would hold it to where it happened to start."""
    net = network()
    term = l2_sp(0.1)(net)
    with torch.no_grad():
        for each in net.head.parameters():
            each.add_(1.0)
    loss = term(moment_of(moved(net), term))
    loss.backward()
    assert loss.item() > 0
    assert all(each.grad is None for each in net.head.parameters())
    assert all(each.grad is not None for each in net.blocks.parameters())


def test_frozen_blocks_are_not_counted() -> None:
    net = network()
    term = l2_sp(1.0)(net)
    moment = moment_of(moved(net), term, phase(frozen=("block1", "block2")))
    assert isinstance(term, Pull)
    starts = dict(zip([name for name, _ in net.blocks.named_parameters()], term.starts, strict=True))
    expected = sum(
        (value - starts[name]).square().sum() / 2
        for name, value in net.blocks.named_parameters()
        if name.startswith(("block3", "block4"))
    )
    torch.testing.assert_close(term(moment), expected, rtol=1e-5, atol=0)


def test_what_it_holds_is_neither_trained_nor_in_the_checkpoint() -> None:
    term = l2_sp(1.0)(network())
    assert list(term.parameters()) == []
    assert term.state_dict() == {}


def test_weights_of_the_blocks_do_not_decay_beside_the_pull_and_those_of_the_head_do() -> None:
    """Decay to zero would work against the pull to the start."""
    net = network()
    trained, settings = trained_parameters(net, phase()), learning(weight_decay=0.3)
    rates = phase().rates

    def decays(*terms: Pull) -> dict[int, float]:
        groups = optimizer_of(trained, terms, rates, settings).param_groups
        return {id(each): group["weight_decay"] for group in groups for each in group["params"]}

    with_it, without = decays(Pull(net, 0.1)), decays()
    blocks, head = list(net.blocks.parameters()), net.head
    assert with_it.keys() == without.keys()
    assert {with_it[id(each)] for each in blocks} == {0.0}
    assert {without[id(each)] for each in blocks if each.ndim > 1} == {0.3}
    assert with_it[id(head.weight)] == without[id(head.weight)] == 0.3
    assert ADAMW.weight_decay > 0
