"""Yardstick that a person can read: how far the source's own images move when they are corrupted."""

from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.records.common import Similarity
from graft.statistics.two_sample.mmd import mmd2_unbiased
from graft.store.features import CORRUPTION_NAMES, SEVERITIES, YardstickFeatures

Array = NDArray[np.floating[Any]]
Groups = NDArray[np.int64]
# Share of the squared MMD of pure noise that a corruption must reach to be informative.
LEAST_OF_NOISE = 0.02


class Mark(NamedTuple):
    """Squared MMD between the source and the source under one corruption."""

    corruption: str
    severity: int
    mmd2: float


class Yardstick(NamedTuple):
    """Squared MMD, without a unit, between one half of the source and the other half, unchanged and corrupted."""

    n_images: tuple[int, int]
    """number of images of the half that stays unchanged, and of the other"""
    clean: float
    """squared MMD without a corruption: about 0, by chance alone"""
    marks: tuple[Mark, ...]
    """sorted by corruption, then by severity"""
    noise: float
    """squared MMD to images of pure noise"""


class CorruptionSeverity(NamedTuple):
    """Where a distance lies among the marks of one corruption."""

    corruption: str
    severity: float
    """0 to 5"""


class Place(NamedTuple):
    """Where a distance lies on the yardstick."""

    severity: float
    """0 to 5: the median over corruptions of where the distance lies among their marks"""
    by_corruption: tuple[CorruptionSeverity, ...]
    """severity by each corruption that moves the source"""
    severities: tuple[float, float] | None
    """severities of the ends of the distance's interval; None where there is no interval"""
    between: tuple[str, str | None]
    """corruptions that surely move the source less and more, such as pixelate 5 and noise 4; None where nothing moves
    it more"""
    similarity: Similarity
    doubts: tuple[str, ...]
    """reasons why similarity is unknown; empty where it is known"""
    sentence: str
    """the place in words"""


def make_yardstick(features: YardstickFeatures, bandwidth2: float) -> Yardstick:
    """Squared MMD between one half of the source and the other half: clean, under each corruption, and as noise.

    Every group of images weighs the same, as in the target's own distance.

    Args:
        features: features of both halves.
        bandwidth2: bandwidth of the target's own distance; with another, the two would not compare.

    Raises:
        ValueError: as `mmd2_unbiased`.
    """
    groups = features.kept_groups, features.other_groups
    clean, noise, *distances = (
        mmd2_unbiased(features.kept, each, bandwidth2, groups)
        for each in (features.clean, features.noise, *features.corrupted)
    )
    marks = [
        Mark(name, severity, mmd2)
        for (name, severity), mmd2 in zip(product(CORRUPTION_NAMES, SEVERITIES), distances, strict=True)
    ]
    return Yardstick((len(features.kept), len(features.clean)), clean, tuple(marks), noise)


def place_on(
    yardstick: Yardstick, mmd2: float, interval: tuple[float, float] | None, limits: tuple[float, float], origin: str
) -> Place:
    """Place of the target's squared MMD on the yardstick, and the similarity that follows from it.

    Which corruptions make the scale is arbitrary. So similarity is unknown where leaving one of them out would change
    it, and also where the ends of the interval differ in it.

    Args:
        yardstick: yardstick of the source.
        mmd2: squared MMD between source and target, at the yardstick's bandwidth.
        interval: interval of mmd2; None where there are too few images for one.
        limits: severity below which similarity is near, and above which it is far; between the two it is mid.
        origin: name of the source in the sentence.
    """
    places = severities(yardstick, mmd2)
    severity = float(np.median([*places.values()]))
    ends = None if interval is None else (severity_of(yardstick, interval[0]), severity_of(yardstick, interval[1]))
    between = _between(yardstick, (mmd2, mmd2) if interval is None else interval, origin)
    doubts = _doubts(places, ends, limits)
    similarity = "unknown" if doubts else similarity_of(severity, limits)
    words = f"{origin}'s own images, corrupted; {_range(places)}"
    where = f"beyond {between[0]}" if between[1] is None else f"between {between[0]} and {between[1]}"
    by_corruption = tuple(CorruptionSeverity(*each) for each in places.items())
    return Place(severity, by_corruption, ends, between, similarity, doubts, f"The target lies {where} ({words}).")


