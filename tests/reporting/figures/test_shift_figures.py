import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest
from markupsafe import Markup

from graft.records.shift import BlockProfile, ShiftRecord, ShiftSize, ShiftTest, ShiftYardstick, YardstickMark
from graft.reporting.figures.null import null_distribution
from graft.reporting.figures.profile import LETTER, block_profile
from graft.reporting.figures.scatter import HIGHEST, MOST_POINTS, SHAPES, scatter
from graft.reporting.figures.svg import WIDTH
from graft.reporting.figures.yardstick import DIGIT, by_corruption, place_among, yardstick
from graft.store.features import MapPoint


@pytest.fixture
def tested(shift: ShiftRecord) -> ShiftTest:
    assert shift.test is not None
    return shift.test


@pytest.fixture
def size(shift: ShiftRecord) -> ShiftSize:
    assert shift.size is not None
    return shift.size


@pytest.fixture
def scale(shift: ShiftRecord) -> ShiftYardstick:
    assert shift.yardstick is not None
    return shift.yardstick


@pytest.fixture
def profile(shift: ShiftRecord) -> BlockProfile:
    assert shift.profile is not None
    return shift.profile


def _all(figure: Markup, name: str, class_: str) -> list[ElementTree.Element]:
    return [each for each in ElementTree.fromstring(figure).iter(name) if each.get("class") == class_]


def _xs(figure: Markup, name: str, class_: str, key: str) -> list[float]:
    return [float(each.attrib[key]) for each in _all(figure, name, class_)]


def _desc(figure: Markup) -> str:
    return ElementTree.fromstring(figure).findtext("desc") or ""


def test_the_null_distribution_marks_what_was_observed_and_what_is_significant(tested: ShiftTest) -> None:
    figure = null_distribution(tested)
    (observed,), (limit,) = (_xs(figure, "line", look, "x1") for look in ("observed", "reference"))
    left = _xs(figure, "rect", "null", "x")
    assert min(left) < limit < max(left) < observed
    assert "Observed squared MMD 0.0807" in _desc(figure)
    assert "significant above 0.0064" in _desc(figure)


def test_if_nothing_can_be_significant_no_limit_is_drawn(tested: ShiftTest) -> None:
    figure = null_distribution(tested.model_copy(update={"detectable_mmd2": None}))
    assert _all(figure, "line", "reference") == []
    assert "never significant" in _desc(figure)


def test_the_heights_of_the_null_are_in_proportion_to_its_mass(tested: ShiftTest) -> None:
    flat = {"null_mmd2": tuple(np.linspace(-0.5, 0.5, 101).tolist()), "mmd2": 0.0, "detectable_mmd2": None}
    figure = null_distribution(tested.model_copy(update=flat))
    inner = _xs(figure, "rect", "null", "height")[1:-1]
    assert max(inner) - min(inner) < 1
    covered = sum(_xs(figure, "rect", "null", "width"))
    assert covered == pytest.approx(336 / 1.12, abs=9)  # 6 % of room at both ends, two bins cut


def test_marks_of_the_yardstick_are_at_the_root_of_the_squared_distance(scale: ShiftYardstick, size: ShiftSize) -> None:
    figure = yardstick(scale, size)
    clean, noise = _xs(figure, "circle", "end", "cx")  # the clean halves are below 0, which is drawn at 0
    (target,) = _xs(figure, "line", "observed", "x1")
    unit = (noise - clean) / np.sqrt(scale.noise)
    assert target == pytest.approx(clean + unit * np.sqrt(size.mmd2), abs=0.2)
    drawn = sorted(_xs(figure, "circle", "mark", "cx"))
    np.testing.assert_allclose(drawn, sorted(clean + unit * np.sqrt(each.mmd2) for each in scale.marks), atol=0.2)


def test_a_corruption_is_a_row_of_the_yardstick(scale: ShiftYardstick, size: ShiftSize) -> None:
    heights = [each.attrib["cy"] for each in _all(yardstick(scale, size), "circle", "mark")]
    assert sorted(heights.count(each) for each in set(heights)) == [5] * 5


def test_the_band_of_the_yardstick_is_the_interval_of_the_target(scale: ShiftYardstick, size: ShiftSize) -> None:
    figure = yardstick(scale, size)
    clean, noise = _xs(figure, "circle", "end", "cx")
    unit = (noise - clean) / np.sqrt(scale.noise)
    (left,), (width,) = _xs(figure, "rect", "range", "x"), _xs(figure, "rect", "range", "width")
    expected = [clean + unit * np.sqrt(each) for each in (0.0551, 0.0673)]
    assert (left, left + width) == pytest.approx(expected, abs=0.2)
    without = yardstick(scale, size.model_copy(update={"interval": None}))
    assert _all(without, "rect", "range") == []
    assert "interval" not in _desc(without)


