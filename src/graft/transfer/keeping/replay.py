"""Replay: source images stay among the training images, under the head that they were learned with.

Source: Robins, Catastrophic forgetting, rehearsal and pseudorehearsal, Connection Science (1995).
"""

import copy

from torch import Tensor, nn

from graft.networks.networks import Network
from graft.networks.runtime import sent
from graft.params.recipes import Recipe
from graft.training.augmentation.augmentation import augmented
from graft.training.batches import FEWEST, Samples, drawn
from graft.training.objective import MakeTerm, Moment, Objective, Term


class Replay(Term):
    """Cross-entropy of source images under the old head, which count as the share says.

    Where it stands for a whole number of images, each counts as much as an image of the labelled batch. Where it stands
    for less than FEWEST, as many pass and each counts less.

    Args:
        last: name of the last block.
        head: the old head; it does not learn.
        source: labelled images of the source, of the classes of the old head.
        share: of source images among all images of a step, above 0 to below 1.
        recipe: how they are varied.
    """

    def __init__(self, last: str, head: nn.Module, source: Samples, share: float, recipe: Recipe) -> None:
        super().__init__()
        self.blocks, self.source, self.recipe = (last,), source, recipe
        self.n_passed = share / (1 - share)
        # in a tuple, or it would be a module of the term, and learn
        self.head = (head,)

    def forward(self, moment: Moment) -> Tensor:
        """Loss of source images that are drawn anew in each step."""
        n = max(FEWEST, round(len(moment.values) * self.n_passed))
        labels = self.source.labels
        rows = sent(drawn(len(labels), n, moment.generator), labels.device)
        images = augmented(self.source.images[rows], self.recipe, moment.generator)
        (head,), (last,) = self.head, self.blocks
        logits = head(moment.pass_of(images).features[last])
        return self.n_passed * Objective(0.0, None).data_loss(logits, labels[rows])


def replay(start: Network, source: Samples, share: float, recipe: Recipe) -> MakeTerm:
    """Maker of the loss of replay.

    Args:
        start: the pretrained network with its old head.
        source: labelled images of the source, of the classes of the old head.
        share: of source images among all images of a step, above 0 to below 1.
        recipe: how they are varied.
    """
    head = copy.deepcopy(start.head).eval().requires_grad_(False)
    return lambda network: Replay(list(start.blocks)[-1], head, source, share, recipe)
