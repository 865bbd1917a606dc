"""Figures of what transfer gained: where their marks stand, and what they say to a screen reader."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest
from markupsafe import Markup

from graft.records.common import Interval
from graft.records.gain import ClassGain, GainRecord, SeedSteps, Speed
from graft.reporting.drawings import gain_drawings
from graft.reporting.evidence import Evidence
from graft.reporting.figures.harms import harms
from graft.reporting.figures.label_curve import label_curve
from graft.reporting.figures.steps import steps


def _all(figure: Markup | None, name: str, class_: str) -> list[ElementTree.Element]:
    assert figure is not None
    return [each for each in ElementTree.fromstring(figure).iter(name) if each.get("class") == class_]


def _xs(figure: Markup | None, name: str, class_: str, key: str) -> list[float]:
    return [float(each.attrib[key]) for each in _all(figure, name, class_)]


@pytest.fixture
def gain(evidence: Evidence) -> GainRecord:
    return evidence.gain


def speed(*pairs: tuple[int | None, int | None]) -> Speed:
    seeds = tuple(SeedSteps(seed=seed, transfer=a, scratch=b) for seed, (a, b) in enumerate(pairs))
    return Speed(target=0.5, seeds=seeds, ratio=None, at_least=False, sentence="")


def test_the_label_curve_has_a_line_an_interval_and_a_dot_for_every_score(gain: GainRecord) -> None:
    figure = label_curve(gain)
    assert len(_all(figure, "polyline", "labels")) == 3
    assert len(_all(figure, "circle", "estimate")) == len(_all(figure, "line", "interval thin")) == 12


def test_shares_of_the_labels_are_on_a_logarithmic_axis(gain: GainRecord) -> None:
    tenth, quarter, half, whole = _xs(label_curve(gain), "circle", "estimate", "cx")[:4]
    assert quarter - tenth == pytest.approx(1.3219 * (half - quarter), abs=0.2)
    assert half - quarter == pytest.approx(whole - half, abs=0.2)


def test_a_higher_score_stands_higher(gain: GainRecord) -> None:
    heights = _xs(label_curve(gain), "circle", "estimate", "cy")[:4]
    assert heights == sorted(heights, reverse=True)


def test_the_label_curve_says_every_score(gain: GainRecord) -> None:
    figure = label_curve(gain)
    assert figure is not None
    assert "25% of the labels: transfer" in figure
    assert "always one class: 10.0%" in figure
    assert "tiny_cnn from scratch: 60.0%" in figure


def test_one_share_is_no_curve(gain: GainRecord) -> None:
    whole = gain.labels.model_copy(update={"points": gain.labels.points[-1:]})
    assert label_curve(gain.model_copy(update={"labels": whole})) is None


def test_steps_are_measured_from_zero() -> None:
    figure = steps(speed((100, 500), (200, 400)))
    (ours, later), (theirs, _) = _xs(figure, "circle", "estimate", "cx"), _xs(figure, "circle", "before", "cx")
    start = _xs(figure, "line", "grid", "x1")[0]
    assert (theirs - start) / (ours - start) == pytest.approx(5, abs=0.05)
    assert (later - start) / (ours - start) == pytest.approx(2, abs=0.05)


def test_an_arm_that_never_gets_there_has_a_cross_at_the_end() -> None:
    figure = steps(speed((100, 500), (None, 400)))
    assert len(_all(figure, "g", "never")) == 1
    assert len(_all(figure, "circle", "estimate")) == 1
    assert figure is not None
    assert "seed 1: transfer never, scratch 400" in figure
    assert len(_all(figure, "line", "gain loss")) == 1


def test_without_steps_there_is_no_figure() -> None:
    assert steps(speed()) is None


def class_gain(name: str, estimate: float, least_harm: float | None = 0.2, *, worse: bool = False) -> ClassGain:
    return ClassGain(
        name=name,
        n_images=30,
        transfer=0.5 + estimate,
        scratch=0.5,
        difference=Interval(estimate=estimate, low=estimate - 0.1, high=estimate + 0.1),
        n_seeds_worse=0,
        p_holm=0.5,
        worse=worse,
        least_harm=least_harm,
    )


def test_classes_are_ranked_by_gain_and_the_band_reaches_to_the_least_harm() -> None:
    figure = harms([class_gain("a", -0.1), class_gain("b", 0.3)])
    first, second = _xs(figure, "circle", "estimate", "cx")
    (zero,), (left, _), (width, _) = (
        _xs(figure, "line", "zero", "x1"),
        _xs(figure, "rect", "band", "x"),
        _xs(figure, "rect", "band", "width"),
    )
    unit = (first - second) / 4
    assert zero - second == pytest.approx(unit, abs=0.2)
    assert zero - left == pytest.approx(2 * unit, abs=0.2)
    assert left + width == pytest.approx(zero, abs=0.2)


def test_a_class_that_is_worse_stands_out_and_one_that_shows_nothing_has_no_band() -> None:
    figure = harms([class_gain("a", -0.4, worse=True), class_gain("b", 0.3, None)])
    assert len(_all(figure, "g", "harmed")) == 1
    assert len(_all(figure, "rect", "band")) == 1
    assert figure is not None
    assert "b: +30.0 points, +20.0 to +40.0, no loss would show" in figure


def test_classes_without_an_interval_are_no_figure() -> None:
    assert harms([class_gain("a", 0.1).model_copy(update={"difference": None})]) is None


def test_what_was_not_measured_has_no_figure(evidence: Evidence) -> None:
    nothing = {"why": None, "forgetting": evidence.gain.forgetting.model_copy(update={"before": None, "after": None})}
    found = gain_drawings(replace(evidence, gain=evidence.gain.model_copy(update=nothing)))
    assert (found["why"], found["resets"], found["forgetting"]) == (None, None, None)


def test_the_harmful_block_stands_out(evidence: Evidence) -> None:
    assert len(_all(gain_drawings(evidence)["resets"], "g", "second")) == 1
