"""Small runs for tests: two classes that differ in brightness, and plans over small_cnn."""

from typing import Any

import torch
from tests.house import ROOT

from graft.networks.networks import Network, build_network
from graft.networks.outputs import Score, outputs_of
from graft.networks.preprocessing import SMALL_CNN
from graft.params.learning import Learning
from graft.params.recipes import Recipe
from graft.training.batches import Samples
from graft.training.objective import score_of
from graft.training.phases import BatchNormPolicy, Phase, parts_of
from graft.training.steps import Plan
from graft.yaml_files import read_yaml

RECIPES = read_yaml(ROOT / "params.yaml")["recipes"]
NOTHING_VARIED, SHIFTED = Recipe.model_validate(RECIPES["none"]), Recipe.model_validate(RECIPES["digits"])
ADAMW = Learning(
    epochs=3,
    batch_size=8,
    optimizer="adamw",
    weight_decay=0.01,
    schedule="one_cycle",
    warmup=0.3,
    augmentation="digits",
)


def samples(n: int, seed: int) -> Samples:
    """Images that a network learns to tell apart in a few steps."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    noise = torch.randint(0, 100, (n, 3, 32, 32), generator=generator)
    return Samples((noise + 100 * labels.view(-1, 1, 1, 1)).to(torch.uint8), labels)


def network(seed: int = 0) -> Network:
    """Randomly initialised small_cnn."""
    torch.manual_seed(seed)
    return build_network("small_cnn", 2, SMALL_CNN)


def phase(rate: float = 0.01, frozen: tuple[str, ...] = (), epochs: int = 3, **others: Any) -> Phase:
    """One phase over all blocks but those that are frozen."""
    rates = {name: 0.0 if name in frozen else rate for name in parts_of(network())}
    return Phase("phase", rates, epochs, None)._replace(**others)


def learning(**changes: Any) -> Learning:
    """What params.yaml says but for smaller batches, with these changes."""
    return Learning.model_validate({**ADAMW.model_dump(), **changes})


def plan(
    *phases: Phase,
    recipe: Recipe = SHIFTED,
    precision: torch.dtype = torch.float32,
    batchnorm: BatchNormPolicy = "train",
    views: int | None = None,
    **changes: Any,
) -> Plan:
    """A plan in float32; changes are those of `learning`."""
    return Plan(phases or (phase(),), learning(**changes), recipe, precision, batchnorm, views)


def ignore(n: int) -> None:
    """A tick that does nothing."""


def evaluate(net: Network, given: Samples) -> Score:
    """Score of a small_cnn on labelled images."""
    outputs = outputs_of(net, given.images.permute(0, 2, 3, 1).cpu().numpy())
    return score_of(torch.from_numpy(outputs.logits), given.labels.cpu())
