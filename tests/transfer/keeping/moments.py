"""A step as a term sees it: a network in the state of a phase, and a batch."""

import torch
from tests.training.runs import phase, samples
from torch import Tensor

from graft.networks.networks import Network
from graft.training.activations import Pass, back, front
from graft.training.objective import Moment, Term
from graft.training.phases import Phase, freeze, n_frozen_blocks, set_modes


def moment_of(net: Network, term: Term, given: Phase | None = None, n: int = 6, seed: int = 4) -> Moment:
    """The moment of a step over n images in a phase."""
    given = given or phase()
    freeze(net, given)
    set_modes(net, given, "frozen")
    n_front, batch = n_frozen_blocks(net, given), samples(n, seed)

    def passed(images: Tensor) -> Pass:
        return back(net, n_front, front(net, n_front, images), term.blocks)

    values = front(net, n_front, batch.images)
    generator = torch.Generator().manual_seed(seed)
    return Moment(net, n_front, values, batch.labels, back(net, n_front, values, term.blocks), 0.0, generator, passed)


def moved(net: Network, by: float = 0.01) -> Network:
    """The network with all parameters of its blocks changed at random, in place."""
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for each in net.blocks.parameters():
            each.add_(by * torch.randn(each.shape, generator=generator))
    return net
