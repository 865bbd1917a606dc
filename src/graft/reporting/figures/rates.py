"""Validation accuracy of each learning rate."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from graft.records.training import TrainingRecord, Trial
from graft.reporting.figures import svg
from graft.reporting.figures.svg import EDGE, WIDTH, Scale, drawing, label, segment, tag
from graft.reporting.formatting import brief, number, percent

# Largest number of rates that are all written below the axis; of more, only powers of ten are.
MOST_LABELS = 6


class _Line(NamedTuple):
    words: str
    look: str
    trials: tuple[Trial, ...]


def rates(arms: Sequence[TrainingRecord]) -> Markup:
    """Draw the mean validation accuracy by learning rate, a line per arm and budget, a ring at the chosen rate.

    A dot is larger the more seeds it is a mean over: rates that fell behind were tried with fewer.

    An arm whose head was fitted in closed form has no learning rate and is left out.
    """
    learned = [each for each in arms if not each.in_closed_form]
    lines = [line for each in learned for line in _lines(each)]
    every = [trial for line in lines for trial in line.trials]
    top, bottom, left = 12.0, 172.0, 44.0
    low, high = svg.padded(*_ends([each.val_accuracy for each in every]))
    x = Scale(*svg.padded(*_ends([math.log10(each.rate) for each in every])), left, WIDTH - EDGE)
    y = Scale(low, high, bottom, top)
    marks = [mark for line in lines for mark in _drawn(line, x, y)]
    for each in learned:
        best = next(t for t in each.trials if t.rate == each.rate and t.budget == each.budget)
        where = {"cx": x.at(math.log10(best.rate)), "cy": y.at(best.val_accuracy)}
        marks.append(tag("g", tag("circle", **where, r=7, class_="chosen"), class_=each.arm))
    described = "; ".join(f"{line.words}: {_in_words(line)}" for line in lines)
    axes = (*_left_axis(x, y), *_rate_axis(x, bottom, sorted({each.rate for each in every})))
    return drawing("Validation accuracy by learning rate", described, bottom + 38, *axes, *marks)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _lines(record: TrainingRecord) -> list[_Line]:
    """Trials of an arm by budget, sorted by rate. Of the control only the longer budget is drawn strong."""
    budgets = sorted({trial.budget for trial in record.trials})
    return [
        _Line(
            record.arm if len(budgets) == 1 else f"{record.arm}, {budget} budget",
            f"{record.arm} {budget}",
            tuple(sorted((t for t in record.trials if t.budget == budget), key=lambda t: t.rate)),
        )
        for budget in budgets
    ]


def _drawn(line: _Line, x: Scale, y: Scale) -> list[Markup]:
    xs = [x.at(math.log10(each.rate)) for each in line.trials]
    ys = [y.at(each.val_accuracy) for each in line.trials]
    radii = [1.5 + each.n_seeds for each in line.trials]
    dots = [tag("circle", cx=a, cy=b, r=r, class_="best") for a, b, r in zip(xs, ys, radii, strict=True)]
    return [tag("g", svg.path(xs, ys, "trials"), *dots, class_=line.look)]


def _in_words(line: _Line) -> str:
    return ", ".join(
        f"{number(each.rate)} {percent(each.val_accuracy)} (seeds: {each.n_seeds})" for each in line.trials
    )


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
