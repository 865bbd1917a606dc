"""Which tensors of a file are the weights of a network: under prefixes, in containers, with heads of any kind."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from itertools import accumulate
from textwrap import shorten
from typing import NamedTuple

from torch import nn

from graft.networks.families import head_of
from graft.networks.state_files import State

MOST_NAMED = 3
COUNTER = "num_batches_tracked"
"""end of the names of BatchNorm's counters, which files of old do not have"""
OTHER_LIBRARIES = {
    "timm": ("patch_embed.proj.", "conv_stem.", "stem.conv1.", "stages.0.blocks."),
    "Hugging Face's transformers": ("embeddings.patch_embeddings.", "embedder.", "encoder.layer.0.attention."),
    "Ultralytics": ("model.0.conv.", "model.0.cv1."),
}
"""parts of names in state dicts of other libraries"""


class Fit(NamedTuple):
    """Tensors that are a network's backbone."""

    state: State
    """by the names of the network, its head left out"""
    container: str
    """keys that lead to them in the file, joined by dots; empty where the file is the state dict"""
    prefix: str
    """before each of the names; may be empty"""
    left_out: tuple[str, ...]
    """names of other tensors beside them: heads"""
    n_classes: int | None
    """of the file's head, where it is named as the network's is"""


Translate = Callable[[nn.Module, State], State]


def fits(net: nn.Module, translate: Translate, states: Mapping[str, State]) -> tuple[list[Fit], str]:
    """All ways in which tensors of a file are the backbone of a network; where there are none, why not.

    Args:
        net: a torchvision network, with any head.
        translate: of its family, from published names and shapes to the network's.
        states: as `states_in` finds them.
    """
    found: list[Fit] = []
    reasons: dict[int, str] = {}  # by how many names are those of the network
    for container, state in states.items():
        for prefix in _prefixes(state, len(_needed(net))):
            try:
                found.append(_fit(net, translate, state, (container, prefix)))
            except (KeyError, RuntimeError, ValueError) as error:
                n_known = sum(prefix + name in state for name in net.state_dict())
                reasons.setdefault(n_known, shorten(str(error), 200))
    return found, reasons[max(reasons)] if reasons else ""


def sentence(fit: Fit) -> str:
    """What was taken off or left out of a file of weights; empty where nothing was."""
    n = len(fit.state)
    parts = [
        f"`{fit.container}` of the file taken" if fit.container else "",
        f"prefix `{fit.prefix}` taken off {n} names" if fit.prefix else "",
        f"the file's head of {fit.n_classes:,} classes left out" if fit.n_classes is not None else "",
        f"left out: {_some(fit.left_out)}" if fit.left_out else "",
    ]
    return "; ".join(filter(None, parts))


def place(fit: Fit) -> str:
    """Where in the file these weights stand."""
    return ".".join(filter(None, (fit.container, fit.prefix.rstrip("."))))


def library_of(states: Mapping[str, State]) -> str | None:
    """Another library whose names these are."""
    names = [f".{name}" for state in states.values() for name in state]
    for library, parts in OTHER_LIBRARIES.items():
        if any(f".{part}" in name for part in parts for name in names):
            return library
    return None


def _needed(net: nn.Module) -> State:
    """Of a network's backbone by name; what BatchNorm counts is absent from files of old."""
    head, _ = head_of(net)
    skipped = (f"{head}.weight", f"{head}.bias")
    return {
        name: value for name, value in net.state_dict().items() if name not in skipped and not name.endswith(COUNTER)
    }


def _prefixes(state: State, n_needed: int) -> Iterator[str]:
    """No prefix first; then those that stand before as many names as are needed."""
    yield ""
    counts = Counter(prefix for name in state for prefix in accumulate(f"{part}." for part in name.split(".")[:-1]))
    yield from (prefix for prefix, n in counts.items() if n >= n_needed)


def _fit(net: nn.Module, translate: Translate, state: State, at: tuple[str, str]) -> Fit:
    container, prefix = at
    cut = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    own = copy(translate(net, cut if prefix else state))  # a copy keeps the versions that torch hangs on it
    needed, (head, _) = _needed(net), head_of(net)
    _check_same(needed, own)
    left_out = tuple(name for name in own if name not in net.state_dict())
    _check_heads(left_out, needed, head.rpartition(".")[0])
    rows = own.get(f"{head}.weight")
    for name in (*left_out, f"{head}.weight", f"{head}.bias"):
        own.pop(name, None)
    return Fit(own, container, prefix, left_out, None if rows is None else len(rows))


def _check_same(needed: State, own: State) -> None:
    for name, value in needed.items():
        if name not in own:
            raise ValueError(f"no {name}")
        if own[name].shape != value.shape:
            raise ValueError(f"{name} of shape {tuple(own[name].shape)}, not {tuple(value.shape)}")


def _check_heads(left_out: Sequence[str], needed: State, parent: str) -> None:
    """Refuse more layers in the backbone than the network has: those of a deeper one are no head.

    Args:
        left_out: names that the network does not have.
        needed: of the backbone.
        parent: of the network's head, such as `classifier`; what stands beside the head may go with it.
    """
    inner = {name.split(".")[0] for name in needed if not parent or not name.startswith(f"{parent}.")}
    more = [name for name in left_out if name.split(".")[0] in inner]
    if more:
        raise ValueError(f"also {more[0]}")


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return shorten(", ".join(names[:MOST_NAMED]), 200) + (f" and {more} more" if more > 0 else "")
