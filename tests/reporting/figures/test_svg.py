import xml.etree.ElementTree as ElementTree

import pytest

from graft.reporting.figures.svg import Scale, drawing, label, padded, tag, ticks


def test_text_and_attributes_are_escaped() -> None:
    element = ElementTree.fromstring(tag("text", "<b>&", aria_label='"<i>'))
    assert element.text == "<b>&"
    assert element.attrib == {"aria-label": '"<i>'}


def test_a_drawing_has_a_title_and_a_description() -> None:
    root = ElementTree.fromstring(drawing("Title", "Words", 90, label(1, 2, "x")))
    assert root.attrib["role"] == "img"
    assert [root.findtext(each) for each in ("title", "desc")] == ["Title", "Words"]
    assert root.attrib["viewBox"] == "0 0 360 90"


def test_a_scale_maps_its_ends_to_its_ends() -> None:
    scale = Scale(2, 4, 100, 0)
    assert [scale.at(each) for each in (2, 3, 4)] == [100, 50, 0]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 30, [0, 10, 20, 30]), (-0.021, 0.11, [0, 0.05, 0.1]), (0.71, 0.92, [0.75, 0.8, 0.85, 0.9])],
)
def test_ticks_are_round_and_inside(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high, 5) == expected


def test_a_single_value_gets_a_range_around_it() -> None:
    low, high = padded(1.0, 1.0)
    assert low < 1.0 < high
    low, high = padded(0.0, 0.0)
    assert low < 0.0 < high
