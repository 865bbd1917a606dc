"""A scale that a person can read: how far the source's own images move when they are corrupted."""

from collections.abc import Callable
from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from graft.shift.corruptions import CORRUPTIONS, SEVERITIES, Images, corrupted, pure_noise
from graft.statistics.mmd import mmd2_unbiased

Array = NDArray[np.floating[Any]]
Features = Callable[[Images], Array]
"""(n, s, s, 3) images to (n, d) features"""

FEWEST = 4
"""images, or groups, of the source: two a half"""


LEAST_OF_NOISE = 0.02
"""share of the squared MMD of pure noise that a corruption must reach to tell anything"""


class YardstickFeatures(NamedTuple):
    """What the yardstick is made of: (k, d) features of two halves of the source."""

    kept: Array
    """of the half that stays as it is"""
    clean: Array
    """of the other, as it is"""
    corrupted: Array
    """(25, k, d) of the other, corruption by corruption, severity by severity"""
    noise: Array
    """of images of pure noise, as many as in the other"""


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


def yardstick_features(
    images: Images, features: Features, *, groups: NDArray[Any] | None = None, seed: int
) -> YardstickFeatures:
    """Features of half of the source as it is, and of the other half clean, under each corruption, and as noise.

    No image is compared with its own corruption. The network runs 27 times over half of the images, and once over
    the other.

    Args:
        images: (n, s, s, 3) source images.
        features: of the unmodified backbone.
        groups: (n,) names of groups of images that are not independent, such as near-duplicates; none is torn apart.
        seed: of the halves and of the noise.

    Raises:
        ValueError: fewer than two images (or groups) a half.
    """
    kept, other = _halves(np.arange(len(images)) if groups is None else groups, np.random.default_rng(seed))
    changed = [
        features(corrupted(images[other], name, severity, seed))
        for name, severity in tqdm([*product(CORRUPTIONS, SEVERITIES)], desc="yardstick", disable=None, leave=False)
    ]
    noise = features(pure_noise(images[other], seed))
    return YardstickFeatures(features(images[kept]), features(images[other]), np.stack(changed), noise)


def make_yardstick(features: YardstickFeatures, bandwidth2: float) -> Yardstick:
    """Squared MMD of half of the source against the other half: clean, under each corruption, and as noise.

    Args:
        features: of both halves.
        bandwidth2: that of the target's own distance, or the two do not compare.

    Raises:
        ValueError: as `mmd2_unbiased`.
    """
    distances = [mmd2_unbiased(features.kept, each, bandwidth2) for each in features.corrupted]
    marks = [
        Mark(name, severity, mmd2)
        for (name, severity), mmd2 in zip(product(CORRUPTIONS, SEVERITIES), distances, strict=True)
    ]
    clean, noise = (mmd2_unbiased(features.kept, each, bandwidth2) for each in (features.clean, features.noise))
    return Yardstick((len(features.kept), len(features.clean)), clean, tuple(marks), noise)


def place_on(yardstick: Yardstick, mmd2: float, *, origin: str, near_below: float, far_above: float) -> Place:
    """Where the target's squared MMD lies on the yardstick, with one sentence that says so.

    Args:
        yardstick: of the source.
        mmd2: of source against target, at the yardstick's bandwidth.
        origin: what the sentence calls the source.
        near_below: severity below which similarity is near.
        far_above: severity above which similarity is far; between the two it is mid.
    """
    severity = severity_of(yardstick, mmd2)
    similarity = similarity_of(severity, near_below, far_above)
    nearest = min(yardstick.marks, key=lambda mark: abs(_distance(mark.mmd2) - _distance(mmd2)))
    place = _words(yardstick, mmd2, nearest, origin)
    over_all = f"in the median of the corruptions that move it at severity {severity:.1f} of 5"
    if severity == SEVERITIES[-1]:
        over_all = f"and most corruptions do not move {origin} so far even at severity 5"
    sentence = f"The target lies {place}, {over_all}."
    return Place(severity, similarity, nearest, sentence)


def similarity_of(severity: float, near_below: float, far_above: float) -> Literal["near", "mid", "far"]:
    """The bin of a severity, 0 to 5."""
    return "near" if severity < near_below else "far" if severity > far_above else "mid"


def severity_of(yardstick: Yardstick, mmd2: float) -> float:
    """Severity, 0 to 5, at which a corruption moves the source as far: the median over corruptions that tell.

    A corruption that hardly moves the source even at its worst, as blur does where images are blurred already, says
    nothing of distances and is left out.
    """
    if mmd2 <= 0:
        return 0.0
    marks = {name: [mark.mmd2 for mark in yardstick.marks if mark.corruption == name] for name in CORRUPTIONS}
    telling = {name: values for name, values in marks.items() if max(values) >= LEAST_OF_NOISE * yardstick.noise}
    places = []
    for values in (telling or marks).values():
        # an irregular mark must not put a farther target at a lower severity
        rising = np.maximum.accumulate([0.0, *map(_distance, values)])
        places.append(float(np.interp(_distance(mmd2), rising, (0, *SEVERITIES))))
    return float(np.median(places))


def _halves(names: NDArray[Any], rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of each half; a group stands whole in one."""
    group = np.unique(names, return_inverse=True)[1]
    n_groups = int(group.max(initial=-1)) + 1
    if n_groups < FEWEST:
        raise ValueError(
            f"yardstick: want at least {FEWEST} source images (or groups), got {n_groups}. Add source images."
        )
    first = rng.permutation(n_groups)[group] < n_groups / 2
    return np.flatnonzero(first), np.flatnonzero(~first)


def _distance(mmd2: float) -> float:
    """MMD itself, on which equal steps look equal; 0 where the squared estimate is below 0."""
    return float(np.sqrt(max(mmd2, 0.0)))


def _words(yardstick: Yardstick, mmd2: float, nearest: Mark, origin: str) -> str:
    if mmd2 <= 0:
        return f"no farther from {origin} than chance puts it"
    if mmd2 > max(mark.mmd2 for mark in yardstick.marks):
        beyond = " and under pure noise" if mmd2 > yardstick.noise else ""
        return f"farther from {origin} than {origin} itself under every corruption at severity 5{beyond}"
    if mmd2 < min(mark.mmd2 for mark in yardstick.marks):
        return f"closer to {origin} than {origin} itself under every corruption at severity 1"
    return f"as far from {origin} as {origin} itself under {nearest.corruption} at severity {nearest.severity}"
