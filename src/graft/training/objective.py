"""What training minimises, and how a network is scored by it: the only place under src that calls a loss.

Penalties on weights, a teacher and extra batches belong here when they come: a step asks one object for its loss.
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from graft.networks.outputs import Score


class Objective(NamedTuple):
    """What a step of training minimises: the data loss."""

    label_smoothing: float
    """Share of each label that is spread over all classes."""
    class_weights: Tensor | None
    """(c,) float32 weights of the classes; None: all classes weigh the same."""

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
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