def _numbers(scale: ShiftYardstick, size: ShiftSize, mmds: Sequence[float]) -> list[str]:
    """Labels above the dots of one corruption, from left to right."""
    marks = tuple(YardstickMark(corruption="blur", severity=place + 1, mmd2=mmd**2) for place, mmd in enumerate(mmds))
    figure = yardstick(scale.model_copy(update={"marks": marks}), size)
    written = sorted(_all(figure, "text", "small"), key=lambda each: float(each.attrib["x"]))
    ends = [(float(each.attrib["x"]), DIGIT * len(each.text or "") / 2) for each in written]
    assert all(right - left > half + other for (left, half), (right, other) in pairwise(ends))
    return [each.text or "" for each in written]


@pytest.mark.parametrize(
    ("mmds", "numbers"),
    [
        ((0.1, 0.2, 0.3, 0.4, 0.5), ["1", "2", "3", "4", "5"]),
        ((0.1, 0.11, 0.12, 0.3, 0.31), ["1–3", "4–5"]),
        ((0.0, 0.0, 0.0, 0.0, 0.0), ["1–5"]),
        ((0.68, 0.79, 0.865, 0.903, 0.911), ["1", "2", "3–5"]),
        ((0.1, 0.3, 0.11, 0.31, 0.5), ["1,3", "2,4", "5"]),
    ],
)
def test_crowded_dots_share_a_number(
    scale: ShiftYardstick, size: ShiftSize, mmds: Sequence[float], numbers: list[str]
) -> None:
    assert _numbers(scale, size, mmds) == numbers


def test_the_yardstick_says_the_place_in_words(scale: ShiftYardstick, size: ShiftSize) -> None:
    root = ElementTree.fromstring(yardstick(scale, size))
    assert root.findtext("title") == "Place of the target among corruptions: between blur 2 and noise 3"
    words = _desc(yardstick(scale, size))
    assert words.startswith("Target at MMD 0.247, interval 0.235 to 0.259. blur between severities 3 and 4; ")
    assert "JPEG beyond severity 5" in words
    assert "short of pure noise at 0.843" in words


def test_a_yardstick_on_which_nothing_moves_can_be_drawn(scale: ShiftYardstick, size: ShiftSize) -> None:
    still = tuple(each.model_copy(update={"mmd2": -0.001}) for each in scale.marks)
    figure = yardstick(
        scale.model_copy(update={"marks": still, "noise": -0.001}),
        size.model_copy(update={"mmd2": -0.002, "interval": None}),
    )
    assert len(set(_xs(figure, "circle", "mark", "cx"))) == 1
    assert "blur below severity 1" in _desc(figure)


@pytest.mark.parametrize(
    ("mmd2", "words"),
    [
        (-0.01, "below severity 1"),
        (0.01, "below severity 1"),
        (0.03, "between severities 1 and 2"),
        (0.045, "between severities 2 and 3"),  # severity 4, nearer than 3, does not put it any farther
        (0.07, "beyond severity 4"),
    ],
)
def test_a_place_among_marks_ends_at_the_first_that_is_farther(mmd2: float, words: str) -> None:
    marks = [
        YardstickMark(corruption="blur", severity=place + 1, mmd2=each)
        for place, each in enumerate((0.02, 0.04, 0.06, 0.03))
    ]
    assert place_among(marks, mmd2) == words


def test_marks_are_sorted_by_severity_and_corruptions_keep_their_order(scale: ShiftYardstick) -> None:
    shuffled = scale.model_copy(update={"marks": scale.marks[::-1]})
    assert list(by_corruption(shuffled)) == ["pixelate", "JPEG", "contrast", "noise", "blur"]
    assert [each.severity for each in by_corruption(shuffled)["blur"]] == [1, 2, 3, 4, 5]


def test_blocks_are_drawn_from_input_to_output_with_their_intervals(profile: BlockProfile) -> None:
    figure = block_profile(profile)
    dots, lows, highs = (
        _xs(figure, *each)
        for each in (("circle", "estimate", "cx"), ("line", "interval", "x1"), ("line", "interval", "x2"))
    )
    (zero,) = _xs(figure, "line", "zero", "x1")
    assert dots[-1] > zero > LETTER * len("block1")
    unit = (dots[0] - zero) / profile.blocks[0].shift.estimate
    for place, each in enumerate(profile.blocks):
        expected = [zero + unit * value for value in (each.shift.low, each.shift.estimate, each.shift.high)]
        assert (lows[place], dots[place], highs[place]) == pytest.approx(expected, abs=0.2)
    heights = _xs(figure, "circle", "estimate", "cy")
    assert heights == sorted(heights)


