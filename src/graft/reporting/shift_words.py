"""Distance of the target from the source, in numbers and in words."""

from fractions import Fraction
from typing import NamedTuple

from graft.records.common import Interval
from graft.records.shift import BlockProfile, LabelShift, ShiftRecord, ShiftSize, ShiftSource, ShiftTest
from graft.reporting.figures.profile import UNITS
from graft.reporting.figures.yardstick import range_of
from graft.reporting.formatting import number, percent

# Largest denominator of a written fraction.
MOST_PARTS = 1024


class Fact(NamedTuple):
    """One fact at a glance."""

    name: str
    value: str
    note: str


class Measure(NamedTuple):
    """One number and what it means."""

    name: str
    value: str
    beside: str
    """its interval, or its value by chance; empty if there is neither"""
    says: str


def facts(shift: ShiftRecord) -> tuple[Fact, ...]:
    """Facts that a reader should know first."""
    scale = shift.yardstick
    place = "tables that need it abstain" if scale is None else range_of(scale)
    found = [
        Fact("Similarity", shift.similarity, place),
        _held_against(shift.source),
        Fact("Target", f"{shift.n_target} images", f"{shift.n_features} features of the pretrained backbone"),
    ]
    auc = None if shift.size is None else shift.size.auc
    if auc is not None:
        found.append(Fact("Told apart", percent(auc.estimate), "of pairs by a linear classifier; 50% is guessing"))
    return tuple(found)


def _held_against(source: ShiftSource) -> Fact:
    name, note = {
        "own": (f"{source.n_images} images", "of the source, your own"),
        "proxy": (
            f"the bank {source.name}",
            f"{source.licence}, {source.n_images} images; not the network's own source",
        ),
        "bn_stats": ("BatchNorm", f"running moments of {source.name}: no source images, no p-value"),
        "none": ("nothing", "no source images"),
    }[source.kind]
    return Fact("Held against", name, note)


def other_side(source: ShiftSource) -> str:
    """Name of the images that the target is compared with."""
    return "bank" if source.kind == "proxy" else "source"


def measures(shift: ShiftRecord) -> tuple[Measure, ...]:
    """All measures that the record holds, the size of the shift first."""
    found = []
    if shift.size is not None:
        found.append(_mmd2(shift.size))
    if shift.test is not None:
        found.append(_p_value(shift.test))
    if shift.size is not None:
        found += _other_distances(shift.size)
    if shift.labels is not None:
        found.append(_labels(shift.labels))
    if shift.test is not None:
        found.append(_detectable(shift.test))
    return tuple(found)


def span(interval: Interval | None) -> str:
    """Ends of an interval; empty if there is none."""
    return "" if interval is None else f"{number(interval.low)} to {number(interval.high)}"


def fraction(multiple: float) -> str:
    """A multiple such as 0.00390625 as `1/256`."""
    return str(Fraction(multiple).limit_denominator(MOST_PARTS))


def most_in(profile: BlockProfile) -> str:
    """A sentence on the block in which the target differs most."""
    most = max(profile.blocks, key=lambda each: each.shift.estimate)
    far = f"{number(most.shift.estimate)} ({span(most.shift)})"
    return f"It differs most in {most.block}: {far}, {UNITS[profile.measure]}."


def _mmd2(size: ShiftSize) -> Measure:
    says = "distance between the two distributions of features: about 0 if they are alike, at most 2"
    return Measure("Squared MMD", number(size.mmd2), span(size.interval), says)


def _p_value(test: ShiftTest) -> Measure:
    says = (
        f"share of {test.n_permutations + 1} random divisions of the same images, the observed one included, that are "
        "as far apart; with enough images it is always small"
    )
    return Measure("p-value", number(test.p_value), "", says)


def _other_distances(size: ShiftSize) -> list[Measure]:
    found = []
    if size.auc is not None:
        says = "how often a linear classifier tells which of two unseen images is from the target: 0.5 is guessing"
        found.append(Measure("Classifier AUC", number(size.auc.estimate), span(size.auc), says))
    if size.a_distance is not None:
        says = "from the errors of that classifier: 0 is guessing, 2 is without errors"
        found.append(Measure("A-distance", number(size.a_distance), "", says))
    says = "squared distance of means and covariances, with that of two random halves of all images"
    beside = f"{number(size.frechet_by_chance)} by chance"
    return [*found, Measure("Frechet distance", number(size.frechet), beside, says)]


def _labels(labels: LabelShift) -> Measure:
    says = "of the images would have to change class for the two mixes of classes to be the same"
    return Measure("Label shift", percent(labels.total_variation), "", says)


def _detectable(test: ShiftTest) -> Measure:
    if test.detectable_shift is None:
        return Measure("Detectable shift", "none", "", "so few images show no shift of any size reliably")
    says = "in standard deviations of every feature: the smallest shift that is found in four of five cases"
    return Measure("Detectable shift", number(test.detectable_shift), "", says)
