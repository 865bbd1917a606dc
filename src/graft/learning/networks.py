"""Networks as named blocks from input to output, then a linear head.

A torchvision family is supported by one entry in FAMILIES: a function that cuts the network into blocks.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from graft.files import write_whole
from graft.params import Network as NetworkParams

Blocks = dict[str, nn.Module]


class Network(nn.Module):
    """Named blocks from input to output, then a linear head.

    Args:
        blocks: from (n, 3, s, s) images to (n, d) features, in order; together they hold every parameter and
            buffer of the backbone.
        n_features: d, the width of the last block's output.
        n_classes: c, the outputs of the head.
    """

    def __init__(self, blocks: Mapping[str, nn.Module], n_features: int, n_classes: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict(blocks)
        self.head = nn.Linear(n_features, n_classes)

    def features(self, images: Tensor) -> Tensor:
        """(n, d) features of (n, 3, s, s) normalised images."""
        for block in self.blocks.values():
            images = block(images)
        return images

    def forward(self, images: Tensor) -> Tensor:
        """(n, c) logits of (n, 3, s, s) normalised images."""
        logits: Tensor = self.head(self.features(images))
        return logits


def build_network(name: str, n_classes: int) -> Network:
    """A network from random start.

    Raises:
        ValueError: no such network, or a family that graft cannot cut into blocks.
    """
    if name == "small_cnn":
        return Network(_small_cnn(), n_features=SMALL_CNN_WIDTHS[-1], n_classes=n_classes)
    import torchvision

    if name not in torchvision.models.list_models(module=torchvision.models):
        from graft.learning.weights import classification_networks

        raise ValueError(
            f"params.yaml, network.name: want small_cnn or a torchvision classification network, got {name!r}. "
            f"Choices: small_cnn, {', '.join(classification_networks())}."
        )
    return from_torchvision(torchvision.models.get_model(name, weights=None), name, n_classes)


def published_network(network: NetworkParams, n_classes: int) -> Network:
    """A network with published weights and a new head.

    Raises:
        FileNotFoundError: the weights file is absent.
        ValueError: no such network, wrong sha256, or weights of another network.
        RuntimeError: the weights cannot be downloaded here.
    """
    if network.name == "small_cnn":
        raise ValueError(
            f"params.yaml, network.weights: want pretrain with small_cnn, got {network.weights!r}. "
            "Published weights exist for torchvision networks, such as `name: resnet18`."
        )
    from graft.learning.weights import load_published, published_weights

    published_weights(network)  # an unknown name gets its sentence before a file is read
    return from_torchvision(load_published(network), network.name, n_classes)


def from_torchvision(model: nn.Module, name: str, n_classes: int) -> Network:
    """A torchvision network cut into blocks, its head replaced.

    Raises:
        ValueError: a family that FAMILIES does not hold.
    """
    family = type(model).__name__
    if family not in FAMILIES:
        raise ValueError(
            f"params.yaml, network.name: want small_cnn or a network of the families {', '.join(FAMILIES)}, got "
            f"{name} of the family {family}. Choose another, or add an entry to FAMILIES in graft/learning/networks.py."
        )
    blocks = FAMILIES[family](model)
    with torch.no_grad():
        features = nn.Sequential(*blocks.values()).eval()(torch.zeros(1, 3, 64, 64))
    return Network(blocks, n_features=features.shape[1], n_classes=n_classes)


SMALL_CNN_WIDTHS = (24, 48, 96, 128)


def _small_cnn() -> Blocks:
    """Four convolution blocks for images of about 32 px: 0.15 million parameters, made for a CPU."""
    widths = (3, *SMALL_CNN_WIDTHS)
    blocks: Blocks = {}
    for index, (n_in, n_out) in enumerate(pairwise(widths), start=1):
        last = index == len(SMALL_CNN_WIDTHS)
        pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten(1)] if last else [nn.MaxPool2d(2)]
        blocks[f"block{index}"] = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(), *pool
        )
    return blocks


def _pooled() -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(1)]


def _resnet(net: nn.Module) -> Blocks:
    part = dict(net.named_children())
    return {
        "stem": nn.Sequential(part["conv1"], part["bn1"], part["relu"], part["maxpool"]),
        **{name: part[name] for name in ("layer1", "layer2", "layer3")},
        "layer4": nn.Sequential(part["layer4"], *_pooled()),
    }


def _cut_features(starts: Iterable[int], tail: Callable[[nn.Module], list[nn.Module]]) -> Callable[[nn.Module], Blocks]:
    """Cutter for families with their backbone in `features`: blocks begin at these indices, `tail` ends the last."""

    def cut(net: nn.Module) -> Blocks:
        layers = list(net.get_submodule("features").children())
        bounds = [*(start for start in starts if start < len(layers)), len(layers)]
        parts = [layers[a:b] for a, b in pairwise(bounds)]
        parts[-1] = [*parts[-1], *tail(net)]
        names = ["stem", *(f"block{index}" for index in range(1, len(parts)))]
        return {name: nn.Sequential(*part) for name, part in zip(names, parts, strict=True)}

    return cut


def _regnet(net: nn.Module) -> Blocks:
    trunk = list(net.get_submodule("trunk_output").named_children())
    *lower, (top_name, top) = trunk
    return {"stem": net.get_submodule("stem"), **dict(lower), top_name: nn.Sequential(top, *_pooled())}


def _shufflenet(net: nn.Module) -> Blocks:
    part = dict(net.named_children())
    return {
        "stem": nn.Sequential(part["conv1"], part["maxpool"]),
        **{name: part[name] for name in ("stage2", "stage3", "stage4")},
        "conv5": nn.Sequential(part["conv5"], *_pooled()),
    }


def _convnext_tail(net: nn.Module) -> list[nn.Module]:
    norm = next(net.get_submodule("classifier").children())
    return [nn.AdaptiveAvgPool2d(1), norm, nn.Flatten(1)]


def _relu_pooled(net: nn.Module) -> list[nn.Module]:
    return [nn.ReLU(), *_pooled()]


def _only_pooled(net: nn.Module) -> list[nn.Module]:
    return _pooled()


def _mobilenet_v3_tail(net: nn.Module) -> list[nn.Module]:
    expand, activation, *_ = net.get_submodule("classifier").children()
    return [*_pooled(), expand, activation]


def _mobilenet_v3(net: nn.Module) -> Blocks:
    n_layers = len(list(net.get_submodule("features").children()))
    thirds = [1, 1 + (n_layers - 2) // 3, 1 + 2 * (n_layers - 2) // 3, n_layers - 1]
    return _cut_features([0, *thirds], _mobilenet_v3_tail)(net)


FAMILIES: dict[str, Callable[[nn.Module], Blocks]] = {
    "ResNet": _resnet,
    "MobileNetV2": _cut_features([0, 2, 4, 7, 14, 18], _only_pooled),
    "MobileNetV3": _mobilenet_v3,
    "EfficientNet": _cut_features([0, 1, 2, 3, 4, 5, 6, 7, 8], _only_pooled),
    "ConvNeXt": _cut_features([0, 1, 2, 4, 6], _convnext_tail),
    "SqueezeNet": _cut_features([0, 3, 6, 9], _only_pooled),
    "DenseNet": _cut_features([0, 4, 6, 8, 10], _relu_pooled),
    "RegNet": _regnet,
    "ShuffleNetV2": _shufflenet,
}


def save_network(network: Network, name: str, path: Path) -> str:
    """Write a network's weights as safetensors, whole or not at all; its sha256."""
    metadata = {"network": name, "n_classes": str(network.head.out_features)}
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    content = save(state, metadata={"graft": json.dumps(metadata)})
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def load_network(path: Path) -> Network:
    """A network that save_network wrote, on the CPU, in evaluation mode.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: want weights, got no file. Run `dvc repro`.")
    with safe_open(path, framework="pt") as file:
        metadata = json.loads(file.metadata()["graft"])
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a dict
    network = build_network(metadata["network"], int(metadata["n_classes"]))
    network.load_state_dict(state, strict=True)
    return network.eval()


def with_new_head(network: Network, n_classes: int) -> Network:
    """The same blocks under a freshly initialised head of c outputs."""
    network.head = nn.Linear(network.head.in_features, n_classes)
    return network


def state_sha256(modules: Iterable[nn.Module]) -> str:
    """Hash of all parameters and buffers of these modules, in order."""
    digest = hashlib.sha256()
    for module in modules:
        for key, value in module.state_dict().items():
            digest.update(key.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
