"""The images that make the difference, beside typical ones."""

from collections.abc import Sequence
from typing import NamedTuple

from graft.records.shift import ShiftRecord
from graft.reporting.pictures import Picture, StoredImages, pictures

MOST_SHOWN = 8

Shown = tuple[tuple[str, Picture], ...]
"""the first hex digits of an image's sha256, and the image"""


class WitnessSide(NamedTuple):
    """What one domain shows of the difference."""

    domain: str
    odd: Shown
    """images that the other domain has least of"""
    typical: Shown


def witness_sides(shift: ShiftRecord, source: StoredImages, target: StoredImages) -> tuple[WitnessSide, ...]:
    """The domains that have images to show, source before target; a bank is made of features and has none.

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