def similarity_of(severity: float, limits: tuple[float, float]) -> Literal["near", "mid", "far"]:
    """Similarity at a severity, 0 to 5, by the limits of near and far."""
    return "near" if severity < limits[0] else "far" if severity > limits[1] else "mid"


def severity_of(yardstick: Yardstick, mmd2: float) -> float:
    """Severity, 0 to 5, at which corruptions move the source as far: the median over informative corruptions."""
    return float(np.median([*severities(yardstick, mmd2).values()]))


def severities(yardstick: Yardstick, mmd2: float) -> dict[str, float]:
    """Severity, 0 to 5, at which each informative corruption moves the source as far."""
    places = {}
    for name, marks in _informative(yardstick).items():
        # An irregular mark must not give a farther target a lower severity.
        rising = np.maximum.accumulate([0.0, *(_distance(each.mmd2) for each in marks)])
        places[name] = float(np.interp(_distance(mmd2), rising, (0, *SEVERITIES))) if mmd2 > 0 else 0.0
    return places


def _informative(yardstick: Yardstick) -> dict[str, list[Mark]]:
    """Marks of the informative corruptions, or of all where none is.

    A corruption that hardly moves the source even at its worst, such as blur on images that are already blurred, says
    nothing about distances.
    """
    marks = {name: [mark for mark in yardstick.marks if mark.corruption == name] for name in CORRUPTION_NAMES}
    least = LEAST_OF_NOISE * yardstick.noise
    return {name: each for name, each in marks.items() if max(mark.mmd2 for mark in each) >= least} or marks


def _between(yardstick: Yardstick, interval: tuple[float, float], origin: str) -> tuple[str, str | None]:
    """Corruptions nearest below and nearest above the interval."""
    named = [
        (f"{mark.corruption} {mark.severity}", mark.mmd2)
        for marks in _informative(yardstick).values()
        for mark in marks
    ]
    named.append(("pure noise", yardstick.noise))
    nearer = [(mmd2, name) for name, mmd2 in named if 0 < mmd2 <= interval[0]]
    farther = [(mmd2, name) for name, mmd2 in named if mmd2 >= max(interval[1], 0)]
    return max(nearer)[1] if nearer else f"{origin} as it is", min(farther)[1] if farther else None


def _doubts(places: dict[str, float], ends: tuple[float, float] | None, limits: tuple[float, float]) -> tuple[str, ...]:
    """Reasons why similarity is unknown at these places."""
    said = []
    if ends is None:
        said.append("with so few independent images there is no interval of MMD^2 (add images)")
    elif (low := similarity_of(ends[0], limits)) != (high := similarity_of(ends[1], limits)):
        span = f"severity {ends[0]:.1f} to {ends[1]:.1f}, {low} to {high}"
        said.append(f"the interval of MMD^2 reaches from {span} (more images narrow it)")
    if len(places) == 1:
        said.append(f"{next(iter(places))} is the only corruption that moves these images")
        return tuple(said)
    now = similarity_of(float(np.median([*places.values()])), limits)
    for name in places:
        without = similarity_of(float(np.median([place for each, place in places.items() if each != name])), limits)
        if without != now:
            said.append(f"without {name} it would be {without}, not {now}")
    return tuple(said)


def _range(places: dict[str, float]) -> str:
    """Smallest and largest severity with their corruptions, and the median."""
    low, high = min(places, key=lambda each: places[each]), max(places, key=lambda each: places[each])
    if places[low] == places[high]:
        return f"severity {places[low]:.1f} of 5 by all that move them"
    median = float(np.median([*places.values()]))
    return f"severity {places[low]:.1f} of 5 by {low} to {places[high]:.1f} by {high}, {median:.1f} in the median"


def _distance(mmd2: float) -> float:
    """MMD itself, a scale on which equal steps look equal; 0 where the squared estimate is below 0."""
    return float(np.sqrt(max(mmd2, 0.0)))
