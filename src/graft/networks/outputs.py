"""Features and logits of images in evaluation mode, and the score of a network on a split."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from graft.networks.networks import Network
from graft.networks.runtime import sent
from graft.networks.saving import load_network

BATCH = 64

Logits = NDArray[np.float32]


class Score(NamedTuple):
    """How well a network does on one split."""

    loss: float
    """Mean cross-entropy in nats."""
    accuracy: float
    """Share of images whose largest logit is the label's, in [0, 1]."""
    unlabelled: float | None = None
    """Score without labels, larger is better; it then decides alone."""

    @property
    def rank(self) -> tuple[float, ...]:
        """Larger for the better of two scores: accuracy decides, then loss."""
        return (self.accuracy, -self.loss) if self.unlabelled is None else (self.unlabelled,)


class Outputs(NamedTuple):
    """Outputs of a network for n images, on the CPU."""

    features: NDArray[np.float32]
    """(n, d)"""
    logits: NDArray[np.float32]
    """(n, c)"""


def outputs_of(network: Network, images: NDArray[np.uint8]) -> Outputs:
    """Features and logits of (n, s, s, 3) uint8 images, in evaluation mode and without augmentation."""
    from tqdm import tqdm

    device = next(network.parameters()).device
    network.eval()
    features, logits = [], []
    with torch.inference_mode():
        for start in tqdm(range(0, len(images), BATCH), desc="images", unit_scale=BATCH, disable=None, leave=False):
            # (b, s, s, 3) to (b, 3, s, s); a copy, because torch warns of read-only arrays, as a memory map is
            block = torch.from_numpy(np.array(images[start : start + BATCH])).permute(0, 3, 1, 2)
            features.append(network.features(sent(block, device)))
            logits.append(network.head(features[-1]))
    if not features:
        return Outputs(_empty(network.n_features), _empty(network.n_classes))
    return Outputs(torch.cat(features).cpu().numpy(), torch.cat(logits).cpu().numpy())


def saved_logits(files: Mapping[str, Path], images: NDArray[np.uint8], device: torch.device) -> dict[str, Logits]:
    """Logits of saved networks for the same images.

    Args:
        files: files of the weights by any names.
        images: (n, s, s, 3) uint8 images.
        device: where the networks run.

    Returns:
        (n, c) float32 logits by these names.
    """
    return {name: outputs_of(load_network(file).to(device), images).logits for name, file in files.items()}


def _empty(width: int) -> NDArray[np.float32]:
    return np.empty((0, width), dtype=np.float32)
