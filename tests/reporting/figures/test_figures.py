import re
import xml.etree.ElementTree as ElementTree
from types import ModuleType

import numpy as np
import pytest
from markupsafe import Markup

from graft.records.common import Interval
from graft.records.gain import ClassGain
from graft.reporting.evidence import Evidence
from graft.reporting.figures.bars import bars
from graft.reporting.figures.curves import curves
from graft.reporting.figures.forest import Line, Row, forest
from graft.reporting.figures.matrix import confusion
from graft.reporting.figures.rate_finder import rate_finder
from graft.reporting.figures.rates import rates
from graft.reporting.figures.recalls import recalls


def _all(figure: Markup, name: str, class_: str) -> list[ElementTree.Element]:
    return [each for each in ElementTree.fromstring(figure).iter(name) if each.get("class") == class_]


def _xs(figure: Markup, name: str, class_: str, key: str) -> list[float]:
    return [float(each.attrib[key]) for each in _all(figure, name, class_)]


def test_a_forest_plot_places_interval_estimate_zero_and_margin_on_one_scale() -> None:
    row = Row("difference", "transfer", Interval(estimate=0.06, low=0.02, high=0.1))
    figure = forest("t", [row], margin=0.01)
    (zero,), (estimate,) = _xs(figure, "line", "zero", "x1"), _xs(figure, "circle", "estimate", "cx")
    (low,), (high,) = _xs(figure, "line", "interval", "x1"), _xs(figure, "line", "interval", "x2")
    (left,), (width,) = _xs(figure, "rect", "band", "x"), _xs(figure, "rect", "band", "width")
    unit = (estimate - zero) / 6
    assert (low - zero, high - zero) == pytest.approx((2 * unit, 10 * unit), abs=0.3)
    assert (left, width) == pytest.approx((zero - unit, 2 * unit), abs=0.3)


def test_a_forest_plot_draws_the_line_of_comparison_within_its_axis() -> None:
    row = Row("arm", "transfer", Interval(estimate=0.8, low=0.7, high=0.9))
    figure = forest("t", [row], line=Line("Always ant", 0.1))
    assert "arm: 80.0%, interval 70.0% to 90.0%; Always ant: 10.0%" in figure
    (line,), (low,) = _xs(figure, "line", "zero", "x1"), _xs(figure, "line", "interval", "x1")
    (estimate,) = _xs(figure, "circle", "estimate", "cx")
    assert 0 < line < low
    assert (estimate - line) / (estimate - low) == pytest.approx(7, abs=0.05)


def test_a_forest_plot_of_accuracies_marks_no_zero() -> None:
    figure = forest("t", [Row("arm", "scratch", points=(0.7, 0.8))])
    assert _all(figure, "line", "zero") == []
    assert len(_all(figure, "circle", "seed")) == 2


def test_rates_are_on_a_logarithmic_axis_and_those_that_seeds_chose_have_rings(evidence: Evidence) -> None:
    figure = rates((evidence.transfer, evidence.scratch))
    xs = sorted({*_xs(figure, "circle", "best", "cx")})
    assert (xs[1] - xs[0]) / (xs[2] - xs[1]) == pytest.approx(np.log(3) / np.log(10 / 3), rel=0.02)
    assert _xs(figure, "circle", "chosen", "cx") == [xs[1], xs[2]] * 2
    assert len(_all(figure, "polyline", "trials")) == 2


def test_a_rate_that_more_seeds_chose_has_a_larger_ring_and_their_number(evidence: Evidence) -> None:
    figure = rates((evidence.transfer,))
    fewer, more = _xs(figure, "circle", "chosen", "r")
    assert fewer < more
    assert (
        "0.001 70.0% (chosen by seeds: 0), 0.003 73.0% (chosen by seeds: 2), 0.01 76.0% (chosen by seeds: 3)" in figure
    )


def test_an_arm_without_a_learning_rate_has_no_line(samples: ModuleType) -> None:
    frozen = samples.sample_evidence(curve=False)
    assert len(_all(rates((frozen.transfer, frozen.scratch)), "polyline", "trials")) == 1


def class_gain(name: str, transfer: float, scratch: float) -> ClassGain:
    nothing = dict.fromkeys(("difference", "p_holm", "least_harm"))
    values = {"name": name, "transfer": transfer, "scratch": scratch, "n_images": 9, "n_seeds_worse": 0, "worse": False}
    return ClassGain.model_validate(values | nothing)


def test_recalls_rank_classes_by_gain_and_place_both_arms_on_one_scale() -> None:
    recall = {"a": (0.5, 0.7), "b": (0.9, 0.5)}
    scores = [class_gain(name, a, b) for name, (a, b) in recall.items()]
    figure = recalls(scores)
    after, before = _xs(figure, "circle", "estimate", "cx"), _xs(figure, "circle", "before", "cx")
    assert (after[0] - before[0]) / (after[1] - before[1]) == pytest.approx(-2, rel=0.02)
    assert before[0] == after[1]
    assert len(_all(figure, "line", "gain loss")) == 1


