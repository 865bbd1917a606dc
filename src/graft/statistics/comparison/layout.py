"""How test images hang together: their groups and classes, and how many independent units they make."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Names = NDArray[Any]

# A unit with this share of the images moves the metric too much for a claim about new units.
LARGE_SHARE = 0.2
# The spread of a class of fewer units says little: simulated intervals of balanced accuracy covered 70 to 93 % of cases
# with 3 to 7 images of the smaller class, and 94 % with 10.
FEW_UNITS = 10


class Units(NamedTuple):
    """Numbers of independent units (images, or groups of images) behind a mean."""

    number: float
    """units that the variances are divided by"""
    effective: float
    """units of equal weight that would give as many degrees of freedom, plus 1"""
    floor: float
    """units whose `unseen_share` is the least half width; infinite where scores are not shares"""
    equivalence_floor: float
    """the same for the interval for equivalence, where harm to a small class or a large group must not be overlooked"""


class Layout(NamedTuple):
    """Groups and classes of n test images."""

    design: str
    """images, classes, equal groups or unequal groups"""
    n_images: int
    unit: Ints | None
    """(n,) number of the group of each image, None where every image is its own"""
    label: Ints | None
    """(n,) number of the class of each image, None where the metric is a mean over images"""
    weights: Floats
    """(n,) weight of each image in the metric; they sum to 1"""
    units: Units
    """with the effective number by weights alone, (sum w)^2 / sum w^2"""
    largest_share: float
    """share of the images, or of the weights if that is more, of the largest group; of an image if there are none"""
    limits: tuple[str, ...]
    """why these images allow no claim"""


def layout_of(n_images: int, groups: Names | None = None, classes: Names | None = None) -> Layout:
    """Lay out test images, once for any number of comparisons on them.

    Args:
        n_images: number of images.
        groups: (n,) names of groups of images that are not independent. None if every image is independent.
        classes: (n,) labels. The metric is then the mean over classes of the mean of each class.
    """
    unit, label = _numbers(groups), _numbers(classes)
    if unit is not None and unit.max() + 1 == n_images:
        unit = None
    if label is not None and label.max() == 0:
        label = None
    sizes = np.array([n_images]) if label is None else np.bincount(label)
    weights = np.full(n_images, 1 / n_images) if label is None else 1 / (len(sizes) * sizes[label])
    by_unit: Floats = weights if unit is None else np.bincount(unit, weights).astype(np.float64)
    images: Floats = np.ones(n_images) if unit is None else np.bincount(unit).astype(np.float64)
    units_by_class = sizes if unit is None else _units_by_class(unit, label)
    number, effective = len(by_unit), _effective_number(by_unit)
    # what may be unseen in the smallest of c classes moves their mean by a c-th of its share
    smallest = float(len(units_by_class) * units_by_class.min())
    return Layout(
        design=_design(unit, label, images),
        n_images=n_images,
        unit=unit,
        label=label,
        weights=weights,
        units=Units(number, effective, _floor_units(number, units_by_class), min(number, effective, smallest)),
        largest_share=max(float(by_unit.max()), float(images.max()) / n_images),
        limits=_limits(unit, by_unit, images / n_images, units_by_class),
    )


def _floor_units(number: float, units_by_class: Ints) -> float:
    """All units, unless a class of few units weighs so much that what it may hide is more than they may hide."""
    few = units_by_class[units_by_class < FEW_UNITS]
    return float(np.min(len(units_by_class) * few, initial=number))


def _effective_number(weights: Floats) -> float:
    # equal weights give their number without rounding
    return len(weights) if np.ptp(weights) == 0 else float(weights.sum() ** 2 / np.sum(weights**2))


def _numbers(names: Names | None) -> Ints | None:
    return None if names is None else np.unique(names, return_inverse=True)[1].astype(np.int64).reshape(-1)


def _design(unit: Ints | None, label: Ints | None, images: Floats) -> str:
    if unit is None:
        return "images" if label is None else "classes"
    return "equal groups" if label is None and images.min() == images.max() else "unequal groups"


def _units_by_class(unit: Ints, label: Ints | None) -> Ints:
    """(c,) number of groups that hold images of each class."""
    pairs = np.unique(np.stack([np.zeros_like(unit) if label is None else label, unit]), axis=1)
    return np.bincount(pairs[0])


def _limits(unit: Ints | None, by_unit: Floats, images: Floats, units_by_class: Ints) -> tuple[str, ...]:
    limits = []
    share = max(float(by_unit.max()), float(images.max()))
    if unit is not None and share >= LARGE_SHARE:
        of = "test images" if images.max() >= LARGE_SHARE else "metric"
        limits.append(
            f"One group makes up {100 * share:.0f}% of the {of}, so that it decides alone: add images of other groups."
        )
    alone = int(np.sum(units_by_class < 2))
    if alone and len(units_by_class) > 1:
        what = "image" if unit is None else "group of images"
        have = "1 class has" if alone == 1 else f"{alone} classes have"
        limits.append(f"{have} a single test {what}, whose spread cannot be told: add test images of it.")
    return tuple(limits)
