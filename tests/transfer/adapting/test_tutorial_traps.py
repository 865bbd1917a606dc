"""Traps of code samples in circulation that adapt to a target, and that adapting here does not fall in.

The numbers are those of the list that the samples were checked by.
"""

import math

import pytest
import torch
from torch import Tensor

from graft.transfer.adapting.dann import Dann, discrimination, reversal_weight, reverse_gradient
from graft.transfer.adapting.mmd import mmd2
from graft.transfer.adapting.sides import Further, Sides
from tests.training.runs import NOTHING_VARIED, network, samples
from tests.transfer.adapting.test_sides import Passes


@pytest.mark.parametrize("weight", [0.0, 0.3, 2.0])
def test_trap_2_a_reversal_that_ignores_its_weight(weight: float) -> None:
    values = torch.ones(3, requires_grad=True)
    (gradient,) = torch.autograd.grad(reverse_gradient(values, weight).sum(), values)
    assert gradient.tolist() == pytest.approx([-weight] * 3)


def relu_features(n: int, seed: int, shift: float = 0.0) -> Tensor:
    """(n, 2048) features as a ResNet-50 gives them."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(n, 2048, generator=generator) + shift).relu()


@pytest.mark.parametrize("n", [50, 200])
def test_trap_6_a_distance_that_measures_the_number_of_images(n: int) -> None:
    """With a kernel of fixed width and its diagonal kept, it is sqrt(2 / n) for any features of this size."""
    one, same, other = relu_features(n, 0), relu_features(n, 1), relu_features(n, 2, 0.3)
    assert _biased(one, same) == pytest.approx(math.sqrt(2 / n))
    assert _biased(one, other) == pytest.approx(math.sqrt(2 / n))
    assert abs(mmd2(one, same)) < 0.002
    assert mmd2(one, other) > 0.02


def _biased(source: Tensor, target: Tensor) -> float:
    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-(torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist") ** 2)).mean()

    return (kernel(source, source) + kernel(target, target) - 2 * kernel(source, target)).sqrt().item()


def test_trap_8_a_sign_that_is_turned_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The term is the discriminator's loss itself, and its gradient in the features minus the weight times that."""
    source, target = (torch.randn(6, 128, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    given = [source.requires_grad_(), target.requires_grad_()]
    monkeypatch.setattr(
        "graft.transfer.adapting.dann.sides_of", lambda moment, further: Sides(*({"block4": each} for each in given))
    )
    term = Dann(0.5, network(), Further(None, samples(8, 1).images, NOTHING_VARIED))
    loss = term(Passes().moment(samples(6, 2)))
    plain = discrimination(term.discriminator, source, target)
    assert loss.item() == pytest.approx(plain.item())
    weight = 0.5 * reversal_weight(0.5)
    for ours, of_loss in zip(torch.autograd.grad(loss, given), torch.autograd.grad(plain, given), strict=True):
        torch.testing.assert_close(ours, -weight * of_loss)
