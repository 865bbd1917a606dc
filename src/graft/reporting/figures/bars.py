"""Horizontal bars."""

from markupsafe import Markup

from graft.reporting.figures.svg import WIDTH, Scale, drawing, label, tag
from graft.reporting.formatting import number, plain


def bars(title: str, values: dict[str, float], chosen: str) -> Markup:
    """One horizontal bar per name, the chosen one in the accent colour."""
    x = Scale(0, max([*values.values(), 1e-9]), 122, WIDTH - 44)
    marks = []
    for place, (name, value) in enumerate(sorted(values.items(), key=lambda each: -each[1])):
        y = 26 * place + 6
        look = "transfer" if name == chosen else "scratch"
        marks.append(label(116, y + 13, plain(name), "label", "end"))
        marks.append(tag("rect", x=x.start, y=y, width=max(x.at(value) - x.start, 1), height=18, class_=f"bar {look}"))
        marks.append(label(max(x.at(value), x.start) + 6, y + 13, number(value), "tick"))
    described = "; ".join(f"{plain(name)} {number(value)}" for name, value in values.items())
    return drawing(title, described, 26 * len(values) + 6, *marks)
