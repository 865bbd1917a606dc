"""Images for the report: those that make the difference most, typical ones, and the map of both domains."""

import numpy as np
from numpy.typing import NDArray

from graft.records.common import SHA256_DIGITS
from graft.records.shift import Witnesses
from graft.shift.sides import Side
from graft.statistics.groups import drawn_rows
from graft.statistics.two_sample.witness import witness
from graft.store.features import MapPoint

# Images in each row of the report.
N_SHOWN = 8
# Images per side from which the witness function is computed, at most.
MOST_ROWS = 2_000
# Images per side on the map, at most.
MOST_POINTS = 400


def witnesses(source: Side, target: Side, bandwidth2: float, seed: int) -> Witnesses:
    """Images where one domain is densest relative to the other, and images in the middle of their own domain.

    At most one image of each group is shown, because copies would fill the row.

    Args:
        source: n images, sampled where there are more than MOST_ROWS. Images without a name, from a bank, are not
            shown.
        target: m images, sampled where there are more than MOST_ROWS.
        bandwidth2: bandwidth of the kernel.
        seed: seed of the samples.
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

    The components do not depend on which image is from which domain: axes fitted to the domains would show two clouds
    even without a shift.

    Args:
        source: n images, sampled where there are more than MOST_POINTS.
        target: m images, sampled where there are more than MOST_POINTS.
        seed: seed of the samples.

    Returns:
        The points, source first, and the shares of the variance along the two axes.
    """
    sides = some(source, MOST_POINTS, seed), some(target, MOST_POINTS, seed)
    rows = np.concatenate([each.features for each in sides]).astype(np.float64)
    centred = rows - rows.mean(axis=0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    # (2, d): a single feature gives only one axis, so rows of zeros make up for a missing one.
    axes = np.concatenate([axes, np.zeros((2, rows.shape[1]))])[:2]
    # (n + m, d) to (n + m, 2)
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
    """Signs, (2, 1), that make the largest entry of each axis positive; the decomposition leaves them undetermined."""
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    return np.where(largest < 0, -1.0, 1.0)


def some(side: Side, most: int, seed: int) -> Side:
    """Draw at most `most` images of a side, one image of every group before a second image of any group."""
    return side.at(drawn_rows(side.groups, most, np.random.default_rng(seed)))


def _strongest(side: Side, strength: NDArray[np.float64]) -> tuple[str, ...]:
    """Names of the images with the largest strength, one of each group."""
    order = np.argsort(-strength, kind="stable")
    # Positions in `order` of the strongest image of each group, strongest first.
    first = np.sort(np.unique(side.groups[order], return_index=True)[1])
    shown = side.images[order[first[:N_SHOWN]]]
    return tuple(str(image)[:SHA256_DIGITS] for image in shown if image)
