"""Pictures of the images that show the shift, beside typical ones."""

from collections.abc import Sequence
from typing import NamedTuple

from graft.records.shift import ShiftRecord
from graft.reporting.pictures import Picture, StoredImages, pictures

MOST_SHOWN = 8

# Leading digits of the sha256 of each image, and its picture.
Shown = tuple[tuple[str, Picture], ...]


class WitnessSide(NamedTuple):
    """Pictures of one domain."""

    domain: str
    odd: Shown
    """images that are rarest in the other domain"""
    typical: Shown


def witness_sides(shift: ShiftRecord, source: StoredImages, target: StoredImages) -> tuple[WitnessSide, ...]:
    """Pictures by domain, source before target. A bank consists of features and has no pictures.

    Raises:
        ValueError: an image is not in its catalogue.
    """
    shown = shift.witnesses
    if shown is None:
        return ()
    sides = [WitnessSide("target", _shown(shown.target_odd, target), _shown(shown.target_typical, target))]
    if shift.source.kind == "own":
        sides.insert(0, WitnessSide("source", _shown(shown.source_odd, source), _shown(shown.source_typical, source)))
    return tuple(sides)


def _shown(images: Sequence[str], stored: StoredImages) -> Shown:
    first = images[:MOST_SHOWN]
    return tuple(zip(first, pictures(first, stored), strict=True))
