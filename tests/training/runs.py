"""Small runs for tests: two classes that differ in brightness, and plans over small_cnn."""

from typing import Any

import torch
from tests.house import ROOT

from graft.networks.networks import Network, build_network
from graft.networks.outputs import Score, outputs_of, score_of
from graft.networks.preprocessing import SMALL_CNN
from graft.params.recipes import Recipe
from graft.training.batches import Samples
from graft.training.optimisation import Optimisation
from graft.training.phases import Phase, parts_of
from graft.training.steps import Plan
from graft.yaml_files import read_yaml

RECIPES = read_yaml(ROOT / "params.yaml")["recipes"]
NOTHING_VARIED, SHIFTED = Recipe.model_validate(RECIPES["none"]), Recipe.model_validate(RECIPES["digits"])
ADAMW = Optimisation("adamw", 0.01, "one_cycle", 0.3, None, 1)


def samples(n: int, seed: int) -> Samples:
    """Images that a network learns to tell apart in a few steps."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    noise = torch.randint(0, 100, (n, 3, 32, 32), generator=generator)
    return Samples((noise + 100 * labels.view(-1, 1, 1, 1)).to(torch.uint8), labels)


def network(seed: int = 0) -> Network:
    """small_cnn from random start."""
    torch.manual_seed(seed)
    return build_network("small_cnn", 2, SMALL_CNN)


def phase(rate: float = 0.01, frozen: tuple[str, ...] = (), epochs: int = 3, **others: Any) -> Phase:
    """One phase over all blocks but those that are frozen."""
    rates = {name: 0.0 if name in frozen else rate for name in parts_of(network())}
    return Phase("phase", rates, epochs, None, norms_only=False)._replace(**others)


def plan(*phases: Phase, optimisation: Optimisation = ADAMW, **others: Any) -> Plan:
    """A plan in float32 with the defaults of params.yaml but for smaller batches."""
    made = Plan(
        phases=phases or (phase(),),
        batch_size=8,
        optimisation=optimisation,
        ema_decay=None,
        label_smoothing=0.0,
        mixing=None,
        balance="none",
        recipe=SHIFTED,
        views=None,
        batchnorm="train",
        precision=torch.float32,
    )
    return made._replace(**others)


def ignore(n: int) -> None:
    """A tick that nobody watches."""


def evaluate(net: Network, given: Samples) -> Score:
    """Score of a small_cnn on labelled images."""
    outputs = outputs_of(net, given.images.permute(0, 2, 3, 1).cpu().numpy())
    return score_of(torch.from_numpy(outputs.logits), given.labels.cpu())
