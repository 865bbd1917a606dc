"""Networks that were tried on the test split, found by what they are."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Kind = Literal["transfer", "scratch", "head", "small", "shuffled", "reset"]


class Tried(NamedTuple):
    """A trained network and its predictions on the n test images."""

    kind: Kind
    """head: a linear head on cached features; small: a small network from random start; shuffled: pretrained weights in
    random order within each layer; reset: the top blocks at random start"""
    seed: int
    right: NDArray[np.bool_]
    """(n,) whether each prediction is right"""
    share: float = 1.0
    """share of the labels of train that it learned from"""
    n_labels: int = 0
    """number of these labels"""
    block: str = ""
    """lowest block at random start, where the kind is reset"""
    network: str = ""


def of_kind(tried: Iterable[Tried], kind: Kind, share: float = 1.0) -> dict[int, Tried]:
    """Networks of one kind at one share of the labels, by seed."""
    found = {each.seed: each for each in tried if each.kind == kind and each.share == share}
    return dict(sorted(found.items()))


def paired(ours: dict[int, Tried], others: dict[int, Tried]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """(k, n) of both for the seeds that both have, in one order; None where they share none."""
    seeds = [seed for seed in ours if seed in others]
    if not seeds:
        return None
    return stacked([ours[seed] for seed in seeds]), stacked([others[seed] for seed in seeds])


def stacked(tried: Sequence[Tried]) -> NDArray[np.bool_]:
    """(k, n) whether each prediction is right, a row for each network."""
    return np.stack([each.right for each in tried])
