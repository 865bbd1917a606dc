"""Validation accuracy of each learning rate."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from markupsafe import Markup

from graft.records.training import TrainingRecord, Trial
from graft.reporting.figures import svg
from graft.reporting.figures.svg import EDGE, WIDTH, Scale, drawing, label, segment, tag
from graft.reporting.formatting import brief, number, percent

# Largest number of rates that are all written below the axis; of more, only powers of ten are.
MOST_LABELS = 6


class _Point(NamedTuple):
    """A rate of an arm over all seeds."""

    rate: float
    accuracy: float
    """mean over the seeds"""
    n_chose: int
    """seeds that chose it"""


def rates(arms: Sequence[TrainingRecord]) -> Markup:
    """Draw the accuracy by which rates are chosen, its mean over seeds by rate, a line per arm, rings at chosen rates.

    A ring is larger the more seeds chose the rate.

    An arm whose head was fitted in closed form has no learning rate and is left out.
    """
    lines = {each.arm: _points(each) for each in arms if not each.in_closed_form}
    every = [point for line in lines.values() for point in line]
    top, bottom, left = 12.0, 172.0, 44.0
    low, high = svg.padded(*_ends([each.accuracy for each in every]))
    x = Scale(*svg.padded(*_ends([math.log10(each.rate) for each in every])), left, WIDTH - EDGE)
    y = Scale(low, high, bottom, top)
    marks = [_drawn(arm, line, x, y) for arm, line in lines.items()]
    described = "; ".join(f"{arm}: {', '.join(map(_in_words, line))}" for arm, line in lines.items())
    axes = (*_left_axis(x, y), *_rate_axis(x, bottom, sorted({each.rate for each in every})))
    return drawing("Accuracy by learning rate", described, bottom + 38, *axes, *marks)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _points(record: TrainingRecord) -> list[_Point]:
    chosen = [run.rate for run in record.runs]
    tried = sorted({trial.rate for trial in record.trials})
    return [_Point(rate, _mean_at(rate, record.trials), chosen.count(rate)) for rate in tried]


def _mean_at(rate: float, trials: Sequence[Trial]) -> float:
    return fmean(each.accuracy for each in trials if each.rate == rate)


def _drawn(arm: str, line: Sequence[_Point], x: Scale, y: Scale) -> Markup:
    xs = [x.at(math.log10(each.rate)) for each in line]
    ys = [y.at(each.accuracy) for each in line]
    dots = [tag("circle", cx=a, cy=b, r=2.5, class_="best") for a, b in zip(xs, ys, strict=True)]
    rings = [
        tag("circle", cx=a, cy=b, r=4 + each.n_chose, class_="chosen")
        for a, b, each in zip(xs, ys, line, strict=True)
        if each.n_chose
    ]
    return tag("g", svg.path(xs, ys, "trials"), *dots, *rings, class_=arm)


def _in_words(point: _Point) -> str:
    return f"{number(point.rate)} {percent(point.accuracy)} (chosen by seeds: {point.n_chose})"


def _left_axis(x: Scale, y: Scale) -> list[Markup]:
    marks = []
    for each in svg.ticks(y.low, y.high, 5):
        marks.append(segment(x.start, y.at(each), x.end, y.at(each), "grid"))
        marks.append(label(x.start - 6, y.at(each) + 4, brief(percent(each)), "tick", "end"))
    return marks


def _rate_axis(x: Scale, y: float, tried: Sequence[float]) -> list[Markup]:
    marks = [segment(x.start, y, x.end, y, "axis")]
    if len(tried) > MOST_LABELS and math.floor(x.high) > math.ceil(x.low):
        marks += svg.decades(x, y)
        tried = ()
    for each in tried:
        at = x.at(math.log10(each))
        marks.append(segment(at, y, at, y + 4, "axis"))
        marks.append(label(at, y + 16, number(each), "tick", "middle"))
    return [*marks, label((x.start + x.end) / 2, y + 32, "learning rate of the head", "tick", "middle")]
