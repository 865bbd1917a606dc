"""The squared MMD as a loss, against the plain double sum and the package's own two-sample statistic."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from graft.statistics.two_sample.two_sample import two_sample_test
from graft.transfer.adapting.mmd import MULTIPLES, mmd2


def rows(n: int, d: int, seed: int, shift: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64) + shift


def by_pairs(source: Tensor, target: Tensor, multiples: Sequence[float]) -> Tensor:
    """The same by a sum over pairs, with the bandwidth from numbers without a gradient."""
    pooled = [*source, *target]
    apart = sorted(((a - b) ** 2).sum().item() for i, a in enumerate(pooled) for b in pooled[:i])
    median = apart[(len(apart) - 1) // 2]

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        values = [torch.exp(-((a - b) ** 2).sum() / (each * median)) for each in multiples]
        return torch.stack(values).sum() / len(multiples)

    def within(side: Tensor) -> Tensor:
        n = len(side)
        total = sum((kernel(side[i], side[j]) for i in range(n) for j in range(n) if i != j), torch.zeros(()))
        return total / (n * (n - 1))

    across = sum((kernel(a, b) for a in source for b in target), torch.zeros(()))
    return within(source) + within(target) - 2 * across / (len(source) * len(target))


@pytest.mark.parametrize("shift", [0.0, 1.5])
def test_value_and_gradient_are_those_of_the_double_sum(shift: float) -> None:
    results = []
    for form in (mmd2, by_pairs):
        source, target = rows(5, 3, 0).requires_grad_(), rows(7, 3, 1, shift).requires_grad_()
        loss = form(source, target, MULTIPLES)
        results.append((loss, *torch.autograd.grad(loss, (source, target))))
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain)


@pytest.mark.parametrize("multiple", [0.25, 1.0, 4.0])
def test_value_is_that_of_the_two_sample_test_at_the_same_bandwidth(multiple: float) -> None:
    # 55 rows have an odd number of pairs, so that the median is one of the distances
    source, target = rows(31, 5, 0), rows(24, 5, 1, 0.5)
    test = two_sample_test(source.numpy(), target.numpy(), seed=0, n_permutations=9, bandwidths=(multiple,))
    assert mmd2(source, target, (multiple,)).item() == pytest.approx(test.bandwidths[0].mmd2, rel=1e-9)


def test_a_case_worked_by_hand() -> None:
    """Source 0 and 1, target 3 and 4: distances squared 1, 1, 9, 16, 4, 9, whose lower median is 4."""
    source, target = torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0], [4.0]])
    within = 2 * math.exp(-1 / 4)
    across = (2 * math.exp(-9 / 4) + math.exp(-16 / 4) + math.exp(-4 / 4)) / 4
    assert mmd2(source, target, (1.0,)).item() == pytest.approx(within - 2 * across, rel=1e-6)


def test_it_does_not_grow_with_the_scale_of_the_features() -> None:
    source, target = rows(20, 4, 0), rows(20, 4, 1, 1.0)
    assert mmd2(1000 * source, 1000 * target).item() == pytest.approx(mmd2(source, target).item())


def test_equal_domains_give_zero_on_average_because_the_diagonal_is_left_out() -> None:
    values = torch.stack([mmd2(rows(8, 16, seed), rows(8, 16, 1000 + seed)) for seed in range(200)])
    assert abs(values.mean()) < 4 * values.std() / math.sqrt(200)
    assert (values < 0).any()


@pytest.mark.parametrize("same", [0, 5])
def test_equal_rows_give_a_finite_loss_and_gradient(same: int) -> None:
    source, target = torch.zeros(6, 3), torch.zeros(6, 3)
    source[same:] += torch.arange(6 - same)[:, None]
    source.requires_grad_()
    loss = mmd2(source, target)
    (gradient,) = torch.autograd.grad(loss, source)
    assert loss.isfinite()
    assert gradient.isfinite().all()


def test_where_most_rows_are_equal_the_others_still_have_a_gradient() -> None:
    """The median distance is then 0, and the mean takes its place."""
    source, target = torch.zeros(6, 3), torch.zeros(6, 3)
    source[:2] += 1
    source.requires_grad_()
    (gradient,) = torch.autograd.grad(mmd2(source, target), source)
    assert (gradient[:2] > 0).all()


def test_half_precision_is_computed_in_float32() -> None:
    source, target = rows(16, 8, 0).bfloat16(), rows(16, 8, 1, 0.5).bfloat16()
    loss = mmd2(source, target)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(mmd2(source.double(), target.double()).item(), abs=1e-5)


def test_descent_on_it_draws_the_domains_together() -> None:
    source, target = rows(32, 4, 0), rows(32, 4, 1, 2.0)
    offset = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    before = mmd2(source, target).item()
    for _ in range(100):
        (slope,) = torch.autograd.grad(mmd2(source + offset, target), offset)
        offset = (offset - slope).detach().requires_grad_()
    assert mmd2(source + offset, target).item() < before / 10
    assert (offset > 1).all()
