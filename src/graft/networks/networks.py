"""Networks: an input transform, named blocks from input to output, and a head."""

import hashlib
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from graft.networks.cuts import Blocks
from graft.networks.families import family_of, head_of, torchvision_network
from graft.networks.input_transform import InputTransform
from graft.params.network import Head, NetworkParams
from graft.records.common import Preprocessing

SMALL_CNN_WIDTHS = (24, 48, 96, 128)
# a quarter of the channels: the network beside small_cnn that is trained for comparison, and never shipped
TINY_CNN_WIDTHS = tuple(width // 4 for width in SMALL_CNN_WIDTHS)
# units and dropout probability of the hidden layer of an mlp head
HIDDEN = 512
DROPOUT = 0.25


class Network(nn.Module):
    """An input transform, named blocks from input to output, then a head.

    Args:
        blocks: from (n, 3, s, s) values to (n, d) features, in order; together they hold every parameter and
            buffer of the backbone.
        n_features: d, the width of the last block's output.
        n_classes: c, the outputs of the head.
        preprocessing: mean and deviation of its input, and s, the size it is built for; most networks take other
            sizes too.
        head: linear or mlp.
    """

    def __init__(
        self,
        blocks: Mapping[str, nn.Module],
        n_features: int,
        n_classes: int,
        preprocessing: Preprocessing,
        head: Head = "linear",
    ) -> None:
        super().__init__()
        self.n_features, self.n_classes = n_features, n_classes
        self.preprocessing, self.head_kind = preprocessing, head
        self.input_transform = InputTransform(preprocessing.mean, preprocessing.std)
        self.blocks = nn.ModuleDict(blocks)
        self.head = make_head(n_features, n_classes, head)

    def features(self, images: Tensor) -> Tensor:
        """(n, d) features of (n, 3, s, s) uint8 images."""
        values: Tensor = self.input_transform(images)
        for block in self.blocks.values():
            values = block(values)
        return values

    def forward(self, images: Tensor) -> Tensor:
        """(n, c) logits of (n, 3, s, s) uint8 images."""
        logits: Tensor = self.head(self.features(images))
        return logits


def make_head(n_features: int, n_classes: int, kind: Head) -> nn.Module:
    """Randomly initialised head.

    Args:
        n_features: d, the width of the backbone's output.
        n_classes: c, the number of outputs.
        kind: linear, or mlp: one hidden layer with BatchNorm and dropout.
    """
    if kind == "linear":
        return nn.Linear(n_features, n_classes)
    return nn.Sequential(
        # no bias: the one of BatchNorm follows
        nn.Linear(n_features, HIDDEN, bias=False),
        nn.BatchNorm1d(HIDDEN),
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Linear(HIDDEN, n_classes),
    )


def build_network(name: str, n_classes: int, preprocessing: Preprocessing, head: Head = "linear") -> Network:
    """Randomly initialised network.

    Args:
        name: small_cnn, tiny_cnn, or a torchvision name.
        n_classes: c, the outputs of the head.
        preprocessing: mean and deviation of its input, and the size of the images; vision transformers and MaxViT are
            built for one size.
        head: linear or mlp.

    Raises:
        ValueError: there is no such network.
    """
    widths = {"small_cnn": SMALL_CNN_WIDTHS, "tiny_cnn": TINY_CNN_WIDTHS}.get(name)
    if widths is not None:
        return Network(_small_cnn(widths), widths[-1], n_classes, preprocessing, head)
    return from_torchvision(torchvision_network(name, preprocessing.crop_px), name, n_classes, preprocessing, head)


class _OnMeta(TorchFunctionMode):
    """Context in which new parameters have shapes but no values.

    `torch.device("meta")` does not do, because RegNet computes its widths with tensors.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # draw nothing: on the meta device torch would load its compiler for it
        if getattr(func, "__module__", None) == nn.init.__name__:
            return kwargs["tensor"]
        if func in (torch.Tensor.normal_, torch.Tensor.uniform_):
            return args[0]
        where = {"device": "meta"} if func in (torch.empty, torch.ones, torch.zeros) else {}
        return func(*args, **{**(kwargs or {}), **where})


def outline(name: str, preprocessing: Preprocessing, head: Head = "linear") -> Network:
    """Blocks, names and shapes of a network for two classes, without values and at no cost.

    Raises:
        ValueError: there is no such network.
    """
    with _OnMeta():
        return build_network(name, 2, preprocessing, head)


class PublishedNetwork(NamedTuple):
    """Network with published weights."""

    network: Network
    read_as: str
    """How a file of weights was read, as a clause; empty where nothing was renamed or left out."""
    source_head: bool
    """Whether its head is the published one, for the classes of its source."""


def published_network(network: NetworkParams, n_classes: int, preprocessing: Preprocessing) -> PublishedNetwork:
    """Network with published weights, under its published head where that is one linear layer of the features.

    Args:
        network: its name and where its weights come from.
        n_classes: c, the outputs of a random head where there is no published one.
        preprocessing: mean and deviation that the weights were made for, and the size of the images.

    Raises:
        FileNotFoundError: the weights file is absent.
        ValueError: there is no such network, or the weights have another sha256 or belong to another network.
        RuntimeError: the weights cannot be downloaded here.
    """
    from graft.networks.published import load_published  # with torchvision, which small_cnn never needs

    model, read_as, source_head = load_published(network, preprocessing.crop_px)
    made = from_torchvision(model, network.name, n_classes, preprocessing)
    if source_head:
        _, head = head_of(model)
        assert isinstance(head, nn.Linear)
        made.head, made.n_classes = head, head.out_features
    return PublishedNetwork(made, read_as, source_head)


def from_torchvision(
    model: nn.Module, name: str, n_classes: int, preprocessing: Preprocessing, head: Head = "linear"
) -> Network:
    """Torchvision network, cut into blocks, with a new head."""
    _, last = head_of(model)
    n_features = last.in_features if isinstance(last, nn.Linear) else last.in_channels
    return Network(family_of(name).cut(model), n_features, n_classes, preprocessing, head)


def _small_cnn(widths: tuple[int, ...]) -> Blocks:
    """A convolution block for each width, for images of about 32 px.

    The four blocks of small_cnn have 0.16 million parameters, small enough for a CPU.
    """
    blocks: Blocks = {}
    for index, (n_in, n_out) in enumerate(pairwise((3, *widths)), start=1):
        last = index == len(widths)
        pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten(1)] if last else [nn.MaxPool2d(2)]
        blocks[f"block{index}"] = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(), *pool
        )
    return blocks


def with_new_head(network: Network, n_classes: int, head: Head = "linear") -> Network:
    """Give the network a randomly initialised head of n_classes outputs, in place."""
    network.head = make_head(network.n_features, n_classes, head)
    network.n_classes, network.head_kind = n_classes, head
    return network


def pooled(activations: Tensor) -> Tensor:
    """(n, d) means of a block's output, over height and width of (n, d, h, w) maps or over the tokens of (n, t, d).

    (n, d) features are returned as they are.
    """
    # by the number of axes
    places: dict[int, tuple[int, ...]] = {4: (2, 3), 3: (1,)}
    return activations.mean(dim=places[activations.ndim]) if activations.ndim in places else activations


def state_sha256(modules: Iterable[nn.Module]) -> str:
    """Hash of all parameters and buffers of these modules, in order."""
    digest = hashlib.sha256()
    for module in modules:
        for key, value in module.state_dict().items():
            digest.update(key.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
