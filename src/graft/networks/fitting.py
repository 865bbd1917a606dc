"""Find the weights of a network among the tensors of a file: under prefixes, in containers, with any head."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from itertools import accumulate
from textwrap import shorten
from typing import NamedTuple

import torch
from torch import Tensor, nn

from graft.networks.families import head_of
from graft.networks.state_files import State

MOST_NAMED = 3
# end of the names of BatchNorm's counters, which old files do not have
COUNTER = "num_batches_tracked"
# parts of names in state dicts of other libraries
OTHER_LIBRARIES = {
    "timm": ("patch_embed.proj.", "conv_stem.", "stem.conv1.", "stages.0.blocks."),
    "Hugging Face's transformers": ("embeddings.patch_embeddings.", "embedder.", "encoder.layer.0.attention."),
    "Ultralytics": ("model.0.conv.", "model.0.cv1."),
}


class Fit(NamedTuple):
    """Tensors of a file that are a network's backbone, and its head where the network can use it."""

    state: State
    """Tensors by the names of the network, without its head."""
    container: str
    """Keys that lead to the tensors in the file, joined by dots; empty where the file is the state dict."""
    prefix: str
    """Prefix of all names in the file; may be empty."""
    left_out: tuple[str, ...]
    """Names of tensors of other heads, which are not used."""
    n_classes: int | None
    """Number of classes of the file's head; None where it does not have the name of the network's head."""
    head: State
    """`weight` and `bias` of the file's head; empty where it has none, or none that is a linear layer of features."""


Translate = Callable[[nn.Module, State], State]


def fits(net: nn.Module, translate: Translate, states: Mapping[str, State]) -> tuple[list[Fit], str]:
    """All ways to read tensors of a file as the backbone of a network, and the reason where there are none.

    Args:
        net: a torchvision network, with any head.
        translate: function of its family from published names and shapes to those of the network.
        states: result of `states_in`.
    """
    found: list[Fit] = []
    # by the number of names that are those of the network
    reasons: dict[int, str] = {}
    for container, state in states.items():
        for prefix in _prefixes(state, len(_needed(net))):
            try:
                found.append(_fit(net, translate, state, (container, prefix)))
            except (KeyError, RuntimeError, ValueError) as error:
                n_known = sum(prefix + name in state for name in net.state_dict())
                reasons.setdefault(n_known, shorten(str(error), 200))
    return found, reasons[max(reasons)] if reasons else ""


def sentence(fit: Fit) -> str:
    """Clauses on what was renamed or left out of a file of weights; empty where nothing was."""
    n = len(fit.state)
    parts = [
        f"`{fit.container}` of the file taken" if fit.container else "",
        f"prefix `{fit.prefix}` taken off {n} names" if fit.prefix else "",
        f"the file's head of {fit.n_classes:,} classes left out" if fit.n_classes is not None and not fit.head else "",
        f"left out: {_some(fit.left_out)}" if fit.left_out else "",
    ]
    return "; ".join(filter(None, parts))


def place(fit: Fit) -> str:
    """Keys and prefix of these weights in the file."""
    return ".".join(filter(None, (fit.container, fit.prefix.rstrip("."))))


def library_of(states: Mapping[str, State]) -> str | None:
    """Other library whose names these are; None where it is not known."""
    names = [f".{name}" for state in states.values() for name in state]
    for library, parts in OTHER_LIBRARIES.items():
        if any(f".{part}" in name for part in parts for name in names):
            return library
    return None


def _needed(net: nn.Module) -> State:
    """Tensors of a network's backbone by name, without BatchNorm's counters, which old files do not have."""
    head, _ = head_of(net)
    skipped = (f"{head}.weight", f"{head}.bias")
    return {
        name: value for name, value in net.state_dict().items() if name not in skipped and not name.endswith(COUNTER)
    }


def _prefixes(state: State, n_needed: int) -> Iterator[str]:
    """The empty prefix, then those that at least n_needed names begin with."""
    yield ""
    counts = Counter(prefix for name in state for prefix in accumulate(f"{part}." for part in name.split(".")[:-1]))
    yield from (prefix for prefix, n in counts.items() if n >= n_needed)


def _fit(net: nn.Module, translate: Translate, state: State, at: tuple[str, str]) -> Fit:
    container, prefix = at
    cut = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    # a copy of the dictionary itself, because torch keeps versions of modules in an attribute of it
    own = copy(translate(net, cut if prefix else state))
    needed, (head, last) = _needed(net), head_of(net)
    _check_same(needed, own)
    left_out = tuple(name for name in own if name not in net.state_dict())
    _check_heads(left_out, needed, head.rpartition(".")[0])
    for name in left_out:
        own.pop(name)
    rows, bias = (own.pop(f"{head}.{part}", None) for part in ("weight", "bias"))
    n_classes = None if rows is None else len(rows)
    return Fit(own, container, prefix, left_out, n_classes, _usable(rows, bias, last))


def _usable(rows: Tensor | None, bias: Tensor | None, last: nn.Linear | nn.Conv2d) -> State:
    """Weight and bias of the file's head, if they are those of a linear layer of the network's features."""
    # a convolution comes before the pooling, and an activation may stand between: its outputs are none of features
    if rows is None or not isinstance(last, nn.Linear):
        return {}
    if bias is None and last.bias is None:
        # the last layer of MaxViT
        bias = torch.zeros(len(rows))
    if bias is None or bias.shape != (len(rows),) or rows.shape != (len(rows), last.in_features):
        return {}
    return {"weight": rows, "bias": bias}


def _check_same(needed: State, own: State) -> None:
    for name, value in needed.items():
        if name not in own:
            raise ValueError(f"no {name}")
        if own[name].shape != value.shape:
            raise ValueError(f"{name} of shape {tuple(own[name].shape)}, not {tuple(value.shape)}")


def _check_heads(left_out: Sequence[str], needed: State, parent: str) -> None:
    """Refuse layers in the backbone that the network does not have, as a deeper network would.

    Args:
        left_out: names in the file that the network does not have.
        needed: tensors of the backbone.
        parent: module that holds the network's head, such as `classifier`; other layers in it count as the head.
    """
    inner = {name.split(".")[0] for name in needed if not parent or not name.startswith(f"{parent}.")}
    more = [name for name in left_out if name.split(".")[0] in inner]
    if more:
        raise ValueError(f"also {more[0]}")


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return shorten(", ".join(names[:MOST_NAMED]), 200) + (f" and {more} more" if more > 0 else "")
