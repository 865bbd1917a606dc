"""How a torchvision network is cut into blocks.

A cut is a function from the network to the blocks of its backbone, named from input to output. Together the blocks
hold every parameter and buffer but those of the last linear layer. Blocks exchange (n, c, h, w) maps or (n, t, d)
tokens; the last block returns (n, d) features.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

Blocks = dict[str, nn.Module]
Cut = Callable[[nn.Module], Blocks]
Tail = Callable[[nn.Module], list[nn.Module]]


def pool(net: nn.Module) -> list[nn.Module]:
    """Tail of most families: mean over height and width."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(1)]


def relu_pool(net: nn.Module) -> list[nn.Module]:
    """Tail of DenseNet, whose forward applies the last activation itself."""
    return [nn.ReLU(), *pool(net)]


def rest_of_classifier(net: nn.Module) -> list[nn.Module]:
    """Tail of MaxViT: its classifier without the last linear layer."""
    return list(net.get_submodule("classifier").children())[:-1]


def pool_norm(net: nn.Module) -> list[nn.Module]:
    """Tail of ConvNeXt: mean over height and width, then its norm."""
    return [nn.AdaptiveAvgPool2d(1), *rest_of_classifier(net)]


def nothing(net: nn.Module) -> list[nn.Module]:
    """Empty tail."""
    return []


def by_name(blocks: Mapping[str, str], tail: Tail = pool) -> Cut:
    """Cut by the names of modules.

    Args:
        blocks: dotted names of the modules of each block, separated by blanks.
        tail: returns the modules that end the last block.
    """

    def cut(net: nn.Module) -> Blocks:
        parts = {block: [net.get_submodule(name) for name in names.split()] for block, names in blocks.items()}
        parts[list(parts)[-1]] += tail(net)
        return {block: nn.Sequential(*modules) for block, modules in parts.items()}

    return cut


def by_place(starts: Iterable[int], tail: Tail = pool, within: str = "features") -> Cut:
    """Cut of one long Sequential into stem, block1, block2 and so on.

    Args:
        starts: index of the first layer of each block; those beyond the end are left out.
        tail: returns the modules that end the last block.
        within: name of the Sequential.
    """

    def cut(net: nn.Module) -> Blocks:
        layers = list(net.get_submodule(within).children())
        bounds = [*(start for start in starts if start < len(layers)), len(layers)]
        parts = [layers[a:b] for a, b in pairwise(bounds)]
        parts[-1] += tail(net)
        return _numbered(parts)

    return cut


def _numbered(parts: Iterable[Iterable[nn.Module]]) -> Blocks:
    return {f"block{index}" if index else "stem": nn.Sequential(*part) for index, part in enumerate(parts)}


class GridMeans(nn.Module):
    """(n, c, p, q) means of (n, c, h, w) maps over a grid, the same as nn.AdaptiveAvgPool2d((p, q)).

    On a GPU the gradient of torch's own layer is summed in no fixed order, so that torch refuses it in deterministic
    mode.
    """

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns

    def forward(self, maps: Tensor) -> Tensor:
        """Average by two matrix products, so that the gradient consists of products too."""
        down, across = _shares(self.rows, maps.shape[2], maps), _shares(self.columns, maps.shape[3], maps)
        # (p, h) @ (n, c, h, w) @ (w, q)
        return down @ maps @ across.T


def _shares(n: int, size: int, like: Tensor) -> Tensor:
    """(n, size) weight of each place in each of n cells, which overlap where n does not divide the size."""
    cell, place = (torch.arange(each, device=like.device) for each in (n, size))
    # as torch: from the floor of the cell's start to the ceiling of its end
    starts, ends = cell * size // n, -((cell + 1) * -size // n)
    inside = (place >= starts[:, None]) & (place < ends[:, None])
    return inside.to(like.dtype) / inside.sum(dim=1, keepdim=True)


def at_pools(net: nn.Module) -> Blocks:
    """Cut of VGG and AlexNet: a block up to each pooling, and a block of the two large linear layers."""
    layers = list(net.get_submodule("features").children())
    # a block begins behind each pooling
    starts = [0, *(place for place, layer in enumerate(layers, start=1) if isinstance(layer, nn.MaxPool2d))]
    rows, columns = net.get_submodule("avgpool").output_size  # type: ignore[misc]
    hidden = nn.Sequential(GridMeans(rows, columns), nn.Flatten(1), *rest_of_classifier(net))
    return {**by_place(starts, nothing)(net), "hidden": hidden}


def mobilenet_v3(net: nn.Module) -> Blocks:
    """Cut of MobileNetV3, large or small: stem, three parts of equal length, and the layers that widen the features."""

    def tail(net: nn.Module) -> list[nn.Module]:
        expand, activation, *_ = net.get_submodule("classifier").children()
        return [*pool(net), expand, activation]

    n_layers = len(list(net.get_submodule("features").children()))
    thirds = [1, 1 + (n_layers - 2) // 3, 1 + 2 * (n_layers - 2) // 3, n_layers - 1]
    return by_place([0, *thirds], tail)(net)


def swin(net: nn.Module) -> Blocks:
    """Cut of Swin: torchvision keeps channels last inside a stage; blocks exchange them first, as everywhere."""
    to_last, to_first = net.get_submodule("features.0.1"), net.get_submodule("permute")
    stem, *stages = by_place((0, 1, 2, 4, 6), nothing)(net).values()
    parts = [[stem, to_first], *([to_last, stage, to_first] for stage in stages)]
    parts[-1] = [to_last, stages[-1], net.get_submodule("norm"), to_first, *pool(net)]
    return _numbered(parts)


class _Tokens(nn.Module):
    """(n, t, d) tokens of (n, 3, s, s) values: a class token and one token a patch, with position embeddings added."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.conv_proj = net.get_submodule("conv_proj")
        self.class_token = net.get_parameter("class_token")
        self.pos_embedding = net.get_parameter("encoder.pos_embedding")
        self.dropout = net.get_submodule("encoder.dropout")

    def forward(self, images: Tensor) -> Tensor:
        # (n, d, p, q) to (n, p q, d)
        patches = self.conv_proj(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(images), -1, -1), patches], dim=1)
        dropped: Tensor = self.dropout(tokens + self.pos_embedding)
        return dropped


class _ClassToken(nn.Module):
    """(n, d) class tokens of (n, t, d) tokens."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, 0]


def vision_transformer(net: nn.Module) -> Blocks:
    """Cut of a vision transformer: tokens, then the layers in four equal parts, as many blocks as a ResNet has."""
    layers = list(net.get_submodule("encoder.layers").children())
    quarter = len(layers) // 4
    parts = [layers[start : start + quarter] for start in range(0, len(layers), quarter)]
    parts[-1] += [net.get_submodule("encoder.ln"), _ClassToken()]
    return _numbered([[_Tokens(net)], *parts])
