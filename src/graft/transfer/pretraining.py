"""The backbone: published weights, or training on the source images."""

from pathlib import Path

import torch
from numpy import uint8
from numpy.typing import NDArray

from graft.networks.networks import Network, build_network, published_network, state_sha256
from graft.networks.runtime import Runtime
from graft.networks.saving import save_network
from graft.params.errors import said_as_keys
from graft.params.network import PRETRAINING_KEYS
from graft.params.pipeline import Params
from graft.records.cards import BackboneCard
from graft.records.catalog import CatalogRecord
from graft.records.common import Split
from graft.store.catalogue import CatalogRow, class_names, labelled
from graft.training.batches import Samples, samples_on
from graft.training.checkpoints import NOTHING, Keeper
from graft.training.loop import fit
from graft.training.memory import check_room_for_images, check_room_for_steps
from graft.training.phases import Phase, equal_rates
from graft.training.steps import Plan


@said_as_keys(PRETRAINING_KEYS)
def make_backbone(
    params: Params,
    source: tuple[CatalogRow, ...],
    images: NDArray[uint8],
    record: CatalogRecord,
    path: Path,
    runtime: Runtime,
    keeper: Keeper = NOTHING,
) -> BackboneCard:
    """Write the weights of the backbone, and return its card.

    Args:
        params: all of params.yaml.
        source: catalogue of the source; may be empty where weights are published.
        images: (n, s, s, 3) uint8 store of the source.
        record: record of prepare_data, which holds the preprocessing.
        path: becomes the safetensors file.
        runtime: device and precision of pretraining.
        keeper: where the state of pretraining is kept, so that a killed one goes on.

    Raises:
        FileNotFoundError: the weights file is absent.
        ValueError: weights are `pretrain` and there are no source images, the network is unknown, its weights do not
            fit, it cannot take images of this size, or training does not fit into memory.
        RuntimeError: the weights cannot be downloaded.
    """
    accuracy, read_as, source_head = None, "", True
    if params.network.name != "small_cnn":
        from graft.networks.families import check_size  # with torchvision, which small_cnn never needs

        check_size(params.network.name, record.preprocessing.crop_px)
    if params.network.weights == "pretrain":
        network, accuracy = _pretrained(params, source, images, record, runtime, keeper)
    else:
        torch.manual_seed(params.seed)
        # classes for a random head alone, which nothing uses
        network, read_as, source_head = published_network(params.network, len(record.classes), record.preprocessing)
    sha256 = save_network(network, params.network.name, path)
    origin = {"pretrain": "pretrain", "file": f"file {Path(params.network.weights_file or '').name}"}
    return BackboneCard(
        network=params.network.name,
        origin=origin.get(params.network.weights, f"torchvision {params.network.weights}"),
        read_as=read_as,
        blocks=tuple(network.blocks),
        n_features=network.n_features,
        preprocessing=record.preprocessing,
        weights_sha256=sha256,
        source_head=source_head,
        blocks_sha256=state_sha256(network.blocks.values()),
        source_val_accuracy=accuracy,
    )


def _pretrained(
    params: Params,
    source: tuple[CatalogRow, ...],
    images: NDArray[uint8],
    record: CatalogRecord,
    runtime: Runtime,
    keeper: Keeper,
) -> tuple[Network, float]:
    from tqdm import tqdm

    classes = class_names(source)
    if len(classes) < 2:
        raise ValueError(
            f"data/raw/source: want at least 2 classes of images with `network.weights: pretrain`, got {len(classes)}. "
            "Add source images, or set network.weights to a torchvision weight name or to file."
        )
    torch.manual_seed(params.seed)
    network = build_network(params.network.name, len(classes), record.preprocessing).to(runtime.device)

    def samples(split: Split) -> Samples:
        chosen = labelled(source, classes, split)
        check_room_for_images(images, len(chosen.rows))
        return samples_on(runtime.device, images[chosen.rows], chosen.labels)

    train, val = samples("train"), samples("val")
    settings = params.pretrain_source
    rates = equal_rates(list(network.blocks), settings.rate)
    phase = Phase("pretrain", rates, settings.epochs, None)
    recipe = params.recipes[settings.augmentation]
    plan = Plan((phase,), settings, recipe, runtime.precision)
    check_room_for_steps(network, train, plan)
    with tqdm(total=settings.epochs * len(train.labels), desc="pretrain_source", unit=" images", disable=None) as bar:
        fitted = fit(network, train, val, plan, params.seed, bar.update, keeper)
    return network, fitted.best.accuracy
