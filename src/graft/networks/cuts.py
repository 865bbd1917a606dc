"""How a torchvision network is cut into blocks.

A cut is a function from the network to its backbone's blocks, named from input to output. Together they hold every
parameter and buffer but those of the last linear layer. Between blocks stand (n, c, h, w) maps or (n, t, d) tokens;
the last block ends in (n, d) features.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

Blocks = dict[str, nn.Module]
Cut = Callable[[nn.Module], Blocks]
Tail = Callable[[nn.Module], list[nn.Module]]


def pool(net: nn.Module) -> list[nn.Module]:
    """Tail of most families: the mean over all places."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(1)]


def relu_pool(net: nn.Module) -> list[nn.Module]:
    """Tail of DenseNet, whose last activation stands in its forward."""
    return [nn.ReLU(), *pool(net)]


def rest_of_classifier(net: nn.Module) -> list[nn.Module]:
    """Tail of MaxViT: all that its classifier holds before the last linear layer."""
    return list(net.get_submodule("classifier").children())[:-1]


def pool_norm(net: nn.Module) -> list[nn.Module]:
    """Tail of ConvNeXt: the mean first, its norm after."""
    return [nn.AdaptiveAvgPool2d(1), *rest_of_classifier(net)]


def nothing(net: nn.Module) -> list[nn.Module]:
    """No tail."""
    return []


def by_name(blocks: Mapping[str, str], tail: Tail = pool) -> Cut:
    """A cut by the names of modules.

    Args:
        blocks: by block the dotted names of its modules, with blanks between.
        tail: modules that end the last block.
    """

    def cut(net: nn.Module) -> Blocks:
        parts = {block: [net.get_submodule(name) for name in names.split()] for block, names in blocks.items()}
        parts[list(parts)[-1]] += tail(net)
        return {block: nn.Sequential(*modules) for block, modules in parts.items()}

    return cut


def by_place(starts: Iterable[int], tail: Tail = pool, within: str = "features") -> Cut:
    """A cut of one long Sequential into stem, block1, block2 and so on.

    Args:
        starts: where blocks begin; those beyond the end are left out.
        tail: modules that end the last block.
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
    """(n, c, p, q) means of (n, c, h, w) maps over a grid, as nn.AdaptiveAvgPool2d((p, q)) makes them.

    The gradient of that one is added up in no fixed order on a GPU, so that torch refuses it where runs must repeat.
    """

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns

    def forward(self, maps: Tensor) -> Tensor:
        """Sums by two products, so that the gradient is made of products too."""
        down, across = _shares(self.rows, maps.shape[2], maps), _shares(self.columns, maps.shape[3], maps)
        return down @ maps @ across.T


def _shares(n: int, size: int, like: Tensor) -> Tensor:
    """(n, size) share of each place in each of n cells, which overlap where the sizes do not divide."""
    cell, place = (torch.arange(each, device=like.device) for each in (n, size))
    starts, ends = cell * size // n, -((cell + 1) * -size // n)
    inside = (place >= starts[:, None]) & (place < ends[:, None])
    return inside.to(like.dtype) / inside.sum(dim=1, keepdim=True)


def at_pools(net: nn.Module) -> Blocks:
    """VGG and AlexNet: a block up to each pooling, and their two large linear layers as a block of their own."""
    layers = list(net.get_submodule("features").children())
    starts = [0, *(place for place, layer in enumerate(layers, start=1) if isinstance(layer, nn.MaxPool2d))]
    rows, columns = net.get_submodule("avgpool").output_size  # type: ignore[misc]
    hidden = nn.Sequential(GridMeans(rows, columns), nn.Flatten(1), *rest_of_classifier(net))
    return {**by_place(starts, nothing)(net), "hidden": hidden}


def mobilenet_v3(net: nn.Module) -> Blocks:
    """Its large and small member differ in length: stem, three equal parts, and what widens the features."""

    def tail(net: nn.Module) -> list[nn.Module]:
        expand, activation, *_ = net.get_submodule("classifier").children()
        return [*pool(net), expand, activation]

    n_layers = len(list(net.get_submodule("features").children()))
    thirds = [1, 1 + (n_layers - 2) // 3, 1 + 2 * (n_layers - 2) // 3, n_layers - 1]
    return by_place([0, *thirds], tail)(net)


def swin(net: nn.Module) -> Blocks:
    """Inside a stage torchvision keeps the channels last; from block to block they come first, as everywhere."""
    to_last, to_first = net.get_submodule("features.0.1"), net.get_submodule("permute")
    stem, *stages = by_place((0, 1, 2, 4, 6), nothing)(net).values()
    parts = [[stem, to_first], *([to_last, stage, to_first] for stage in stages)]
    parts[-1] = [to_last, stages[-1], net.get_submodule("norm"), to_first, *pool(net)]
    return _numbered(parts)


class _Tokens(nn.Module):
    """(n, t, d) tokens of (n, 3, s, s) images: a class token and one a patch, their positions added."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.conv_proj = net.get_submodule("conv_proj")
        self.class_token = net.get_parameter("class_token")
        self.pos_embedding = net.get_parameter("encoder.pos_embedding")
        self.dropout = net.get_submodule("encoder.dropout")

    def forward(self, images: Tensor) -> Tensor:
        patches = self.conv_proj(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(images), -1, -1), patches], dim=1)
        dropped: Tensor = self.dropout(tokens + self.pos_embedding)
        return dropped


class _ClassToken(nn.Module):
    """(n, d) class tokens of (n, t, d) tokens."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, 0]


def vision_transformer(net: nn.Module) -> Blocks:
    """Tokens, then the layers in four equal parts: as many blocks as a ResNet has, whatever the depth."""
    layers = list(net.get_submodule("encoder.layers").children())
    quarter = len(layers) // 4
    parts = [layers[start : start + quarter] for start in range(0, len(layers), quarter)]
    parts[-1] += [net.get_submodule("encoder.ln"), _ClassToken()]
    return _numbered([[_Tokens(net)], *parts])
