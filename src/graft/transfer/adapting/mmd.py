"""DAN: squared MMD between the features of source and target, as a loss.

Source: Long et al., Learning transferable features with deep adaptation networks, ICML (2015).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from graft.training.objective import Moment, Term
from graft.transfer.adapting.sides import Further, sides_of

# Bandwidths as multiples of the median squared distance. DAN's family goes in steps of 2^(1/2) from 2^-8 to 2^8; in a
# batch of tens of images the kernels below 1/4 see hardly any pair, and those above 4 compare little but the means.
MULTIPLES = (0.25, 0.5, 1.0, 2.0, 4.0)
# share of the largest squared distance below which two rows count as equal: above the rounding of float32
EQUAL = 1e-5


class Dan(Term):
    """Sum over blocks of the squared MMD between their outputs for source and target images.

    A block that does not change in a phase adds nothing in it.

    Args:
        strength: factor of the loss.
        blocks: names of the blocks.
        further: images of the other domain.
    """

    def __init__(self, strength: float, blocks: tuple[str, ...], further: Further) -> None:
        super().__init__()
        self.strength, self.blocks = strength, blocks
        self.further, self.n_passed = further, further.n_passed

    def forward(self, moment: Moment) -> Tensor:
        """Loss of a step, a scalar."""
        source, target = sides_of(moment, self.further)
        losses = [mmd2(source[name], target[name]) for name in self.blocks if name in moment.passed.features]
        return self.strength * sum(losses, torch.zeros((), device=moment.targets.device))


def mmd2(source: Tensor, target: Tensor, multiples: Sequence[float] = MULTIPLES) -> Tensor:
    """Unbiased squared MMD, the mean over Gaussian kernels exp(-d^2 / bandwidth2); negative values occur.

    The bandwidths are multiples of the median squared distance between pooled rows. They have no gradient, or features
    could come closer by being measured with a wider kernel.

    Args:
        source: (n, d) features, two rows or more.
        target: (m, d) features, two rows or more.
        multiples: of the median.

    Returns:
        Scalar in float32 (float64 for float64 rows), between -1 and 2.

    Source: Gretton et al., A kernel two-sample test, JMLR 13 (2012).
    """
    n, m = len(source), len(target)
    distances2 = _distances2(torch.cat([source, target]))
    typical = _typical(distances2.detach())
    kernel = torch.stack([torch.exp(-distances2 / (each * typical)) for each in multiples]).mean(dim=0)
    # the diagonal is left out: a row's distance to itself says nothing of the domains, and adds 1/n + 1/m
    kernel = kernel - torch.diag(kernel.diagonal())
    within = kernel[:n, :n].sum() / (n * (n - 1)) + kernel[n:, n:].sum() / (m * (m - 1))
    return within - 2 * kernel[:n, n:].mean()


def _distances2(rows: Tensor) -> Tensor:
    """(n, n) squared distances between rows, in float32 or float64."""
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
    # near the origin, so that distances keep their digits
    rows = rows - rows.detach().mean(dim=0)
    squares = (rows * rows).sum(dim=1)
    return (squares[:, None] + squares - 2 * rows @ rows.T).clamp_min(0)


def _typical(distances2: Tensor) -> Tensor:
    """Median of the distances between different rows, above 0; their mean where most rows are equal."""
    n = len(distances2)
    above = torch.triu_indices(n, n, offset=1, device=distances2.device)
    pairs = distances2[above[0], above[1]]
    median = pairs.median()
    return torch.where(median > EQUAL * pairs.max(), median, pairs.mean()).clamp_min(torch.finfo(pairs.dtype).tiny)
