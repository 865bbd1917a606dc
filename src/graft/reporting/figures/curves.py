"""Training curves of both arms."""

from collections.abc import Callable, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from graft.records.training import Epoch, TrainingRecord
from graft.reporting.figures import svg
from graft.reporting.figures.svg import EDGE, WIDTH, Scale, drawing, label, segment, tag
from graft.reporting.formatting import brief, number, percent


def curves(title: str, arms: Sequence[TrainingRecord], field: str) -> Markup:
    """A score by epoch: a thin line per seed, a thick line for the mean of an arm, a dot at each best epoch.

    Args:
        title: of the figure.
        arms: one record an arm.
        field: `val_accuracy`, `val_loss` or `unlabelled_score`.
    """
    points_by_arm = {
        each.arm: [_curve(run.curve, run.best_epoch, getattr(run, field), field) for run in each.runs] for each in arms
    }
    every = np.concatenate([run for runs in points_by_arm.values() for run in runs])
    top, bottom, left = 12.0, 172.0, 44.0
    low, high = svg.padded(float(every[:, 1].min()), float(every[:, 1].max()))
    x = Scale(0, max(float(every[:, 0].max()), 1.0), left, WIDTH - EDGE)
    y = Scale(low, high, bottom, top)
    written = percent if field == "val_accuracy" else number
    marks = _left_axis(x, y, written) + _epoch_axis(x, bottom)
    for each in arms:
        marks.append(tag("g", *_arm_lines(each, points_by_arm[each.arm], (x, y), field), class_=each.arm))
    means = {each.arm: float(np.mean([getattr(run, field) for run in each.runs])) for each in arms}
    described = "; ".join(f"{arm}, mean at the best epoch: {written(mean)}" for arm, mean in means.items())
    return drawing(title, described, bottom + 38, *marks)


def _curve(curve: Sequence[Epoch], best_epoch: int, best: float, field: str) -> NDArray[np.float64]:
    """(k, 2) epochs and scores. A run without a curve has only its best epoch."""
    return np.array([(each.epoch, getattr(each, field)) for each in curve] or [(best_epoch, best)], dtype=np.float64)


def _arm_lines(
    record: TrainingRecord, runs: Sequence[NDArray[np.float64]], scales: tuple[Scale, Scale], field: str
) -> list[Markup]:
    x, y = scales
    shared = min(len(each) for each in runs)
    mean = np.mean([each[:shared] for each in runs], axis=0)
    # a head that was fitted in closed form has no curve: its level is drawn across
    if len(mean) == 1:
        mean = np.array([(x.low, mean[0, 1]), (x.high, mean[0, 1])])
    lines = [_line(each, x, y, "run") for each in runs if len(each) > 1] + [_line(mean, x, y, "mean")]
    dots = [
        tag("circle", cx=x.at(run.best_epoch), cy=y.at(getattr(run, field)), r=2.5, class_="best")
        for run in record.runs
        if run.best_epoch <= x.high
    ]
    return lines + dots


def _line(run: NDArray[np.float64], x: Scale, y: Scale, class_: str) -> Markup:
    return svg.path([x.at(each) for each in run[:, 0]], [y.at(each) for each in run[:, 1]], class_)


def _left_axis(x: Scale, y: Scale, written: Callable[[float], str]) -> list[Markup]:
    marks = []
    for each in svg.ticks(y.low, y.high, 5):
        marks.append(segment(x.start, y.at(each), x.end, y.at(each), "grid"))
        marks.append(label(x.start - 6, y.at(each) + 4, brief(written(each)), "tick", "end"))
    return marks


def _epoch_axis(x: Scale, y: float) -> list[Markup]:
    marks = [segment(x.start, y, x.end, y, "axis")]
    whole = [each for each in svg.ticks(x.low, x.high, 6) if each == int(each)]
    marks += [label(x.at(each), y + 16, f"{each:g}", "tick", "middle") for each in whole]
    return [*marks, label((x.start + x.end) / 2, y + 32, "epoch", "tick", "middle")]
