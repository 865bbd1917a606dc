"""What the head from pretraining says of source images, before and after its blocks were tuned."""

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
    after: Logits | None
    """(n, c) by the tuned blocks under the same head; None if no block changed"""


def old_head_logits(backbone: Path, tuned: Path, images: NDArray[np.uint8], device: torch.device) -> OldHeadLogits:
    """Logits of a pretrained network, and of its head on tuned blocks.

    Args:
        backbone: weights of the pretrained network, with the head that it was pretrained with.
        tuned: weights of the network that was tuned from it.
        images: (n, s, s, 3) uint8 images of the source.
        device: on which the networks are run.

    Raises:
        FileNotFoundError: a file does not exist.
    """
    before, after = (load_network(path).to(device) for path in (backbone, tuned))
    same = state_sha256(before.blocks.values()) == state_sha256(after.blocks.values())
    after.head = before.head
    return OldHeadLogits(outputs_of(before, images).logits, None if same else outputs_of(after, images).logits)
