"""Estimates with their intervals, one row each."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from graft.records.common import Interval
from graft.reporting.figures import svg
from graft.reporting.figures.svg import EDGE, WIDTH, Scale, drawing, label, segment, tag
from graft.reporting.formatting import percent, points


class Line(NamedTuple):
    """A value that all rows are compared with."""

    words: str
    value: float


class Row(NamedTuple):
    """One row of a forest plot. All values are shares."""

    words: str
    look: str
    """CSS class of the row: transfer, scratch or second"""
    interval: Interval | None = None
    points: tuple[float, ...] = ()


def forest(
    title: str,
    rows: Sequence[Row],
    margin: float | None = None,
    line: Line | None = None,
    sides: tuple[str, str] = ("scratch better", "transfer better"),
) -> Markup:
    """Draw estimates with intervals and single points, one row each.

    Args:
        title: of the figure.
        rows: from top to bottom.
        margin: given for differences: 0 is marked, and the band within the margin around it.
        line: drawn upright through all rows.
        sides: what a difference below 0, and one above it, means.
    """
    values = [
        each for row in rows for each in (*row.points, *(row.interval.model_dump().values() if row.interval else ()))
    ]
    zero = [] if margin is None else [-margin, 0.0, margin]
    marked = zero if line is None else [*zero, line.value]
    low, high = svg.padded(min([*values, *marked]), max([*values, *marked]))
    x = Scale(low, high, EDGE, WIDTH - EDGE)
    bottom = 46 * len(rows) + 8
    body = [tag("g", *_forest_row(row, 46 * place + 8, x), class_=row.look) for place, row in enumerate(rows)]
    written = (lambda share: percent(share)) if margin is None else points
    told = [] if line is None else [f"{line.words}: {written(line.value)}"]
    described = "; ".join([*(_row_in_words(row, written) for row in rows), *told])
    through = [] if line is None else [segment(x.at(line.value), 0, x.at(line.value), bottom, "zero")]
    under = [] if margin is None else _zero_and_margin(x, margin, bottom, sides)
    height = bottom + (22 if margin is None else 40)
    return drawing(title, described, height, *under, *through, *svg.bottom_axis(x, bottom, written), *body)


def _forest_row(row: Row, top: float, x: Scale) -> list[Markup]:
    y = top + 27
    marks = [label(EDGE, top + 12, row.words)]
    below = 0 if row.interval is None else 11
    marks += [tag("circle", cx=x.at(each), cy=y + below, r=4, class_="seed") for each in row.points]
    if row.interval is not None:
        marks.append(segment(x.at(row.interval.low), y, x.at(row.interval.high), y, "interval"))
        marks += [segment(x.at(end), y - 5, x.at(end), y + 5, "cap") for end in (row.interval.low, row.interval.high)]
        marks.append(tag("circle", cx=x.at(row.interval.estimate), cy=y, r=6, class_="estimate"))
    return marks


def _row_in_words(row: Row, written: Callable[[float], str]) -> str:
    parts = [row.words]
    if row.interval is not None:
        ends = f"{written(row.interval.low)} to {written(row.interval.high)}"
        parts.append(f"{written(row.interval.estimate)}, interval {ends}")
    if row.points:
        parts.append(", ".join(written(each) for each in row.points))
    return ": ".join(parts)


def _zero_and_margin(x: Scale, margin: float, bottom: float, words: tuple[str, str]) -> list[Markup]:
    band = tag("rect", x=x.at(-margin), y=0, width=x.at(margin) - x.at(-margin), height=bottom, class_="band")
    line = segment(x.at(0), 0, x.at(0), bottom, "zero")
    sides = (
        label(EDGE, bottom + 34, f"\u2190 {words[0]}", "tick"),
        label(WIDTH - EDGE, bottom + 34, f"{words[1]} \u2192", "tick", "end"),
    )
    return [band, line, *sides]
