"""The distance between source and target beside what chance alone gives."""

import numpy as np
from markupsafe import Markup

from graft.records import ShiftRecord
from graft.reporting.figures import svg
from graft.reporting.figures.svg import EDGE, WIDTH, Scale, drawing, label, segment, tag
from graft.reporting.wording import MINUS, number


def null_distribution(shift: ShiftRecord) -> Markup:
    """The statistic under permutation, the observed value and the distance of two source classes.

    Raises:
        ValueError: the record holds no statistic.
    """
    if shift.mmd2 is None or not shift.null_mmd2:
        raise ValueError("null_distribution: want a shift record with a statistic, got none. Draw no figure for it.")
    quantiles = np.array(shift.null_mmd2)
    marked = [shift.mmd2, *([] if shift.class_mmd2 is None else [shift.class_mmd2])]
    low, high = svg.padded(min(quantiles[0], *marked, 0.0), max(quantiles[-1], *marked))
    x, bottom = Scale(low, high, EDGE, WIDTH - EDGE), 150.0
    edges = np.linspace(low, high, 85)
    mass = np.diff(np.interp(edges, quantiles, np.linspace(0, 1, len(quantiles))))
    y = Scale(0, float(mass.max()), bottom, 62)
    bars = [
        tag("rect", x=x.at(a), y=y.at(m), width=x.at(b) - x.at(a), height=bottom - y.at(m), class_="null")
        for a, b, m in zip(edges[:-1], edges[1:], mass, strict=True)
        if m > 0
    ]
    flags = [*_flag(x, shift.mmd2, 34, bottom, f"observed {number(shift.mmd2)}", "observed")]
    if shift.class_mmd2 is not None:
        flags += _flag(x, shift.class_mmd2, 14, bottom, f"two source classes {number(shift.class_mmd2)}", "reference")
    described = (
        f"Observed squared MMD {number(shift.mmd2)}; under permutation {number(quantiles[0])} to "
        f"{number(quantiles[-1])}; between two source classes {number(shift.class_mmd2)}; "
        f"p = {number(shift.p_value)}"
    )
    axis = svg.bottom_axis(x, bottom, lambda value: f"{value:g}".replace("-", MINUS))
    name = label(WIDTH / 2, bottom + 34, "squared MMD between source and target", "tick", "middle")
    return drawing("Distance of the target from the source", described, bottom + 42, *bars, *axis, *flags, name)


def _flag(x: Scale, value: float, y: float, bottom: float, words: str, class_: str) -> list[Markup]:
    """A vertical line with its words beside it, on the side where there is room."""
    left = x.at(value) > WIDTH / 2
    text = label(x.at(value) + (-6 if left else 6), y, words, f"label {class_}", "end" if left else "start")
    return [segment(x.at(value), y - 10, x.at(value), bottom, class_), text]
