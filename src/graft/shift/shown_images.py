"""The images that make the difference most, beside typical ones, and the map of both domains."""

import numpy as np
from numpy.typing import NDArray

from graft.records.common import SHA256_DIGITS
from graft.records.shift import Witnesses
from graft.shift.sides import Side
from graft.statistics.groups import drawn_rows
from graft.statistics.two_sample.witness import witness
from graft.store.features import MapPoint

N_SHOWN = 8
MOST_ROWS = 2_000
"""of a side that the witness function is made from"""
MOST_POINTS = 400
"""of a side on the map"""


def witnesses(source: Side, target: Side, bandwidth2: float, seed: int) -> Witnesses:
    """The images where one domain is densest against the other, and those in the midst of their own.

    Of the images of a group one at most is shown: copies would fill the row.

    Args:
        source: n images; of more than MOST_ROWS some. Those without a name, of a bank, cannot be shown.
        target: m images; of more than MOST_ROWS some.
        bandwidth2: of the kernel.
        seed: of the rows, where there are too many.
    """
    sides = some(source, MOST_ROWS, seed), some(target, MOST_ROWS, seed)
    groups = sides[0].groups, sides[1].groups
    ours, theirs = witness(sides[0].features, sides[1].features, bandwidth2=bandwidth2, groups=groups)
    return Witnesses(
        source_odd=_strongest(sides[0], ours.value),
        source_typical=_strongest(sides[0], ours.typicality),
        target_odd=_strongest(sides[1], -theirs.value),
        target_typical=_strongest(sides[1], theirs.typicality),
    )


def map_of(source: Side, target: Side, seed: int) -> tuple[tuple[MapPoint, ...], tuple[float, float]]:
    """Points of both domains on the first two principal components of the pooled features.

    The components do not know which image is whose: axes fitted to that would show two clouds where there is no
    shift.

    Args:
        source: n images; of more than MOST_POINTS some are drawn.
        target: m images; of more than MOST_POINTS some are drawn.
        seed: of the images that are drawn.

    Returns:
        The points, source first, and the shares of the variance along the two axes.
    """
    sides = some(source, MOST_POINTS, seed), some(target, MOST_POINTS, seed)
    rows = np.concatenate([each.features for each in sides]).astype(np.float64)
    centred = rows - rows.mean(axis=0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    axes = np.concatenate([axes, np.zeros((2, rows.shape[1]))])[:2]  # of a single feature there is one axis
    places = centred @ (axes * _signs(axes)).T
    shares = (np.append(values, 0.0)[:2] ** 2 / max(float(np.sum(values**2)), 1e-300)).tolist()
    names = [
        (image[:SHA256_DIGITS], label) for each in sides for image, label in zip(each.images, each.labels, strict=True)
    ]
    n_source = len(sides[0].rows)
    points = tuple(
        MapPoint(str(image), "source" if index < n_source else "target", str(label), float(x), float(y))
        for index, ((image, label), (x, y)) in enumerate(zip(names, places, strict=True))
    )
    return points, (shares[0], shares[1])


def _signs(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 1) signs that make the largest entry of each axis positive: a decomposition leaves them open."""
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    return np.where(largest < 0, -1.0, 1.0)


def some(side: Side, most: int, seed: int) -> Side:
    """At most so many images of a side, drawn with the seed, of every group one before a second of any."""
    return side.at(drawn_rows(side.groups, most, np.random.default_rng(seed)))


def _strongest(side: Side, strength: NDArray[np.float64]) -> tuple[str, ...]:
    """Names of the images with the largest strength, one of each group."""
    order = np.argsort(-strength, kind="stable")
    first = np.sort(np.unique(side.groups[order], return_index=True)[1])
    shown = side.images[order[first[:N_SHOWN]]]
    return tuple(str(image)[:SHA256_DIGITS] for image in shown if image)
