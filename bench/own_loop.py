"""This project's loop for the benchmarks of training: the network and the plan.

It imports graft, so a peer's environment that runs training_run.py does not import it.
"""

from typing import NamedTuple

import torch
from torch import nn

from graft.networks.networks import Network, from_torchvision
from graft.params.learning import Learning
from graft.params.recipes import Recipe
from graft.records.common import Preprocessing
from graft.training.batches import Samples
from graft.training.loop import fit
from graft.training.phases import Phase, parts_of
from graft.training.steps import Plan, Tick

LEARNING = Learning(
    epochs=1,
    batch_size=32,
    optimizer="adamw",
    weight_decay=0.01,
    schedule="one_cycle",
    warmup=0.3,
    augmentation="none",
)
UNVARIED = Recipe()


class Way(NamedTuple):
    """Part of a network that is trained, and how."""

    batch: int
    precision: torch.dtype
    recipe: Recipe = UNVARIED
    top: bool = False
    """whether only the top block and the head are trained"""
    views: int | None = None
    """number of fixed augmented views, on which the frozen blocks run once; None: a new view every epoch"""
    epochs: int = 1


def train(model: nn.Module, name: str, given: Samples, way: Way, tick: Tick) -> None:
    """Train a plain torch network on images that are on its device, normalised and augmented at every step."""
    side, n_classes = given.images.shape[2], int(given.labels.max()) + 1
    net = named(model, name, side, n_classes).to(given.images.device)
    frozen = list(net.blocks)[:-1] if way.top else []
    rates = {part: 0.0 if part in frozen else 1e-3 for part in parts_of(net)}
    phase = Phase("bench", rates, way.epochs, None)
    learning = LEARNING.model_copy(update={"batch_size": way.batch})
    plan = Plan((phase,), learning, way.recipe, way.precision, views=way.views)
    few = Samples(given.images[: way.batch], given.labels[: way.batch])
    fit(net, given, few, plan, 0, tick)


def named(model: nn.Module, name: str, side_px: int, n_classes: int) -> Network:
    """The network with its parts named; `tiny` is a Sequential of which the last layer is the head."""
    if name == "tiny":
        assert isinstance(model, nn.Sequential)
        return Network({"block": model[:-1]}, model[-1].in_features, n_classes, halved(side_px))
    return from_torchvision(model, name, n_classes, halved(side_px))


def halved(side_px: int) -> Preprocessing:
    """Images as they are, with mean 0.5 and deviation 0.25."""
    half, quarter = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
    return Preprocessing(resize_px=side_px, crop_px=side_px, mean=half, std=quarter, interpolation="bilinear")
