"""What a network says of images, in evaluation mode, and how right it is."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from graft.networks.networks import Network
from graft.networks.runtime import sent

BATCH = 64


class Score(NamedTuple):
    """Of one network on one split."""

    loss: float
    """mean cross-entropy, nats"""
    accuracy: float
    """share of images whose largest logit is the label's"""


class Outputs(NamedTuple):
    """Of one network for n images, on the CPU."""

    features: NDArray[np.float32]
    """(n, d)"""
    logits: NDArray[np.float32]
    """(n, c)"""


def outputs_of(network: Network, images: NDArray[np.uint8]) -> Outputs:
    """Features and logits of (n, s, s, 3) uint8 images, network in evaluation mode, no augmentation."""
    from tqdm import tqdm

    device = next(network.parameters()).device
    network.eval()
    features, logits = [], []
    with torch.inference_mode():
        for start in tqdm(range(0, len(images), BATCH), desc="images", unit_scale=BATCH, disable=None, leave=False):
            block = torch.from_numpy(np.array(images[start : start + BATCH])).permute(0, 3, 1, 2)
            features.append(network.features(sent(block, device)))
            logits.append(network.head(features[-1]))
    if not features:
        return Outputs(_empty(network.n_features), _empty(network.n_classes))
    return Outputs(torch.cat(features).cpu().numpy(), torch.cat(logits).cpu().numpy())


def score_of(logits: Tensor, labels: Tensor) -> Score:
    """Loss and accuracy of (n, c) logits against (n,) class numbers."""
    loss = F.cross_entropy(logits, labels).item()
    accuracy = (logits.argmax(dim=1) == labels).float().mean().item()
    return Score(loss, accuracy)


def _empty(width: int) -> NDArray[np.float32]:
    return np.empty((0, width), dtype=np.float32)
