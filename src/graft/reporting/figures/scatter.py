"""The map of both domains."""

from collections.abc import Sequence

from markupsafe import Markup

from graft.reporting.figures.svg import EDGE, WIDTH, Scale, drawing, label, padded, tag
from graft.store.features import MapPoint

# Largest number of points drawn for each domain, so that the page stays small.
MOST_POINTS = 400
# Limits of the height of the field, in units of the drawing.
LOWEST, HIGHEST = 202.0, 260.0
TOP = 52.0
# Path of a ring and of a triangle around a point. Domains differ by shape, not by colour alone, in a few bytes a point.
SHAPES = {"source": "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0", "target": "m0-4l3.5 6.5h-7z"}


def scatter(points: Sequence[MapPoint], shares: tuple[float, float], source: str) -> Markup:
    """Draw a ring per source image and a triangle per target image, with the same scale on both axes.

    Args:
        points: of both sides.
        shares: of the variance along the two axes.
        source: what the other side is called.
    """
    sides = {side: _thinned([each for each in points if each.side == side]) for side in SHAPES}
    x, y = _scales([each for side in sides.values() for each in side])
    frame = tag("rect", x=x.start, y=y.end, width=x.end - x.start, height=y.start - y.end, class_="frame")
    # the domain with fewer images is drawn last, so that the other does not cover it
    marks = [_marks(side, sides[side], x, y) for side in sorted(sides, key=lambda each: -len(sides[each]))]
    first, second = (f"principal component ({share:.0%} of the variance)" for share in shares)
    axes = (
        label(x.start, y.end - 8, f"second {second} \u2191", "tick"),
        label(x.end, y.start + 18, f"first {first} \u2192", "tick", "end"),
    )
    words = {"source": f"{source}, {len(sides['source'])} images", "target": f"target, {len(sides['target'])} images"}
    described = f"Rings: {words['source']}. Triangles: {words['target']}"
    legend = [
        mark for side, left in (("source", EDGE), ("target", WIDTH / 2)) for mark in _key(side, left, words[side])
    ]
    return drawing("Map of both domains", described, y.start + 24, frame, *legend, *marks, *axes)


def _thinned(points: Sequence[MapPoint]) -> Sequence[MapPoint]:
    return points[:: -(-len(points) // MOST_POINTS) or 1]


def _scales(points: Sequence[MapPoint]) -> tuple[Scale, Scale]:
    """Scales of both axes with equal units. A field that would be too low or too high is padded."""
    wide = padded(min(each.x for each in points), max(each.x for each in points), 0.04)
    tall = padded(min(each.y for each in points), max(each.y for each in points), 0.04)
    across = WIDTH - 2 * EDGE
    unit = min(across / (wide[1] - wide[0]), HIGHEST / (tall[1] - tall[0]))
    height = max(unit * (tall[1] - tall[0]), LOWEST)
    x = Scale(*_around(wide, across / unit), EDGE, WIDTH - EDGE)
    return x, Scale(*_around(tall, height / unit), TOP + height, TOP)


def _around(ends: tuple[float, float], length: float) -> tuple[float, float]:
    middle = sum(ends) / 2
    return middle - length / 2, middle + length / 2


def _marks(side: str, points: Sequence[MapPoint], x: Scale, y: Scale) -> Markup:
    places = ((x.at(each.x), y.at(each.y)) for each in points)
    return tag("path", d="".join(f"M{across:.1f} {down:.1f}{SHAPES[side]}" for across, down in places), class_=side)


def _key(side: str, left: float, words: str) -> tuple[Markup, Markup]:
    return tag("path", d=f"M{left + 4:g} 14{SHAPES[side]}", class_=side), label(left + 14, 18, words)
