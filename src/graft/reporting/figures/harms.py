"""Difference of recall of each class, with the loss that it could have hidden."""

from collections.abc import Sequence

from markupsafe import Markup

from graft.records.gain import ClassGain
from graft.reporting.figures import svg
from graft.reporting.figures.svg import EDGE, WIDTH, Scale, drawing, label, segment, tag
from graft.reporting.formatting import percent, points, shortened

ROW = 22
LONGEST_NAME = 20
# Width of a letter in units of the drawing.
LETTER = 7.2


def harms(scores: Sequence[ClassGain]) -> Markup | None:
    """Draw a row per class, the greatest gain on top: the difference with its interval, beside the least harm.

    The band left of 0 holds the losses too small for a class of this size to show. None if no class has an interval.
    """
    tested = [each for each in scores if each.difference is not None]
    if not tested:
        return None
    ranked = sorted(tested, key=lambda each: (each.scratch - each.transfer, each.name))
    ends = [end for each in ranked if each.difference for end in (each.difference.low, each.difference.high)]
    hidden = [-each.least_harm for each in ranked if each.least_harm is not None]
    low, high = svg.padded(min([*ends, *hidden, 0.0]), max([*ends, 0.0]))
    names = [shortened(each.name, LONGEST_NAME) for each in ranked]
    x = Scale(low, high, LETTER * max(map(len, names)) + 14, WIDTH - EDGE)
    bottom = ROW * len(ranked) + 6
    rows = [mark for place, each in enumerate(ranked) for mark in _row(each, ROW * (place + 0.5) + 2, x)]
    zero = segment(x.at(0), 0, x.at(0), bottom, "zero")
    described = "; ".join(_in_words(each) for each in ranked)
    axis = svg.bottom_axis(x, bottom, points)
    return drawing("Recall by class, transfer minus scratch", described, bottom + 22, *axis, zero, *rows)


def _row(score: ClassGain, y: float, x: Scale) -> list[Markup]:
    found = score.difference
    assert found is not None
    marks = [tag("title", _in_words(score))]
    if score.least_harm is not None:
        left = x.at(-score.least_harm)
        marks.append(tag("rect", x=left, y=y - 7, width=x.at(0) - left, height=14, class_="band"))
    marks.append(segment(x.at(found.low), y, x.at(found.high), y, "interval thin"))
    marks.append(tag("circle", cx=x.at(found.estimate), cy=y, r=4.5, class_="estimate"))
    name = label(x.start - 8, y + 4, shortened(score.name, LONGEST_NAME), "tick", "end")
    return [name, tag("g", *marks, class_="harmed" if score.worse else "transfer")]


def _in_words(score: ClassGain) -> str:
    found = score.difference
    assert found is not None
    said = f"{score.name}: {points(found.estimate)} points, {points(found.low)} to {points(found.high)}"
    hidden = "no loss would show" if score.least_harm is None else f"a loss of {percent(score.least_harm)} would show"
    return f"{said}, {hidden}{', worse' if score.worse else ''}"
