"""L2-SP: weights are pulled towards their values before tuning, instead of towards zero.

Source: Li, Grandvalet and Davoine, Explicit inductive bias for transfer learning with convolutional networks, ICML
(2018).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from graft.networks.networks import Network
from graft.training.objective import MakeTerm, Moment, Term
from graft.training.optimisation import Tensors


class _Pull(torch.autograd.Function):
    """The penalty without a graph over the tensors."""

    @staticmethod
    def forward(ctx: Any, strength: float, starts: Tensors, roots: Tensors | None, *weights: Tensor) -> Tensor:
        moved = torch._foreach_sub(weights, starts)
        if roots is not None:
            torch._foreach_mul_(moved, roots)
        ctx.strength, ctx.moved, ctx.roots = strength, moved, roots
        return strength / 2 * torch.stack(torch._foreach_norm(moved)).square().sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factor: Tensor) -> tuple[Tensor | None, ...]:
        # (w - w0), or root F (w - w0) times root F
        gradients = torch._foreach_mul(ctx.moved, factor * ctx.strength)
        if ctx.roots is not None:
            torch._foreach_mul_(gradients, ctx.roots)
        return None, None, None, *gradients


def pull(weights: Tensors, starts: Tensors, strength: float, roots: Tensors | None = None) -> Tensor:
    """Strength / 2 * the sum of F (w - w0)^2 over all entries of all tensors, a scalar.

    The gradient is known in advance, so that no graph over the weights is built.

    Args:
        weights: w, parameters that learn, at least one.
        starts: w0, of the same shapes.
        strength: factor of the penalty.
        roots: square roots of F, of the same shapes; None: F is 1.
    """
    value: Tensor = _Pull.apply(strength, starts, roots, *weights)
    return value


class Pull(Term):
    """Penalty on the distance of all weights of the blocks that learn from where the run started.

    The head is left out: it is new, and has learned nothing of the source.

    Args:
        network: as the run starts from it.
        strength: factor of the penalty.
        roots: square roots of F for all parameters of the blocks, in their order; None: F is 1.
    """

    replaces_decay = True

    def __init__(self, network: Network, strength: float, roots: Tensors | None = None) -> None:
        super().__init__()
        self.strength = strength
        self.starts = [each.detach().clone() for each in network.blocks.parameters()]
        # in the memory format of the weights, so that each step is one pass over memory
        self.roots = roots and [torch.empty_like(a).copy_(b) for a, b in zip(self.starts, roots, strict=True)]

    def forward(self, moment: Moment) -> Tensor:
        """Penalty of the blocks that learn in this phase: those that are frozen have not moved."""
        weights = list(moment.network.blocks.parameters())
        places = [place for place, each in enumerate(weights) if each.requires_grad]
        roots = None if self.roots is None else [self.roots[place] for place in places]
        return pull(
            [weights[place] for place in places], [self.starts[place] for place in places], self.strength, roots
        )


def l2_sp(strength: float) -> MakeTerm:
    """Maker of the penalty of L2-SP."""
    return lambda network: Pull(network, strength)
