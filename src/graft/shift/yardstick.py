"""A scale that a person can read: how far the source's own images move when they are corrupted."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.shift.corruptions import CORRUPTIONS, SEVERITIES, Images, corrupted, pure_noise
from graft.statistics.mmd import mmd2_unbiased

Floats = NDArray[np.float64]
Features = Callable[[Images], NDArray[np.floating[Any]]]
"""(n, s, s, 3) images to (n, d) features"""


class Mark(NamedTuple):
    """Squared MMD of the source against itself under one corruption."""

    corruption: str
    severity: int
    mmd2: float


class Yardstick(NamedTuple):
    """Squared MMD, no unit, of one half of the source against the other half, as it is and corrupted."""

    n_images: tuple[int, int]
    """of the half that stays as it is, and of the other"""
    clean: float
    """about 0: what chance makes"""
    marks: tuple[Mark, ...]
    """by corruption, then by severity"""
    noise: float
    """against images of pure noise"""


class Place(NamedTuple):
    """Where a distance lies on the yardstick."""

    severity: float
    """0 to 5: where the distance lies among a corruption's marks, the median over corruptions"""
    similarity: Literal["near", "mid", "far"]
    nearest: Mark
    sentence: str


def make_yardstick(
    images: Images, features: Features, *, bandwidth2: float, groups: NDArray[Any] | None = None, seed: int
) -> Yardstick:
    """Squared MMD of half of the source against the other half: clean, under each corruption, and as noise.

    No image is compared with its own corruption. The features are made once for each corruption and severity:
    27 times half of the images in all.

    Args:
        images: (n, s, s, 3) source images.
        features: of the unmodified backbone.
        bandwidth2: that of the target's own distance, or the two do not compare.
        groups: (n,) names of groups of images that are not independent, such as near-duplicates; none is torn apart.
        seed: of the halves and of the noise.

    Raises:
        ValueError: fewer than two images (or groups) a half, or as `mmd2_unbiased`.
    """
    kept, other = _halves(np.arange(len(images)) if groups is None else groups, np.random.default_rng(seed))
    reference = features(images[kept])

    def distance(half: Images) -> float:
        return mmd2_unbiased(reference, features(half), bandwidth2)

    marks = tuple(
        Mark(name, severity, distance(corrupted(images[other], name, severity, seed)))
        for name in CORRUPTIONS
        for severity in SEVERITIES
    )
    noise = distance(pure_noise(images[other], seed))
    return Yardstick((len(kept), len(other)), distance(images[other]), marks, noise)


def place_on(yardstick: Yardstick, mmd2: float, *, near_below: float, far_above: float) -> Place:
    """Where the target's squared MMD lies on the yardstick, with one sentence that says so.

    Args:
        yardstick: of the source.
        mmd2: of source against target, at the yardstick's bandwidth.
        near_below: severity below which similarity is near.
        far_above: severity above which similarity is far; between the two it is mid.
    """
    severity = severity_of(yardstick, mmd2)
    similarity: Literal["near", "mid", "far"] = (
        "near" if severity < near_below else "far" if severity > far_above else "mid"
    )
    nearest = min(yardstick.marks, key=lambda mark: abs(_distance(mark.mmd2) - _distance(mmd2)))
    place = _words(yardstick, mmd2, nearest)
    sentence = f"The target lies {place}; over all corruptions its place is severity {severity:.1f} of 5: {similarity}."
    return Place(severity, similarity, nearest, sentence)


def severity_of(yardstick: Yardstick, mmd2: float) -> float:
    """Severity, 0 to 5, at which a corruption moves the source as far: the median over corruptions."""
    if mmd2 <= 0:
        return 0.0
    places = []
    for name in CORRUPTIONS:
        marks = [0.0, *(_distance(mark.mmd2) for mark in yardstick.marks if mark.corruption == name)]
        # an irregular mark must not put a farther target at a lower severity
        places.append(float(np.interp(_distance(mmd2), np.maximum.accumulate(marks), (0, *SEVERITIES))))
    return float(np.median(places))


def _halves(names: NDArray[Any], rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of each half; a group stands whole in one."""
    group = np.unique(names, return_inverse=True)[1]
    n_groups = int(group.max(initial=-1)) + 1
    if n_groups < 4:
        raise ValueError(f"yardstick: want at least 4 source images (or groups), got {n_groups}. Add source images.")
    first = rng.permutation(n_groups)[group] < n_groups / 2
    return np.flatnonzero(first), np.flatnonzero(~first)


def _distance(mmd2: float) -> float:
    """MMD itself, on which equal steps look equal; 0 where the squared estimate is below 0."""
    return float(np.sqrt(max(mmd2, 0.0)))


def _words(yardstick: Yardstick, mmd2: float, nearest: Mark) -> str:
    if mmd2 > max(mark.mmd2 for mark in yardstick.marks):
        beyond = " and under pure noise" if mmd2 > yardstick.noise else ""
        return f"farther from the source than the source itself under every corruption at severity 5{beyond}"
    if mmd2 < min(mark.mmd2 for mark in yardstick.marks):
        return "closer to the source than the source itself under every corruption at severity 1"
    return f"as far from the source as the source itself under {nearest.corruption} at severity {nearest.severity}"
