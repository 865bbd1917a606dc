"""What the head from pretraining says of source images, before and after its blocks were tuned."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from graft.networks.networks import state_sha256
from graft.networks.outputs import outputs_of
from graft.networks.saving import load_network

Logits = NDArray[np.float32]


class OldHeadLogits(NamedTuple):
    """Logits of the source's classes for n images of the source."""

    before: Logits
    """(n, c) by the pretrained network"""
    after: Mapping[int, Logits | None]
    """(n, c) by the tuned blocks of each seed under the same head; None if no block changed"""


def old_head_logits(
    backbone: Path, tuned: Mapping[int, Path], images: NDArray[np.uint8], device: torch.device
) -> OldHeadLogits:
    """Logits of a pretrained network, and of its head on tuned blocks.

    Args:
        backbone: weights of the pretrained network, with the head that it was pretrained with.
        tuned: weights of the networks that were tuned from it, by seed.
        images: (n, s, s, 3) uint8 images of the source.
        device: on which the networks are run.

    Raises:
        FileNotFoundError: a file does not exist.
    """
    before = load_network(backbone).to(device)
    sha256 = state_sha256(before.blocks.values())
    after: dict[int, Logits | None] = {}
    for seed, path in tuned.items():
        network = load_network(path).to(device)
        network.head = before.head
        same = state_sha256(network.blocks.values()) == sha256
        after[seed] = None if same else outputs_of(network, images).logits
    return OldHeadLogits(outputs_of(before, images).logits, after)
