"""Building blocks of SVG for a page with two themes: shapes have CSS classes, never colours.

Figures are drawn 360 units wide, as wide as a phone shows them, so that their labels stay legible.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from markupsafe import Markup

from graft.files import visible
from graft.reporting.formatting import brief, shown

WIDTH = 360
EDGE = 12


class Scale(NamedTuple):
    """A linear map from data to units of the drawing."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Position of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def tag(name: str, *content: str, **attributes: str | float) -> Markup:
    """An element. Text and attributes are escaped; `class_` becomes `class`, and `a_b` becomes `a-b`."""
    pairs = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _short(value)) for key, value in attributes.items()
    )
    return Markup("<{}{}>{}</{}>").format(name, pairs, Markup("").join(map(shown, content)), name)


def _short(value: str | float) -> str:
    return visible(value) if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


def drawing(title: str, description: str, height: float, *content: str) -> Markup:
    """A figure with a title, and a description for screen readers."""
    words = (tag("title", title), tag("desc", description))
    box = f"0 0 {WIDTH} {height:g}"
    return tag("svg", *words, *content, viewBox=box, role="img", aria_label=f"{title}. {description}")


def label(x: float, y: float, words: str, class_: str = "label", anchor: str = "start") -> Markup:
    """Text whose baseline starts, ends or is centred at a point."""
    return tag("text", words, x=x, y=y, class_=class_, text_anchor=anchor)


def segment(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def path(xs: list[float], ys: list[float], class_: str) -> Markup:
    """A polyline through points."""
    return tag("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True)), class_=class_)


def ticks(low: float, high: float, at_most: int) -> list[float]:
    """Round numbers in [low, high], in steps of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / at_most
    # the smallest of 1, 2, 5 and 10 times a power of ten that gives few enough ticks
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def padded(low: float, high: float, share: float = 0.06) -> tuple[float, float]:
    """A range with padding at both ends. A single value gets a range around it."""
    room = (high - low) * share or max(abs(low) * share, 1e-3)
    return low - room, high + room


def bottom_axis(x: Scale, y: float, written: Callable[[float], str]) -> list[Markup]:
    """A horizontal axis with its tick labels."""
    marks = [segment(x.start, y, x.end, y, "axis")]
    for each in ticks(x.low, x.high, 5):
        marks.append(segment(x.at(each), y, x.at(each), y + 4, "axis"))
        anchor = "start" if x.at(each) < EDGE + 14 else "end" if x.at(each) > WIDTH - EDGE - 14 else "middle"
        marks.append(label(x.at(each), y + 16, brief(written(each)), "tick", anchor))
    return marks


def decades(x: Scale, y: float) -> list[Markup]:
    """Tick labels at powers of ten, along a horizontal axis with the scale of log10."""
    marks = []
    for power in range(math.ceil(x.low), math.floor(x.high) + 1):
        marks.append(segment(x.at(power), y, x.at(power), y + 4, "axis"))
        marks.append(label(x.at(power), y + 16, f"{10.0**power:g}", "tick", "middle"))
    return marks


def flag(x: Scale, value: float, y: float, bottom: float, words: str, class_: str) -> list[Markup]:
    """A vertical line with a label at height y, on the side with more room."""
    left = x.at(value) > (x.start + x.end) / 2
    text = label(x.at(value) + (-6 if left else 6), y, words, f"label {class_}", "end" if left else "start")
    return [segment(x.at(value), y - 10, x.at(value), bottom, class_), text]
