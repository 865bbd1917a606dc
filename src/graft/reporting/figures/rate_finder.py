"""Loss while the learning rate is raised step by step."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from graft.records.training import TrainingRecord
from graft.reporting.figures import svg
from graft.reporting.figures.svg import EDGE, WIDTH, Scale, drawing, label, segment, tag
from graft.reporting.formatting import number


def rate_finder(arms: Sequence[TrainingRecord]) -> Markup | None:
    """Draw the running mean of the loss by learning rate, a line per arm that ran the search, a ring at its result."""
    curves = {each.arm: each.rate_curve for each in arms if each.rate_curve is not None}
    if not curves:
        return None
    top, bottom, left = 12.0, 172.0, 44.0
    losses = [loss for curve in curves.values() for loss in curve.losses]
    tens = [math.log10(rate) for curve in curves.values() for rate in curve.rates]
    x = Scale(*svg.padded(min(tens), max(tens)), left, WIDTH - EDGE)
    y = Scale(*svg.padded(min(losses), max(losses)), bottom, top)
    marks = [segment(x.start, bottom, x.end, bottom, "axis")]
    for each in svg.ticks(y.low, y.high, 5):
        marks.append(segment(x.start, y.at(each), x.end, y.at(each), "grid"))
        marks.append(label(x.start - 6, y.at(each) + 4, number(each), "tick", "end"))
    marks += svg.decades(x, bottom)
    for arm, curve in curves.items():
        xs = [x.at(math.log10(rate)) for rate in curve.rates]
        ys = [y.at(loss) for loss in curve.losses]
        place = min(range(len(xs)), key=lambda k: abs(curve.rates[k] - curve.suggested))
        ring = tag("circle", cx=xs[place], cy=ys[place], r=7, class_="chosen")
        marks.append(tag("g", svg.path(xs, ys, "trials"), ring, class_=arm))
    marks.append(label((x.start + x.end) / 2, bottom + 32, "learning rate of the head", "tick", "middle"))
    described = "; ".join(f"{arm}: {number(curve.suggested)}" for arm, curve in curves.items())
    return drawing("Loss while the learning rate rises", f"Rate found, {described}", bottom + 38, *marks)
