"""The distance of covariances as a loss, against sums over rows and cases worked by hand."""

import pytest
import torch
from torch import Tensor

from graft.transfer.adapting.coral import coral


def rows(n: int, d: int, seed: int, scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(n, d, generator=generator, dtype=torch.float64)


def by_sums(source: Tensor, target: Tensor) -> Tensor:
    """The paper's form: (D'D - (1'D)'(1'D) / n) / (n - 1), entry by entry."""
    d, total = source.shape[1], torch.zeros((), dtype=torch.float64)

    def entry(side: Tensor, i: int, j: int) -> Tensor:
        n = len(side)
        products = sum((row[i] * row[j] for row in side), torch.zeros(()))
        return (products - side[:, i].sum() * side[:, j].sum() / n) / (n - 1)

    for i in range(d):
        for j in range(d):
            total = total + (entry(source, i, j) - entry(target, i, j)) ** 2
    return total / (4 * d * d)


def test_value_and_gradient_are_those_of_the_sums() -> None:
    results = []
    for form in (coral, by_sums):
        source, target = rows(6, 4, 0).requires_grad_(), rows(9, 4, 1, 2.0).requires_grad_()
        loss = form(source, target)
        results.append((loss, *torch.autograd.grad(loss, (source, target))))
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain)


def test_a_case_worked_by_hand() -> None:
    """Covariances [[2, 2], [2, 2]] and [[2, -2], [-2, 2]]: two differences of 4, squared and summed 32, over 16."""
    source, target = torch.tensor([[0.0, 0.0], [2.0, 2.0]]), torch.tensor([[0.0, 2.0], [2.0, 0.0]])
    assert coral(source, target).item() == 2.0


def test_a_shift_of_the_mean_does_not_count() -> None:
    source = rows(20, 3, 0)
    assert coral(source, source + 5).item() == pytest.approx(0, abs=1e-12)


def test_half_precision_is_computed_in_float32() -> None:
    source, target = rows(16, 8, 0).bfloat16(), rows(16, 8, 1, 2.0).bfloat16()
    loss = coral(source, target)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(coral(source.double(), target.double()).item(), rel=1e-4)
