"""The two sides of a step: features of source images and features of target images, with gradients in both."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from graft.networks.runtime import sent
from graft.params.recipes import Recipe
from graft.training.augmentation.augmentation import augmented
from graft.training.batches import FEWEST, drawn
from graft.training.objective import Moment, Term

# by block
Features = Mapping[str, Tensor]


class Further(NamedTuple):
    """Images beside the labelled ones, on their device."""

    source: Tensor | None
    """(n, 3, s, s) uint8 images of the source; None where the labelled images are the source's."""
    target: Tensor | None
    """(m, 3, s, s) uint8 unlabelled images of the target; None where there are none."""
    recipe: Recipe
    """How they are varied: as the labelled images are."""

    @property
    def n_passed(self) -> float:
        """Images that a step passes for each labelled one."""
        return float(sum(each is not None for each in (self.source, self.target)))


class Sides(NamedTuple):
    """Features of a step by domain, (b, d) float32 by block; blocks that do not change are left out."""

    source: Features
    target: Features


def sides_of(moment: Moment, further: Further) -> Sides:
    """Pass a batch of further images through the network, as many as labelled ones or all, and sort by domain.

    Each batch is normalised by its own mean and deviation where BatchNorm learns. The running statistics follow the
    target alone, which is the domain that the network serves: where labelled images are the source's, its passes leave
    them alone, and those of unlabelled images move them.
    """
    labelled = moment.passed.features
    if further.source is None:
        assert further.target is not None, "without unlabelled images there is no second domain"
        return Sides(labelled, moment.pass_of(_batch(moment, further.target, further.recipe), moves=True).features)
    source = moment.pass_of(_batch(moment, further.source, further.recipe)).features
    if further.target is None:
        return Sides(source, labelled)
    unlabelled = moment.pass_of(_batch(moment, further.target, further.recipe)).features
    return Sides(source, {name: torch.cat([labelled[name], unlabelled[name]]) for name in labelled})


class Following(Term):
    """No loss: unlabelled images pass, so that BatchNorm's running statistics follow the target.

    Args:
        images: (n, 3, s, s) uint8 unlabelled images of the target.
        recipe: how they are varied.
    """

    n_passed = 1.0

    def __init__(self, images: Tensor, recipe: Recipe) -> None:
        super().__init__()
        self.images, self.recipe = images, recipe

    def forward(self, moment: Moment) -> Tensor:
        """0, as a scalar."""
        with torch.no_grad():
            moment.pass_of(_batch(moment, self.images, self.recipe), moves=True)
        return torch.zeros((), device=moment.targets.device)


def _batch(moment: Moment, images: Tensor, recipe: Recipe) -> Tensor:
    """Random images, augmented: (b, 3, s, s) uint8; without repetition but for a single one, which comes twice."""
    n = max(FEWEST, min(len(images), len(moment.targets)))
    rows = drawn(len(images), n, moment.generator)
    return augmented(images[sent(rows, images.device)], recipe, moment.generator)
