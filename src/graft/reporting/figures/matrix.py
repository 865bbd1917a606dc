"""The confusion matrix."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from graft.reporting.figures.svg import WIDTH, drawing, label, tag
from graft.reporting.formatting import shortened

# Largest number of classes whose counts and names are legible in a matrix of this width.
LABELLED_CELLS = 14
# Width of a letter in units of the drawing.
LETTER = 7.2
WIDEST_CELL = 84


def confusion(counts: NDArray[np.int64], classes: Sequence[str]) -> Markup:
    """Draw counts of true class by predicted class. Depth of colour is the share of the true class.

    Args:
        counts: (c, c) images, true by predicted.
        classes: c names.
    """
    readable = len(classes) <= LABELLED_CELLS
    names = [shortened(each, 12) for each in classes]
    longest = LETTER * max(len(each) for each in names) if readable else 0
    left = 26 + longest
    side = min((WIDTH - left - 2) / len(classes), WIDEST_CELL)
    upright = longest > side
    top = left if upright else 34.0
    whole = side * len(classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cells = [
        _cell(
            (left + j * side, top + i * side, side),
            int(counts[i, j]),
            float(shares[i, j]),
            (classes[i], classes[j]),
        )
        for i, j in np.argwhere(counts > 0)
    ]
    frame = tag("rect", x=left, y=top, width=whole, height=whole, class_="frame")
    heads = _row_names(names, (left, top), side) + _column_names(names, (left, top), side, upright) if readable else []
    axes = [label(left, 10, "predicted \u2192", "tick"), label(0, top - 4, "true \u2193", "tick")]
    right = int(np.trace(counts))
    described = f"{right} of {int(counts.sum())} test images on the diagonal, which is right"
    marks = (frame, *cells, *heads, *axes)
    return drawing("Confusion matrix of the shipped model", described, top + whole + 2, *marks)


def _cell(place: tuple[float, float, float], count: int, share: float, names: tuple[str, str]) -> Markup:
    x, y, side = place
    right = names[0] == names[1]
    # between the two depths neither dark nor light text is legible
    strong = right and share > 0.75
    square = tag(
        "rect",
        x=x + 0.5,
        y=y + 0.5,
        width=side - 1,
        height=side - 1,
        fill_opacity=f"{0.64 + 0.36 * share if strong else 0.1 + 0.5 * share:.2f}",
        class_="right" if right else "wrong",
    )
    words = tag("title", f"true {names[0]}, predicted {names[1]}: {count}")
    if side < 18:
        return tag("g", words, square)
    look = "count strong" if strong else "count"
    return tag("g", words, square, label(x + side / 2, y + side / 2 + 4, str(count), look, "middle"))


def _row_names(names: Sequence[str], corner: tuple[float, float], side: float) -> list[Markup]:
    left, top = corner
    return [label(left - 6, top + (place + 0.5) * side + 4, name, "tick", "end") for place, name in enumerate(names)]


def _column_names(names: Sequence[str], corner: tuple[float, float], side: float, upright: bool) -> list[Markup]:
    """Names above the columns, rotated if they would overlap."""
    left, top = corner
    marks = []
    for place, name in enumerate(names):
        middle = left + (place + 0.5) * side
        if upright:
            turn = f"rotate(-90 {middle + 4:.1f} {top - 6:.1f})"
            marks.append(tag("text", name, x=middle + 4, y=top - 6, class_="tick", transform=turn))
        else:
            marks.append(label(middle, top - 6, name, "tick", "middle"))
    return marks