def test_curves_draw_every_seed_and_the_mean_of_each_arm(evidence: Evidence) -> None:
    figure = curves("t", (evidence.transfer, evidence.scratch), "val_accuracy")
    assert len(_all(figure, "polyline", "run")) == 10
    assert len(_all(figure, "polyline", "mean")) == 2
    assert len(_all(figure, "circle", "best")) == 10


def test_the_mean_lies_at_the_mean_of_the_seeds(evidence: Evidence) -> None:
    figure = curves("t", (evidence.transfer,), "val_loss")
    heights = [
        [float(point.split(",")[1]) for point in each.attrib["points"].split()]
        for look in ("run", "mean")
        for each in _all(figure, "polyline", look)
    ]
    np.testing.assert_allclose(np.mean(heights[:-1], axis=0), heights[-1], atol=0.11)


def test_the_mean_of_unequal_curves_ends_with_the_shortest(evidence: Evidence) -> None:
    first, *others = evidence.transfer.runs
    short = first.model_copy(update={"curve": first.curve[:5], "best_epoch": 4})
    arm = evidence.transfer.model_copy(update={"runs": (short, *others)})
    (mean,) = _all(curves("t", (arm,), "val_loss"), "polyline", "mean")
    assert len(mean.attrib["points"].split()) == 5


@pytest.mark.parametrize("n_points", [0, 1])
def test_a_head_fitted_in_closed_form_is_a_horizontal_line(evidence: Evidence, n_points: int) -> None:
    runs = tuple(
        each.model_copy(update={"curve": each.curve[:n_points], "best_epoch": 0}) for each in evidence.transfer.runs
    )
    arm = evidence.transfer.model_copy(update={"runs": runs})
    (mean,) = _all(curves("t", (arm,), "val_accuracy"), "polyline", "mean")
    start, end = (point.split(",") for point in mean.attrib["points"].split())
    assert start[1] == end[1]
    assert float(start[0]) < float(end[0])


def test_the_confusion_matrix_writes_every_count_that_is_not_zero() -> None:
    figure = confusion(np.array([[8, 1], [0, 5]]), ("ants", "bees"))
    words = [each.text for each in ElementTree.fromstring(figure).iter("title")]
    assert words[1:] == [
        "true ants, predicted ants: 8",
        "true ants, predicted bees: 1",
        "true bees, predicted bees: 5",
    ]
    assert len(_all(figure, "rect", "wrong")) == 1


@pytest.mark.parametrize(("n_classes", "name"), [(2, "x"), (10, "a long class name"), (14, "ab"), (40, "n")])
def test_no_cell_of_the_matrix_leaves_the_drawing(n_classes: int, name: str) -> None:
    figure = confusion(np.ones((n_classes, n_classes), dtype=np.int64), [f"{name}{i}" for i in range(n_classes)])
    width, height = (float(each) for each in ElementTree.fromstring(figure).attrib["viewBox"].split()[2:])
    for each in ElementTree.fromstring(figure).iter("rect"):
        x, y, w, h = (float(each.attrib[key]) for key in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height


def test_bars_are_ordered_and_the_choice_stands_out() -> None:
    figure = bars("t", {"full": 1.0, "top_blocks": 2.0, "scratch": 0.0}, "full")
    widths = [float(each.attrib["width"]) for each in ElementTree.fromstring(figure).iter("rect")]
    assert widths == sorted(widths, reverse=True)
    assert len(_all(figure, "rect", "bar transfer")) == 1


def test_figures_name_no_colour(evidence: Evidence) -> None:
    figure = curves("t", (evidence.transfer, evidence.scratch), "val_loss") + rates(
        (evidence.transfer, evidence.scratch)
    )
    assert re.search(r'(fill|stroke|color)="', figure) is None


def test_the_search_for_a_rate_rings_the_rate_it_found(samples: ModuleType) -> None:
    evidence = samples.sample_evidence(gradual=True)
    figure = rate_finder((evidence.transfer, evidence.scratch))
    assert figure is not None
    (line,) = _all(figure, "polyline", "trials")
    xs = [float(each.split(",")[0]) for each in line.attrib["points"].split()]
    (ring,) = _xs(figure, "circle", "chosen", "cx")
    assert (ring - xs[0]) / (xs[-1] - xs[0]) == pytest.approx((5 - 2.4) / 5, abs=0.01)
    written = [each.text for each in _all(figure, "text", "tick")][-7:-1]
    assert written == ["1e-05", "0.0001", "0.001", "0.01", "0.1", "1"]


def test_without_a_search_for_a_rate_there_is_no_figure(evidence: Evidence) -> None:
    assert rate_finder((evidence.transfer, evidence.scratch)) is None


def test_of_many_rates_only_powers_of_ten_are_written(samples: ModuleType) -> None:
    evidence = samples.sample_evidence(gradual=True)
    few = [each.text for each in _all(rates((evidence.scratch,)), "text", "tick")]
    many = [each.text for each in _all(rates((evidence.transfer, evidence.scratch)), "text", "tick")]
    assert "0.003" in few
    assert "0.003" not in many
    assert many[-3:-1] == ["0.001", "0.01"]
