"""Images beside the labelled ones of the target that the transfer arm is trained with."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from graft.networks.networks import Network
from graft.networks.runtime import Runtime
from graft.params.errors import said_as_keys
from graft.params.network import ARM_KEYS
from graft.store.catalogue import class_names, labelled, open_images, read_catalog
from graft.training.batches import Samples, samples_on
from graft.training.memory import check_room_for_images

# Unlabelled images that replace labels: with fewer none has two neighbours, and BatchNorm has no deviation of one.
FEWEST_UNLABELLED = 3


class CompanionFiles(NamedTuple):
    """What gather_companions wrote for the techniques of the transfer arm."""

    catalog: Path
    """catalogue of train images of the source"""
    images: Path
    """their image store"""
    unlabelled: Path
    """image store of images of the target without labels"""


class Companions(NamedTuple):
    """Images of the source, and images of the target without labels, on the device of the labelled ones."""

    source: Samples | None = None
    """train images of the source, labelled by the numbers of its classes; None if no technique uses them"""
    unlabelled: Tensor | None = None
    """(n, 3, s, s) uint8 images of the target without labels; None if no technique uses them"""

    @property
    def nbytes(self) -> int:
        """Bytes of all images, which each process holds."""
        images = (None if self.source is None else self.source.images, self.unlabelled)
        return sum(each.nbytes for each in images if each is not None)


@said_as_keys(ARM_KEYS)
def read_companions(files: CompanionFiles, runtime: Runtime) -> Companions:
    """Move what gather_companions wrote to the device; files without rows become None.

    Args:
        files: what is read.
        runtime: what training computes on.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the images do not fit into memory.
    """
    rows = read_catalog(files.catalog)
    source, unlabelled = open_images(files.images), open_images(files.unlabelled)
    check_room_for_images(source, len(source) + len(unlabelled))
    known = labelled(rows, class_names(rows), "train")

    def on_device(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Samples | None:
        return samples_on(runtime.device, images, labels) if len(images) else None

    # the copy is in memory, a store is on disk
    seen = on_device(np.array(unlabelled), np.zeros(0, dtype=np.int64))
    return Companions(on_device(source[known.rows], known.labels), None if seen is None else seen.images)


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


def unlabelled_of(companions: Companions, line: str) -> Tensor:
    """Images of the target without labels, (n, 3, s, s) uint8, where it has no others to train on.

    Args:
        companions: images beside the labelled ones.
        line: line of finetune_target that needs them.

    Raises:
        ValueError: there are too few.
    """
    images = companions.unlabelled
    n = 0 if images is None else len(images)
    if images is None or n < FEWEST_UNLABELLED:
        raise ValueError(
            f"data/raw/target_unlabeled: want at least {FEWEST_UNLABELLED} images for `{line}` without labels of the "
            f"target, got {n}. Put images there, or remove the line from finetune_target in params.yaml."
        )
    return images
