"""The discriminator and the reversal before it."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from graft.networks.networks import Network
from graft.training.activations import Pass, back, front
from graft.training.checkpoints import Keeper, State
from graft.training.loop import fit
from graft.training.objective import Moment
from graft.transfer.adapting.dann import Dann, discrimination, make_discriminator, reversal_weight, reverse_gradient
from graft.transfer.adapting.sides import Further
from tests.training.runs import NOTHING_VARIED, ignore, network, phase, plan, samples
from tests.transfer.killed import KilledError, from_state, kill_at

TARGET = samples(24, 1)
FURTHER = Further(samples(24, 2).images // 3, None, NOTHING_VARIED)


def test_the_schedule_is_the_papers() -> None:
    """tanh(5 p) is the same in other words."""
    for progress in (0.0, 0.1, 0.5, 0.99):
        assert reversal_weight(progress) == pytest.approx(math.tanh(5 * progress))
    assert reversal_weight(0.0) == 0


def test_the_reversal_changes_no_value_and_turns_the_gradient_round_once() -> None:
    values = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    out = reverse_gradient(values, 0.25)
    assert torch.equal(out, values)
    (gradient,) = torch.autograd.grad((out * torch.tensor([1.0, 2.0, 4.0])).sum(), values)
    assert gradient.tolist() == [-0.25, -0.5, -1.0]


def test_the_loss_of_a_case_worked_by_hand() -> None:
    """Logits of the source 0 and 2, of the target -1: each domain weighs the same."""

    class Sum(nn.Module):
        def forward(self, features: Tensor) -> Tensor:
            return features.sum(dim=1, keepdim=True)

    loss = discrimination(Sum(), torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([[-1.0, 0.0]]))
    of_source = (math.log(2) + math.log(1 + math.exp(-2))) / 2
    assert loss.item() == pytest.approx((of_source + math.log(1 + math.exp(-1))) / 2)


def test_chance_is_ln_2() -> None:
    discriminator = make_discriminator(4)
    with torch.no_grad():
        for each in discriminator.parameters():
            each.zero_()
    assert discrimination(discriminator, torch.ones(3, 4), torch.zeros(5, 4)).item() == pytest.approx(math.log(2))


def step(net: Network, term: Dann, progress: float) -> Tensor:
    """Loss of the term for one batch, as a step computes it."""
    images = TARGET.images[:12]

    def pass_of(given: Tensor, moves: bool = False) -> Pass:
        return back(net, 0, front(net, 0, given), term.blocks)

    generator = torch.Generator().manual_seed(0)
    loss: Tensor = term(Moment(net, 0, images, TARGET.labels[:12], pass_of(images), progress, generator, pass_of))
    return loss


def after(net: Network, term: Dann, learning: nn.Module, n_steps: int) -> tuple[float, float]:
    """Loss before and after steps of one part alone, with all of the reversal's weight."""
    optimizer = torch.optim.Adam(learning.parameters(), lr=0.003)
    before = step(net, term, 0.999).item()
    for _ in range(n_steps):
        optimizer.zero_grad()
        step(net, term, 0.999).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return before, step(net, term, 0.999).item()


def made(strength: float = 1.0) -> tuple[Network, Dann]:
    # in evaluation mode, as batches that are normalised by themselves could not be told apart by their brightness
    net = network().eval()
    return net, Dann(strength, net, FURTHER)


def test_a_discriminator_that_learns_alone_lowers_its_loss() -> None:
    net, term = made()
    before, then = after(net, term, term.discriminator, 30)
    assert then < 0.8 * before


def test_blocks_that_learn_raise_the_loss_of_the_discriminator() -> None:
    net, term = made()
    # a discriminator that tells the domains apart, as chance cannot be surpassed
    after(net, term, term.discriminator, 30)
    before, then = after(net, term, net.blocks, 10)
    assert then > 1.2 * before


def gradients(strength: float, progress: float) -> tuple[Tensor, Tensor]:
    """Gradient of the discriminator's first weight and of the lowest block's."""
    torch.manual_seed(0)
    net, term = made(strength)
    wanted = [next(term.discriminator.parameters()), next(net.blocks.parameters())]
    of_discriminator, of_block = torch.autograd.grad(step(net, term, progress), wanted)
    return of_discriminator, of_block


def test_the_discriminator_learns_at_full_strength_from_the_start() -> None:
    full, reference = gradients(1.0, 0.9), gradients(0.1, 0.0)
    assert torch.equal(full[0], reference[0])
    assert full[0].abs().sum() > 0


def test_the_blocks_learn_by_the_strength_and_the_schedule() -> None:
    whole = gradients(1.0, 0.9)[1]
    torch.testing.assert_close(gradients(2.0, 0.9)[1], 2 * whole)
    torch.testing.assert_close(gradients(1.0, 0.2)[1] / reversal_weight(0.2), whole / reversal_weight(0.9))
    assert gradients(1.0, 0.0)[1].abs().sum() == 0


def run(net: Network, keeper: Keeper | None = None, **changes: Any) -> Dann:
    terms = list[Dann]()

    def make(start: Network) -> Dann:
        terms.append(Dann(1.0, start, FURTHER))
        return terms[-1]

    given = plan(phase(), batch_size=8, **changes)._replace(terms=(make,))
    fit(net, TARGET, samples(12, 3), given, 5, ignore, *(() if keeper is None else (keeper,)))
    return terms[0]


def test_the_discriminator_learns_in_a_run() -> None:
    torch.manual_seed(5)
    start = make_discriminator(128).state_dict()
    learned = run(network()).discriminator.state_dict()
    assert all(not torch.equal(start[name], learned[name]) for name in start)


@pytest.mark.parametrize("n_steps", [2, 5])
def test_the_discriminator_is_in_the_checkpoint_and_the_run_continues_to_the_byte(n_steps: int) -> None:
    kept = list[State]()
    whole, cut, again = network(), network(), network()
    expected = run(whole)
    with pytest.raises(KilledError):
        run(cut, kill_at(n_steps, kept))
    assert set(kept[0]["terms"][0]) == {
        f"discriminator.{place}" for place in ("0.weight", "0.bias", "2.weight", "2.bias")
    }
    term = run(again, from_state(kept[0]))
    for one, other in ((whole, again), (expected, term)):
        assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())
