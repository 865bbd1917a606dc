"""The labelled images as both arms see them: they cannot differ where the comparison must be fair.

They are the target's. Where the target has no labels to train on, they are the source's.
"""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from graft.files import write_whole
from graft.networks.runtime import Runtime
from graft.params.errors import said_as_keys
from graft.params.learning import Training
from graft.params.network import ARM_KEYS
from graft.params.recipes import Recipe
from graft.records.common import LabelsFrom, Preprocessing
from graft.store.catalogue import CatalogRow, class_names, labelled, labels_from, open_images, read_catalog
from graft.training.augmentation.augmentation import contact_sheet
from graft.training.batches import Samples, samples_on, subsample
from graft.training.memory import check_room_for_images

# the contact sheet: this many train images, each with this many augmented views
N_IMAGES = 6
N_VIEWS = 5


class Labels(NamedTuple):
    """Files of labelled images."""

    catalog: Path
    images: Path
    """image store of the catalogue"""


class TargetData(NamedTuple):
    """Train and validation images with labels; the target's test split is not among them."""

    classes: tuple[str, ...]
    train: Samples
    val: Samples
    train_rows: NDArray[np.int64]
    """(n,) places of the train images in the store and in the features"""
    train_groups: NDArray[np.str_]
    """(n,) names of the groups of the train images"""
    val_rows: NDArray[np.int64]
    """(m,) places of the validation images"""
    preprocessing: Preprocessing
    recipe: Recipe
    """augmentation of the train images"""
    runtime: Runtime
    """device and precision of training; the images are on the device"""
    labels_from: LabelsFrom = "target"
    """the domain of the images"""


def read_data(
    target: Labels, source: Labels, preprocessing: Preprocessing, recipe: Recipe, runtime: Runtime
) -> TargetData:
    """Read the target's images onto the device, or where it has no labelled train image those of the source.

    Args:
        target: all images of the target.
        source: train and validation images of the source; read in that case alone.
        preprocessing: how the stores were made, and what the network normalises by.
        recipe: augmentation of the train images.
        runtime: what training computes on.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the images do not fit into memory.
    """
    rows = read_catalog(target.catalog)
    whose = labels_from(rows)
    if whose == "source":
        target, rows = source, read_catalog(source.catalog)
    data = target_data(rows, open_images(target.images), preprocessing, recipe, runtime)
    return data._replace(labels_from=whose)


@said_as_keys(ARM_KEYS)
def target_data(
    catalog: Iterable[CatalogRow],
    images: NDArray[np.uint8],
    preprocessing: Preprocessing,
    recipe: Recipe,
    runtime: Runtime,
) -> TargetData:
    """Move the train and validation images of a domain to the device.

    Args:
        catalog: the domain's catalogue, of all splits.
        images: (n, s, s, 3) uint8 RGB image store of the domain.
        preprocessing: how the store was made, and what the network normalises by.
        recipe: augmentation of the train images.
        runtime: what training computes on.

    Raises:
        ValueError: the images do not fit into memory.
    """
    catalog = tuple(catalog)
    classes = class_names(catalog)
    train, val = labelled(catalog, classes, "train"), labelled(catalog, classes, "val")
    check_room_for_images(images, len(train.rows) + len(val.rows))
    return TargetData(
        classes=classes,
        train=samples_on(runtime.device, images[train.rows], train.labels),
        val=samples_on(runtime.device, images[val.rows], val.labels),
        train_rows=train.rows,
        train_groups=train.groups,
        val_rows=val.rows,
        preprocessing=preprocessing,
        recipe=recipe,
        runtime=runtime,
    )


def seen_by(data: TargetData, training: Training, seed: int) -> NDArray[np.int64]:
    """Places within the train split that a seed sees; they are the same for both arms."""
    return subsample(data.train.labels.cpu().numpy(), data.train_groups, training.subsample, seed)


def left_out_by(data: TargetData, training: Training, seed: int) -> NDArray[np.int64]:
    """Places of the train images that a seed does not see, whole groups of them; they are the same for both arms."""
    return np.setdiff1d(np.arange(len(data.train.labels)), seen_by(data, training, seed))


def part_of(samples: Samples, places: NDArray[np.int64]) -> Samples:
    """The samples at these places."""
    index = torch.from_numpy(places).to(samples.labels.device)
    return Samples(samples.images[index], samples.labels[index])


def write_sheet(data: TargetData, seed: int, path: Path) -> None:
    """Write a contact sheet: train images, each as it is and as training may see it, whole or not at all.

    Args:
        data: the target's images, in the order of their classes, and the recipe.
        seed: of the draws.
        path: becomes an .npy file of (6 or fewer, 6, s, s, 3) uint8 RGB.
    """
    n = len(data.train_rows)
    spread = np.linspace(0, n - 1, min(N_IMAGES, n)).round().astype(np.int64)
    # (k, 3, s, s) -> (k, s, s, 3)
    images = data.train.images[spread.tolist()].permute(0, 2, 3, 1).cpu().numpy()
    content = io.BytesIO()
    np.save(content, contact_sheet(images, data.recipe, N_VIEWS, seed))
    write_whole(path, content.getvalue())
