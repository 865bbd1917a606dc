"""Preprocessing follows the weights, sizes, mean and deviation from their own metadata, and params.yaml."""

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
        ValueError: no such network, no such weights of it, or a size that it cannot take.
    """
    preset = SMALL_CNN if network.name == "small_cnn" else _torchvision_preset(network, images.size_px)
    values = {"value_bits": images.value_bits, "max_pixels": images.max_megapixels * 1_000_000}
    if images.size_px is None:
        return preset.model_copy(update=values)
    resize_px = round(images.size_px * preset.resize_px / preset.crop_px)
    return preset.model_copy(update={**values, "resize_px": resize_px, "crop_px": images.size_px})


def _torchvision_preset(network: Network, size_px: int | None) -> Preprocessing:
    # torch costs seconds; small_cnn needs none of it
    from graft.learning.families import check_size, family_of, published_weights

    preset = published_weights(network).transforms()
    if size_px is not None:
        check_size(network.name, size_px)
    own = family_of(network.name).mean_and_std
    return Preprocessing(
        resize_px=preset.resize_size[0],
        crop_px=preset.crop_size[0],
        mean=tuple(preset.mean) if own is None else (own, own, own),
        std=tuple(preset.std) if own is None else (own, own, own),
        interpolation=preset.interpolation.value,
    )
