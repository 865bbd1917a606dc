"""Preprocessing follows the weights: sizes, mean and deviation from their own metadata."""

from graft.params import Images, Network
from graft.records import Preprocessing

SMALL_CNN = Preprocessing(
    resize_px=32, crop_px=32, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), interpolation="bilinear"
)


def preprocessing_for(network: Network, images: Images) -> Preprocessing:
    """How images become what this network was trained to see.

    Without torchvision weights of that name (`file`, `pretrain`) the network's first published weights tell
    the convention: state dicts in circulation follow it.

    Raises:
        ValueError: no such network, or no such weights of it.
    """
    preset = SMALL_CNN if network.name == "small_cnn" else _torchvision_preset(network)
    if images.size_px is None:
        return preset
    resize_px = round(images.size_px * preset.resize_px / preset.crop_px)
    return preset.model_copy(update={"resize_px": resize_px, "crop_px": images.size_px})


def _torchvision_preset(network: Network) -> Preprocessing:
    from graft.learning.weights import (
        published_weights,  # torchvision costs seconds; small_cnn needs none of it
    )

    preset = published_weights(network).transforms()
    return Preprocessing(
        resize_px=preset.resize_size[0],
        crop_px=preset.crop_size[0],
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        interpolation=preset.interpolation.value,
    )
