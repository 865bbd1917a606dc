"""Images beside the labelled ones of the target that the transfer arm is trained with."""

from typing import NamedTuple

from torch import Tensor

from graft.networks.networks import Network
from graft.training.batches import Samples


class Companions(NamedTuple):
    """Images of the source, and images of the target without labels, on the device of the labelled ones."""

    source: Samples | None = None
    """train images of the source, labelled by the numbers of its classes; None if no technique uses them"""
    unlabelled: Tensor | None = None
    """(n, 3, s, s) uint8 images of the target without labels; None if no technique uses them"""


def labelled_source(companions: Companions, network: Network, kind: str) -> Samples:
    """Images of the source, with labels of the old head.

    Args:
        companions: images beside the target's.
        network: the pretrained network with its old head.
        kind: value of `keeping` that needs them.

    Raises:
        ValueError: there are no images of the source, or their classes are not those of the old head.
    """
    source = companions.source
    n_classes = 0 if source is None or not len(source.labels) else int(source.labels.max()) + 1
    if source is None or n_classes != network.n_classes:
        raise ValueError(
            f"data/raw/source: want train images of the {network.n_classes} classes of the pretrained head with "
            f"`finetune_target.keeping: {kind}`, got {n_classes} classes. Run `dvc repro`, or set keeping to l2_sp or "
            "lwf, which need no source images."
        )
    return source
