"""Elastic weight consolidation: the pull of L2-SP, with each weight counted by how much the source's labels need it.

Source: Kirkpatrick et al., Overcoming catastrophic forgetting in neural networks, PNAS (2017).
"""

import copy

import torch
from torch import Tensor

from graft.networks.networks import Network
from graft.training.batches import Samples, drawn
from graft.training.objective import MakeTerm, Objective
from graft.transfer.keeping.l2_sp import Pull


def fisher_roots(network: Network, source: Samples, n_images: int, seed: int) -> tuple[Tensor, ...]:
    """Square roots of the diagonal of the empirical Fisher information, for each parameter of the blocks in order.

    Its entry for a weight is the mean over images of the squared derivative of one image's loss, for its true label
    under the old head, in evaluation mode. The square of the gradient of a batch is another number: there derivatives
    of opposite sign cancel.

    Args:
        network: the pretrained network with its old head; it is not changed.
        source: labelled images of the source, of the classes of the old head.
        n_images: number of images that are drawn; all of them where there are fewer.
        seed: of the draw.
    """
    own = copy.deepcopy(network).eval().requires_grad_(False)
    parameters = list(own.blocks.requires_grad_(True).parameters())
    generator, n = torch.Generator().manual_seed(seed), min(n_images, len(source.labels))
    sums = [torch.zeros_like(each) for each in parameters]
    # one after another: a vectorised gradient of a convolution is slower on a CPU, and not every layer has one
    for row in drawn(len(source.labels), n, generator).tolist():
        loss = Objective(0.0, None).data_loss(own(source.images[row : row + 1]), source.labels[row : row + 1])
        gradients = torch.autograd.grad(loss, parameters, materialize_grads=True)
        torch._foreach_addcmul_(sums, gradients, gradients)
    return tuple(each.detach().div_(n).sqrt_() for each in sums)


def ewc(strength: float, roots: tuple[Tensor, ...]) -> MakeTerm:
    """Maker of the penalty of EWC.

    Args:
        strength: factor of the penalty.
        roots: result of `fisher_roots`.
    """
    return lambda network: Pull(network, strength, roots)
