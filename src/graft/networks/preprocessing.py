"""Preprocessing follows the weights: sizes, mean and deviation come from their metadata and params.yaml.

torchvision is imported inside the functions: it costs seconds, and small_cnn does not need it.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

from graft.params.network import Images, NetworkParams
from graft.records.common import Preprocessing

SMALL_CNN = Preprocessing(
    resize_px=32, crop_px=32, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), interpolation="bilinear"
)
# by family; the published networks convert the mean and deviation of their metadata into these inside their forward
OWN_MEAN_AND_STD = {"GoogLeNet": 0.5, "Inception3": 0.5}


def preprocessing_for(network: NetworkParams, images: Images) -> Preprocessing:
    """How images become what this network was trained to see.

    Without torchvision weights of that name (`file`, `pretrain`) the first published weights of the network give
    the convention: state dicts in circulation follow it.

    Raises:
        ValueError: torchvision has no such network, or no such weights of it.
    """
    preset = SMALL_CNN if network.name == "small_cnn" else _torchvision_preset(network)
    values = {"value_bits": images.value_bits, "max_pixels": images.max_megapixels * 1_000_000}
    if images.size_px is None:
        return preset.model_copy(update=values)
    resize_px = round(images.size_px * preset.resize_px / preset.crop_px)
    return preset.model_copy(update={**values, "resize_px": resize_px, "crop_px": images.size_px})


def _torchvision_preset(network: NetworkParams) -> Preprocessing:
    preset = published_weights(network).transforms()
    own = OWN_MEAN_AND_STD.get(family_name(network.name))
    return Preprocessing(
        resize_px=preset.resize_size[0],
        crop_px=preset.crop_size[0],
        mean=tuple(preset.mean) if own is None else (own, own, own),
        std=tuple(preset.std) if own is None else (own, own, own),
        interpolation=preset.interpolation.value,
    )


def published_weights(network: NetworkParams) -> Any:
    """Torchvision weights of this name; for `file` and `pretrain` the first of this network.

    Raises:
        ValueError: torchvision has no such network, or no such weights of it.
    """
    torchvision = import_torchvision()

    check_name(network.name)
    # weights without categories hold the features of VGG alone
    known = {each.name: each for each in torchvision.models.get_model_weights(network.name) if each.meta["categories"]}
    if network.weights in ("file", "pretrain"):
        return next(iter(known.values()))
    if network.weights not in known:
        raise ValueError(
            f"weights: want pretrain, file or weights of {network.name}, got "
            f"{network.weights!r}. Choices: {', '.join(known)}."
        )
    return known[network.weights]


def check_name(name: str) -> None:
    """Refuse a name that is not a torchvision classification network.

    Raises:
        ValueError: torchvision has no such classification network.
    """
    torchvision = import_torchvision()
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        raise ValueError(
            f"name: want small_cnn or a torchvision classification network, got {name!r}. "
            f"Choices: small_cnn, {', '.join(known)}."
        )


def family_name(name: str) -> str:
    """Class name of the network that a torchvision builder returns, found without building it."""
    torchvision = import_torchvision()

    returned: type = torchvision.models.get_model_builder(name).__annotations__["return"]
    return returned.__name__


def import_torchvision() -> Any:
    """Import torchvision without torch's compiler, which no stage uses.

    torchvision 0.29 asks the compiler one question for an operator of object detection, and loads it on import, which
    takes most of the time of the import. A stand-in module puts the question off until that operator is called; any
    other attribute of it loads the compiler.
    """
    name = "torch._dynamo.utils"
    if name in sys.modules or "torchvision" in sys.modules:
        import torchvision

        return torchvision

    def asked(attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        if sys.modules.get(name) is later:
            del sys.modules[name]
        return getattr(importlib.import_module(name), attribute)

    later = ModuleType(name)
    later.is_compile_supported = lambda device_type: asked("is_compile_supported")(device_type)  # type: ignore[attr-defined]
    later.__getattr__ = asked  # type: ignore[method-assign]
    sys.modules[name] = later
    try:
        import torchvision
    finally:
        if sys.modules.get(name) is later:
            del sys.modules[name]
    return torchvision
