"""Where in the network the target differs."""

from markupsafe import Markup

from graft.records.shift import BlockProfile, BlockShift
from graft.reporting.figures import svg
from graft.reporting.figures.svg import EDGE, WIDTH, Scale, drawing, label, segment, tag
from graft.reporting.formatting import number, shortened

ROW = 21
LONGEST_NAME = 18
# Width of a letter in units of the drawing.
LETTER = 7.2
UNITS = {"mmd2": "squared MMD of the channels' means", "divergence": "divergence of a channel, in nats"}


def block_profile(profile: BlockProfile) -> Markup:
    """Draw a row per block, the input on top, each with a dot and its interval."""
    shifts = [each.shift for each in profile.blocks]
    low, high = svg.padded(min(0.0, *(each.low for each in shifts)), max(0.0, *(each.high for each in shifts)))
    names = [shortened(each.block, LONGEST_NAME) for each in profile.blocks]
    x = Scale(low, high, LETTER * max(len(each) for each in names) + 14, WIDTH - EDGE)
    bottom = ROW * len(names) + 6
    rows = [mark for place, each in enumerate(profile.blocks) for mark in _row(each, ROW * (place + 0.5) + 2, x)]
    zero = segment(x.at(0), 0, x.at(0), bottom, "zero")
    unit = UNITS[profile.measure]
    described = "; ".join(
        f"{each.block} {number(each.shift.estimate)}, interval {number(each.shift.low)} to {number(each.shift.high)}"
        for each in profile.blocks
    )
    axis = svg.bottom_axis(x, bottom, number)
    name = label((x.start + x.end) / 2, bottom + 34, unit, "tick", "middle")
    title = f"Distance by block of the network, from input to output: {unit}"
    return drawing(title, described, bottom + 42, *axis, zero, name, *rows)


def _row(block: BlockShift, y: float, x: Scale) -> list[Markup]:
    words = f"{block.block}, {block.n_channels} channels: {number(block.shift.estimate)}"
    return [
        segment(x.start, y, x.end, y, "grid"),
        label(x.start - 8, y + 4, shortened(block.block, LONGEST_NAME), "tick", "end"),
        segment(x.at(block.shift.low), y, x.at(block.shift.high), y, "interval"),
        tag("circle", tag("title", words), cx=x.at(block.shift.estimate), cy=y, r=4, class_="estimate"),
    ]
