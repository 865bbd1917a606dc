"""What training minimises, and how a network is scored by it: the only place under src that calls a loss.

A step asks one object for its loss: the data loss, and what terms add to it, such as a penalty on weights, a teacher or
the loss of further images.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graft.networks.networks import Network
from graft.networks.outputs import Score
from graft.training.activations import Pass


class Moment(NamedTuple):
    """What a step shows to the terms of its objective."""

    network: Network
    n_front: int
    """Number of frozen blocks below the first that learns."""
    values: Tensor
    """(b, ...) output of the frozen blocks for the labelled batch."""
    targets: Tensor
    """(b,) class numbers, or (b, c) shares of the classes where images are mixed."""
    passed: Pass
    """Outputs for the labelled batch."""
    progress: float
    """Share of the run's epochs that are done, in [0, 1)."""
    generator: torch.Generator
    """Of the terms' own draws, on the CPU."""
    pass_of: Callable[..., Pass]
    """Passes further (m, 3, s, s) uint8 images through the network. BatchNorm normalises them by their own mean and
    deviation where it does so for the labelled batch. They move its running statistics only with `moves=True`: images
    of the domain that the network serves, where the labelled ones are of another."""


class Term(nn.Module, ABC):
    """A loss beside the data loss.

    Parameters of a term learn at the rate of the head, and its state dict is part of a checkpoint. What is computed
    anew when a run continues, such as the weights that it started from, belongs in plain attributes.
    """

    blocks: tuple[str, ...] = ()
    """Blocks whose features the term needs of every pass."""
    n_passed: float = 0.0
    """Images that the term passes through the network for each labelled one."""
    replaces_decay: bool = False
    """Whether weights of the blocks are not decayed beside it, because it pulls them to where they started instead."""

    @abstractmethod
    def forward(self, moment: Moment) -> Tensor:
        """Loss of a step, a scalar, times its strength."""


# called once in a run, with the network that the run starts from
MakeTerm = Callable[[Network], Term]


class Objective(NamedTuple):
    """What a step of training minimises: the data loss and its terms."""

    label_smoothing: float
    """Share of each label that is spread over all classes."""
    class_weights: Tensor | None
    """(c,) float32 weights of the classes; None: all classes weigh the same."""
    terms: tuple[Term, ...] = ()

    def loss(self, moment: Moment) -> Tensor:
        """Data loss of the labelled batch, and what the terms add, a scalar."""
        loss = self.data_loss(moment.passed.logits, moment.targets)
        for term in self.terms:
            loss = loss + term(moment)
        return loss

    def data_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy over the images of a batch, a scalar in nats.

        Args:
            logits: (b, c) float32.
            targets: (b,) class numbers, or (b, c) shares of the classes where images are mixed.
        """
        smoothing, weights = self.label_smoothing, self.class_weights
        losses = F.cross_entropy(logits, targets, weights, reduction="none", label_smoothing=smoothing)
        # torch's own mean divides by the weights of the batch, by which a rare class would lose its weight
        return losses.mean()


def score_of(logits: Tensor, labels: Tensor) -> Score:
    """Loss and accuracy of (n, c) logits against (n,) class numbers, without weights or smoothing."""
    loss = F.cross_entropy(logits, labels).item()
    accuracy = (logits.argmax(dim=1) == labels).float().mean().item()
    return Score(loss, accuracy)
