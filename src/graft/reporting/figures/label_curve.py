"""Test scores by number of labels."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from graft.records.common import Interval
from graft.records.gain import GainRecord, LabelPoint
from graft.reporting.figures import svg
from graft.reporting.figures.svg import EDGE, WIDTH, Scale, drawing, label, segment, tag
from graft.reporting.formatting import brief, percent

TOP, BOTTOM, LEFT = 12.0, 192.0, 44.0
# Distance between the lines at one number of labels, so that their intervals do not cover one another.
APART = 5.0


class _Line(NamedTuple):
    words: str
    look: str
    """CSS class, and name of the field of a point"""
    offset: float


LINES = (
    _Line("transfer", "transfer", 0.0),
    _Line("from scratch", "scratch", APART),
    _Line("head on frozen features", "head", -APART),
)


def label_curve(gain: GainRecord) -> Markup | None:
    """Draw a line with intervals for transfer, scratch and a head on cached features, by share of the labels.

    A small network from scratch is a square, the most frequent class a horizontal line. None if there is only one
    share.
    """
    points, majority = gain.labels.points, gain.majority
    if len(points) < 2 or majority is None:
        return None
    x = Scale(math.log(points[0].share), 0.0, LEFT + 16, WIDTH - EDGE - 16)
    y = _heights(gain, majority)
    marks = [*_axes(points, x, y), *_majority(majority, y)]
    marks += [mark for line in LINES for mark in _drawn(line, points, x, y)]
    small = gain.small
    if small is not None:
        square = {"x": x.at(0.0) - 4, "y": y.at(small.score.estimate) - 4, "width": 8, "height": 8}
        marks.append(
            tag(
                "rect",
                tag("title", f"{small.network}: {percent(small.score.estimate)}"),
                **square,
                class_="small-network",
            )
        )
    return drawing("Test score by share of the labels", _described(gain, majority), BOTTOM + 38, *marks)


def _heights(gain: GainRecord, majority: float) -> Scale:
    ends = [
        end
        for point in gain.labels.points
        for found in (point.transfer, point.scratch, point.head)
        if found is not None
        for end in (found.low, found.high)
    ]
    ends += [majority] if gain.small is None else [majority, gain.small.score.estimate]
    return Scale(*svg.padded(min(ends), max(ends)), BOTTOM, TOP)


def _drawn(line: _Line, points: Sequence[LabelPoint], x: Scale, y: Scale) -> list[Markup]:
    found: list[tuple[float, Interval]] = [
        (x.at(math.log(each.share)) + line.offset, value)
        for each in points
        if (value := getattr(each, line.look)) is not None
    ]
    if not found:
        return []
    marks = [svg.path([at for at, _ in found], [y.at(each.estimate) for _, each in found], "labels")]
    for at, each in found:
        marks.append(segment(at, y.at(each.low), at, y.at(each.high), "interval thin"))
        marks.append(tag("circle", cx=at, cy=y.at(each.estimate), r=4, class_="estimate"))
    return [tag("g", *marks, class_=line.look)]


def _axes(points: Sequence[LabelPoint], x: Scale, y: Scale) -> list[Markup]:
    marks = [segment(LEFT, BOTTOM, WIDTH - EDGE, BOTTOM, "axis")]
    for each in svg.ticks(y.low, y.high, 5):
        marks.append(segment(LEFT, y.at(each), WIDTH - EDGE, y.at(each), "grid"))
        marks.append(label(LEFT - 6, y.at(each) + 4, brief(percent(each)), "tick", "end"))
    for point in points:
        at = x.at(math.log(point.share))
        marks.append(label(at, BOTTOM + 16, brief(percent(point.share)), "tick", "middle"))
    return [*marks, label((LEFT + WIDTH - EDGE) / 2, BOTTOM + 32, "share of the labels", "tick", "middle")]


def _majority(score: float, y: Scale) -> list[Markup]:
    return [segment(LEFT, y.at(score), WIDTH - EDGE, y.at(score), "reference")]


def _described(gain: GainRecord, majority: float) -> str:
    parts = []
    for point in gain.labels.points:
        scores = [
            f"{line.words} {percent(value.estimate)}"
            for line in LINES
            if (value := getattr(point, line.look)) is not None
        ]
        parts.append(f"{brief(percent(point.share))} of the labels: {', '.join(scores)}")
    small = [] if gain.small is None else [f"{gain.small.network} from scratch: {percent(gain.small.score.estimate)}"]
    return "; ".join([*parts, *small, f"always one class: {percent(majority)}"])
