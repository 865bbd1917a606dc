"""DANN: a discriminator of the domains behind a gradient reversal, as a loss.

Source: Ganin et al., Domain-adversarial training of neural networks, JMLR 17 (2016).
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graft.networks.networks import Network
from graft.training.objective import Moment, Term
from graft.transfer.adapting.sides import Further, sides_of

# units of the discriminator's hidden layer
HIDDEN = 256
# how fast the reversal reaches its full weight
STEEPNESS = 10.0


class Dann(Term):
    """Loss of a discriminator that is to tell source from target by the last block's features.

    The discriminator learns to lower it. Behind the reversal the blocks learn to raise it. The loss is added to the
    data loss: a minus before it would turn the reversal round again.

    Args:
        strength: largest weight of the reversed gradient; the discriminator learns at full strength throughout.
        network: whose last block's features are compared.
        further: images of the other domain.
    """

    def __init__(self, strength: float, network: Network, further: Further) -> None:
        super().__init__()
        self.strength, self.blocks = strength, (list(network.blocks)[-1],)
        self.further, self.n_passed = further, further.n_passed
        self.discriminator = make_discriminator(network.n_features)

    def forward(self, moment: Moment) -> Tensor:
        """Loss of a step, a scalar."""
        weight = self.strength * reversal_weight(moment.progress)
        source, target = (side[self.blocks[0]] for side in sides_of(moment, self.further))
        return discrimination(self.discriminator, reverse_gradient(source, weight), reverse_gradient(target, weight))


class _Reversed(torch.autograd.Function):
    """The values themselves forwards, minus `weight` times their gradient backwards."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.weight * gradients[0], None


def reverse_gradient(values: Tensor, weight: float) -> Tensor:
    """The same values; their gradient is multiplied by minus the weight."""
    reversed_: Tensor = _Reversed.apply(values, weight)
    return reversed_


def reversal_weight(progress: float) -> float:
    """Weight of the reversal after a share of the run: from 0 at the start to almost 1 at the end.

    The discriminator's first gradients are noise, which must not reach the features.
    """
    return 2 / (1 + math.exp(-STEEPNESS * progress)) - 1


def discrimination(discriminator: nn.Module, source: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of a discriminator in nats, both domains weighing the same; ln 2 is chance.

    Args:
        discriminator: from (n, d) features to (n, 1) logits of the source.
        source: (n, d) features.
        target: (m, d) features.
    """
    # source is 1, target is 0: -log sigmoid(z) and -log(1 - sigmoid(z))
    of_source, of_target = F.softplus(-discriminator(source)).mean(), F.softplus(discriminator(target)).mean()
    return (of_source + of_target) / 2


def make_discriminator(n_features: int) -> nn.Module:
    """Small network from (n, d) features to (n, 1) logits."""
    return nn.Sequential(nn.Linear(n_features, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
