"""Learning without forgetting: under the old head, the tuned blocks shall say what the pretrained ones said.

Source: Li and Hoiem, Learning without forgetting, ECCV (2016).
"""

import copy

import torch
from torch import Tensor

from graft.networks.networks import Network
from graft.networks.runtime import autocast
from graft.training.activations import back
from graft.training.objective import MakeTerm, Moment, Term


def divergence(says: Tensor, said: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of softened outputs times the square of the temperature, mean over images, in nats.

    Derivatives by softened logits shrink with the square of the temperature; its factor keeps the strength of the loss
    the same at any temperature (Hinton, Vinyals and Dean, Distilling the knowledge in a neural network, 2015).

    Args:
        says: (b, c) logits of the student.
        said: (b, c) logits of the teacher.
        temperature: by which logits are divided, above 0.
    """
    student, teacher = (torch.log_softmax(each / temperature, dim=1) for each in (says, said))
    return temperature**2 * (teacher.exp() * (teacher - student)).sum(dim=1).mean()


class LwF(Term):
    """Divergence between what the old head says of the tuned blocks and of the pretrained ones, for the labelled batch.

    The old head is frozen. It is not tuned beside the new one, as in the paper, so that forgetting is measured by the
    same head before and after.

    Args:
        teacher: the pretrained network with its old head, as all runs start from it; it is not changed.
        strength: factor of the loss.
        temperature: see `divergence`.
        precision: of the teacher's arithmetic.
    """

    def __init__(self, teacher: Network, strength: float, temperature: float, precision: torch.dtype) -> None:
        super().__init__()
        self.strength, self.temperature, self.precision = strength, temperature, precision
        # in a tuple, or it would be a module of the term, and learn
        self.teacher = (teacher,)
        self.blocks = (list(teacher.blocks)[-1],)

    def forward(self, moment: Moment) -> Tensor:
        """Loss of the labelled batch."""
        (teacher,), (last,) = self.teacher, self.blocks
        # Input of the first block that learns is the output of blocks that have not learned in any phase: phases only
        # ever add blocks from the top down, and a roll-back returns to a state of the same run. So the teacher, whose
        # lower blocks are the same, may begin there too.
        with torch.no_grad(), autocast(moment.values.device, self.precision):
            said = back(teacher, moment.n_front, moment.values).logits
        return self.strength * divergence(teacher.head(moment.passed.features[last]), said, self.temperature)


def lwf(start: Network, strength: float, temperature: float, precision: torch.dtype) -> MakeTerm:
    """Maker of the loss of LwF.

    Args:
        start: the pretrained network with its old head, its BatchNorm adapted where that is the policy.
        strength: factor of the loss.
        temperature: see `divergence`.
        precision: of the teacher's arithmetic.
    """
    teacher = copy.deepcopy(start).eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return lambda network: LwF(teacher, strength, temperature, precision)
