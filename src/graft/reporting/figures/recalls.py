"""Recall of each class in both arms."""

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


def recalls(scores: Sequence[ClassGain]) -> Markup:
    """Draw a row per class, the greatest gain on top: a ring for scratch, a dot for transfer, a line between them."""
    ranked = sorted(scores, key=lambda each: (each.scratch - each.transfer, each.name))
    values = [value for each in ranked for value in (each.transfer, each.scratch)]
    low, high = svg.padded(min(values), max(values))
    names = [shortened(each.name, LONGEST_NAME) for each in ranked]
    x = Scale(low, high, LETTER * max(len(each) for each in names) + 14, WIDTH - EDGE)
    bottom = ROW * len(ranked) + 6
    rows = [mark for place, each in enumerate(ranked) for mark in _row(each, ROW * (place + 0.5) + 2, x)]
    described = "; ".join(f"{each.name} {points(each.transfer - each.scratch)} points" for each in ranked)
    axis = svg.bottom_axis(x, bottom, percent)
    return drawing("Recall by class, transfer and scratch", described, bottom + 22, *axis, *rows)


def _row(score: ClassGain, y: float, x: Scale) -> list[Markup]:
    ends = (x.at(score.scratch), x.at(score.transfer))
    words = f"{score.name}: transfer {percent(score.transfer)}, scratch {percent(score.scratch)}"
    return [
        segment(x.start, y, x.end, y, "grid"),
        label(x.start - 8, y + 4, shortened(score.name, LONGEST_NAME), "tick", "end"),
        tag(
            "g",
            tag("title", words),
            segment(ends[0], y, ends[1], y, "gain" if score.transfer >= score.scratch else "gain loss"),
            tag("circle", cx=ends[0], cy=y, r=4, class_="before"),
            tag("circle", cx=ends[1], cy=y, r=5, class_="estimate"),
        ),
    ]
