"""Distance between source and target, compared with what chance gives."""

import numpy as np
from markupsafe import Markup

from graft.records.shift import ShiftTest
from graft.reporting.figures import svg
from graft.reporting.figures.svg import EDGE, WIDTH, Scale, drawing, label, tag
from graft.reporting.formatting import MINUS, number


def null_distribution(test: ShiftTest) -> Markup:
    """Draw the permuted statistic, the observed value, and the smallest significant value."""
    quantiles, found_from = np.array(test.null_mmd2), test.detectable_mmd2
    marked = [test.mmd2, *([] if found_from is None else [found_from])]
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
    flags = svg.flag(x, test.mmd2, 34, bottom, f"observed {number(test.mmd2)}", "observed")
    if found_from is not None:
        flags += svg.flag(x, found_from, 14, bottom, f"significant above {number(found_from)}", "reference")
    axis = svg.bottom_axis(x, bottom, lambda value: f"{value:g}".replace("-", MINUS))
    name = label(WIDTH / 2, bottom + 34, "squared MMD of the two domains", "tick", "middle")
    return drawing(
        "Distance of the two domains beside chance", _in_words(test), bottom + 42, *bars, *axis, *flags, name
    )


def _in_words(test: ShiftTest) -> str:
    limit = "never significant" if test.detectable_mmd2 is None else f"significant above {number(test.detectable_mmd2)}"
    return (
        f"Observed squared MMD {number(test.mmd2)}; under permutation {number(test.null_mmd2[0])} to "
        f"{number(test.null_mmd2[-1])}; {limit}; p = {number(test.p_value)}"
    )