@pytest.mark.parametrize(("measure", "unit"), [("mmd2", "squared MMD"), ("divergence", "nats")])
def test_a_profile_names_its_unit(profile: BlockProfile, measure: str, unit: str) -> None:
    figure = block_profile(profile.model_copy(update={"measure": measure}))
    assert any(unit in (each.text or "") for each in _all(figure, "text", "tick"))
    assert unit in (ElementTree.fromstring(figure).findtext("title") or "")


def test_a_profile_of_one_block_can_be_drawn(profile: BlockProfile) -> None:
    alone = profile.model_copy(update={"blocks": profile.blocks[:1]})
    assert len(_all(block_profile(alone), "circle", "estimate")) == 1


def _places(figure: Markup, side: str) -> list[tuple[float, float]]:
    """Start points of the marks of a domain, without that of the legend."""
    drawn = max((each.attrib["d"] for each in _all(figure, "path", side)), key=len)
    starts = re.findall(r"M([\d.]+) ([\d.]+)(?=" + re.escape(SHAPES[side]) + ")", drawn)
    return [(float(x), float(y)) for x, y in starts]


def _square(side: str, corners: Sequence[tuple[float, float]]) -> list[MapPoint]:
    return [MapPoint("", "source" if side == "source" else "target", "", x, y) for x, y in corners]


def test_every_image_is_a_mark_with_the_shape_of_its_domain(samples: ModuleType) -> None:
    figure = scatter(samples.sample_map(), (0.342, 0.117), "source")
    assert [len(_places(figure, side)) for side in ("source", "target")] == [300, 100]
    assert SHAPES["source"] != SHAPES["target"]
    assert _desc(figure) == "Rings: source, 300 images. Triangles: target, 100 images"


def test_axes_of_the_map_name_their_share_of_the_variance(samples: ModuleType) -> None:
    words = [each.text or "" for each in _all(scatter(samples.sample_map(), (0.342, 0.117), "bank"), "text", "tick")]
    assert any("first principal component (34% of the variance)" in each for each in words)
    assert any("second principal component (12% of the variance)" in each for each in words)


@pytest.mark.parametrize(("wide", "tall"), [(1.0, 1.0), (1.0, 40.0), (40.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_both_axes_of_the_map_have_the_same_scale_and_hold_all_marks(wide: float, tall: float) -> None:
    corners = [(0.0, 0.0), (wide, 0.0), (0.0, tall), (wide, tall)]
    figure = scatter(_square("source", corners) + _square("target", corners[:1]), (0.5, 0.5), "source")
    first, across, up, _ = _places(figure, "source")
    assert (across[0] - first[0]) * tall == pytest.approx((first[1] - up[1]) * wide, abs=0.2 * max(wide, tall))
    (frame,) = _all(figure, "rect", "frame")
    x, y, width, height = (float(frame.attrib[key]) for key in ("x", "y", "width", "height"))
    assert all(x < a < x + width and y < b < y + height for a, b in _places(figure, "source"))
    assert x + width <= WIDTH
    assert height <= HIGHEST


def test_the_domain_with_fewer_images_is_drawn_on_top(samples: ModuleType) -> None:
    points = samples.sample_map()
    swapped = [each._replace(side="target" if each.side == "source" else "source") for each in points]
    for shown, top in ((points, "target"), (swapped, "source")):
        paths = list(ElementTree.fromstring(scatter(shown, (0.3, 0.1), "source")).iter("path"))
        assert paths[-1].attrib["class"] == top


def test_a_large_map_stays_small() -> None:
    random = np.random.default_rng(0)
    points = [
        MapPoint("", side, "", x, y) for side in ("source", "target") for x, y in random.normal(size=(2001, 2)).tolist()
    ]
    figure = scatter(points, (0.3, 0.2), "source")
    assert all(MOST_POINTS / 2 < len(_places(figure, side)) <= MOST_POINTS for side in ("source", "target"))
    assert len(figure.encode()) < 40_000


def test_figures_of_the_shift_name_no_colour(
    tested: ShiftTest, size: ShiftSize, scale: ShiftYardstick, profile: BlockProfile, samples: ModuleType
) -> None:
    drawn = (null_distribution(tested), yardstick(scale, size), block_profile(profile))
    figure = Markup("").join((*drawn, scatter(samples.sample_map(), (0.3, 0.1), "source")))
    assert re.search(r'(fill|stroke|color)="', figure) is None
