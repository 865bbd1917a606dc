"""CORAL: distance between the covariances of source and target features, as a loss.

Source: Sun and Saenko, Deep CORAL: correlation alignment for deep domain adaptation, ECCV workshops (2016).
"""

import torch
from torch import Tensor

from graft.training.objective import Moment, Term
from graft.transfer.adapting.sides import Further, sides_of


class Coral(Term):
    """Distance between the covariances of the last block's features of source and target images.

    Args:
        strength: factor of the loss.
        block: name of the last block.
        further: images of the other domain.
    """

    def __init__(self, strength: float, block: str, further: Further) -> None:
        super().__init__()
        self.strength, self.blocks = strength, (block,)
        self.further, self.n_passed = further, further.n_passed

    def forward(self, moment: Moment) -> Tensor:
        """Loss of a step, a scalar."""
        source, target = (side[self.blocks[0]] for side in sides_of(moment, self.further))
        return self.strength * coral(source, target)


def coral(source: Tensor, target: Tensor) -> Tensor:
    """Squared Frobenius distance between two covariances, divided by 4 d^2.

    Args:
        source: (n, d) features, two rows or more.
        target: (m, d) features, two rows or more.

    Returns:
        Scalar in float32 (float64 for float64 rows), not below 0.
    """
    difference = _covariance(source) - _covariance(target)
    return (difference * difference).sum() / (4 * source.shape[1] ** 2)


def _covariance(rows: Tensor) -> Tensor:
    """(d, d) covariance of the columns, with n - 1 in the denominator."""
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
    centred = rows - rows.mean(dim=0)
    covariance: Tensor = centred.T @ centred / (len(rows) - 1)
    return covariance
