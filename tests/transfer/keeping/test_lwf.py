"""What the old head says: the loss and its factor, who learns from it, and where the teacher begins."""

import pytest
import torch
import torch.nn.functional as F
from tests.training.runs import network, phase, samples
from tests.transfer.keeping.moments import moment_of, moved
from torch import Tensor

from graft.networks.networks import with_new_head
from graft.transfer.keeping.lwf import divergence, lwf


def _logits(seed: int) -> Tensor:
    return torch.randn(5, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_loss_is_the_softened_divergence_times_the_squared_temperature(temperature: float) -> None:
    says, said = _logits(0), _logits(1)
    teacher = torch.softmax(said / temperature, dim=1)
    expected = temperature**2 * F.kl_div(torch.log_softmax(says / temperature, dim=1), teacher, reduction="batchmean")
    torch.testing.assert_close(divergence(says, said, temperature), expected, rtol=1e-10, atol=0)


def test_trap_7_the_square_of_the_temperature() -> None:
    """Without it the gradient vanishes with the temperature, and so does the loss beside the data loss.

    At a high temperature the gradient is that of half the squared distance of centred logits, divided by the number of
    classes (Hinton, Vinyals and Dean 2015, section 2.1).
    """
    said = _logits(1)
    for temperature in (300.0, 3000.0):
        says = _logits(0).requires_grad_()
        divergence(says, said, temperature).backward()  # type: ignore[no-untyped-call]
        apart = (says - says.mean(dim=1, keepdim=True)) - (said - said.mean(dim=1, keepdim=True))
        torch.testing.assert_close(says.grad, (apart / 7 / 5).detach(), rtol=0.1, atol=1e-3)


def test_equal_outputs_cost_nothing() -> None:
    assert divergence(_logits(0), _logits(0), 2.0).item() == pytest.approx(0.0, abs=1e-12)


def test_blocks_that_are_as_they_were_cost_nothing() -> None:
    start = network().eval()
    net = with_new_head(network(), 5).eval()
    term = lwf(start, 1.0, 2.0, torch.float32)(net)
    assert term(moment_of(net, term)).item() == pytest.approx(0.0, abs=1e-6)


def test_it_compares_the_old_head_on_both_blocks() -> None:
    start, net = network().eval(), with_new_head(moved(network()), 5).eval()
    term = lwf(start, 0.3, 2.0, torch.float32)(net)
    moment = moment_of(net, term)
    images = samples(6, 4).images
    with torch.no_grad():
        expected = 0.3 * divergence(start.head(net.features(images)), start(images), 2.0)
    assert expected.item() > 0
    torch.testing.assert_close(term(moment), expected, rtol=1e-4, atol=1e-7)


def test_only_the_tuned_blocks_learn_from_it() -> None:
    start, net = network().eval(), with_new_head(moved(network()), 5)
    term = lwf(start, 1.0, 2.0, torch.float32)(net)
    term(moment_of(net, term)).backward()
    assert list(term.parameters()) == []
    assert term.state_dict() == {}
    assert all(each.grad is not None and each.grad.any() for each in net.blocks["block4"].parameters())
    assert all(each.grad is None for each in (*net.head.parameters(), *start.parameters()))


def test_the_teacher_may_begin_at_the_output_of_the_frozen_blocks() -> None:
    """There it says what it says of the images, because these blocks are its own."""
    start, net = network().eval(), with_new_head(network(), 5).eval()
    with torch.no_grad():
        for each in net.blocks["block4"].parameters():
            each.add_(0.1)
    term = lwf(start, 1.0, 2.0, torch.float32)(net)
    whole = term(moment_of(net, term))
    cut = moment_of(net, term, phase(frozen=("block1", "block2", "block3")))
    assert cut.n_front == 3
    assert whole.item() > 0
    torch.testing.assert_close(term(cut), whole, rtol=1e-5, atol=1e-7)


def test_runs_share_a_teacher_that_later_changes_of_the_start_do_not_reach() -> None:
    start, net = network().eval(), network().eval()
    make = lwf(start, 1.0, 2.0, torch.float32)
    term = make(net)
    moved(start)
    assert term(moment_of(net, term)).item() == pytest.approx(0.0, abs=1e-6)
    assert make(net).teacher is not None
