"""Distance of the target on a scale of corrupted source images."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from graft.records.shift import ShiftSize, ShiftYardstick, YardstickMark
from graft.reporting.figures import svg
from graft.reporting.figures.svg import EDGE, WIDTH, Scale, drawing, label, segment, tag
from graft.reporting.formatting import number

ROW = 30
TOP = 26
LEFT = 88
# Width of a digit above a dot, in units of the drawing.
DIGIT = 6.6
SPACE = 3


def yardstick(scale: ShiftYardstick, size: ShiftSize) -> Markup:
    """Draw a row per corruption with a dot per severity, between clean halves and pure noise; a line is the target.

    The axis is MMD, the root of MMD^2, so that equal steps look equal. It is 0 if the square is negative.
    """
    rows = [("clean", (), scale.clean), *((name, marks, 0.0) for name, marks in by_corruption(scale).items())]
    rows.append(("pure noise", (), scale.noise))
    squares = (size.mmd2, scale.noise, scale.clean, *(each.mmd2 for each in scale.marks))
    highest = max(map(distance, (*squares, *([] if size.interval is None else [size.interval.high]))))
    x = Scale(0, 1.06 * highest or 1.0, LEFT, WIDTH - EDGE)
    bottom = TOP + ROW * len(rows)
    marks: list[Markup] = []
    for place, (name, dots, alone) in enumerate(rows):
        y = TOP + ROW * (place + 0.5) + 4
        marks += [segment(x.start, y, x.end, y, "grid"), label(LEFT - 10, y + 4, name, "tick", "end")]
        marks += _dots(dots, x, y) if dots else [tag("circle", cx=x.at(distance(alone)), cy=y, r=5, class_="end")]
    axis = svg.bottom_axis(x, bottom, lambda value: f"{value:g}")
    unit = label((x.start + x.end) / 2, bottom + 34, "distance (MMD)", "tick", "middle")
    title = f"Place of the target among corruptions: {range_of(scale)}"
    return drawing(title, _in_words(scale, size), bottom + 42, *_target(size, x, bottom), *axis, unit, *marks)


def by_corruption(scale: ShiftYardstick) -> dict[str, tuple[YardstickMark, ...]]:
    """Marks by corruption, each sorted by severity. Corruptions keep the order of the record."""
    names = dict.fromkeys(each.corruption for each in scale.marks)
    ordered = sorted(scale.marks, key=lambda each: each.severity)
    return {name: tuple(each for each in ordered if each.corruption == name) for name in names}


def range_of(scale: ShiftYardstick) -> str:
    """Place of the target as a range over corruptions, such as `between pixelate 5 and noise 4`."""
    nearer, farther = scale.between
    return f"beyond {nearer}" if farther is None else f"between {nearer} and {farther}"


def place_among(marks: Sequence[YardstickMark], mmd2: float) -> str:
    """Place of a squared MMD among the marks of one corruption, in words, up to the first mark that is farther."""
    farther = (place for place, each in enumerate(marks) if mmd2 <= 0 or each.mmd2 > mmd2)
    passed = next(farther, len(marks))
    if passed == 0:
        return "below severity 1"
    if passed == len(marks):
        return f"beyond severity {marks[-1].severity}"
    return f"between severities {marks[passed - 1].severity} and {marks[passed].severity}"


def distance(mmd2: float) -> float:
    """MMD from its unbiased square, 0 if that is negative."""
    return math.sqrt(max(mmd2, 0.0))


def _dots(marks: Sequence[YardstickMark], x: Scale, y: float) -> list[Markup]:
    """A dot per severity with its number above. Numbers that would overlap are joined, such as 1\u20133."""
    drawn: list[Markup] = []
    crowds: list[_Crowd] = []
    for each in sorted(marks, key=lambda mark: distance(mark.mmd2)):
        at = x.at(distance(each.mmd2))
        words = f"{each.corruption}, severity {each.severity}: MMD {number(distance(each.mmd2))}"
        drawn.append(tag("circle", tag("title", words), cx=at, cy=y, r=4, class_="mark"))
        crowd = _Crowd(at, at, (each.severity,))
        while crowds and crowds[-1].touches(crowd):
            last = crowds.pop()
            crowd = _Crowd(last.start, at, (*last.severities, *crowd.severities))
        crowds.append(crowd)
    return drawn + [label(each.middle, y - 8, each.words, "small", "middle") for each in crowds]


class _Crowd(NamedTuple):
    """Neighbouring dots of a row that share a label."""

    start: float
    end: float
    severities: tuple[int, ...]

    @property
    def middle(self) -> float:
        return (self.start + self.end) / 2

    @property
    def words(self) -> str:
        """Label such as `2`, `1\u20133`, or `1,3` if one between them is missing."""
        low, high = min(self.severities), max(self.severities)
        without_gap = high - low == len(self.severities) - 1
        return f"{low}\u2013{high}" if without_gap and low < high else ",".join(map(str, sorted(self.severities)))

    def touches(self, right: "_Crowd") -> bool:
        return right.middle - self.middle < DIGIT * (len(self.words) + len(right.words)) / 2 + SPACE


def _target(size: ShiftSize, x: Scale, bottom: float) -> list[Markup]:
    words = f"target {number(distance(size.mmd2))}"
    line = svg.flag(x, distance(size.mmd2), 14, bottom, words, "observed")
    if size.interval is None:
        return line
    low, high = (x.at(distance(each)) for each in (size.interval.low, size.interval.high))
    return [tag("rect", x=low, y=20, width=high - low, height=bottom - 20, class_="range"), *line]


def _in_words(scale: ShiftYardstick, size: ShiftSize) -> str:
    ends = [] if size.interval is None else [distance(size.interval.low), distance(size.interval.high)]
    span = f", interval {number(ends[0])} to {number(ends[1])}" if ends else ""
    places = "; ".join(f"{name} {place_among(marks, size.mmd2)}" for name, marks in by_corruption(scale).items())
    far = "beyond" if size.mmd2 > scale.noise else "short of"
    return (
        f"Target at MMD {number(distance(size.mmd2))}{span}. {places}; {far} pure noise at "
        f"{number(distance(scale.noise))}; clean halves at {number(distance(scale.clean))}"
    )
