"""Scores of the arms by number of labels."""

from collections.abc import Sequence

import numpy as np

from graft.decisions.gain.scoring import Scoring, difference_of, score_of
from graft.decisions.gain.tried import Tried, of_kind, paired, stacked
from graft.records.common import Interval
from graft.records.gain import LabelCurve, LabelPoint


def label_curve(tried: Sequence[Tried], on: Scoring, reason: str) -> LabelCurve:
    """Score of transfer, of scratch and of a head on cached features at every share of the labels that was tried.

    Args:
        tried: networks of the kinds transfer, scratch and head; others are ignored.
        on: the test images.
        reason: why there are no smaller shares, where there are none.
    """
    shares = sorted({each.share for each in tried if each.kind in ("transfer", "scratch", "head")})
    points = tuple(_point(tried, share, on) for share in shares)
    return LabelCurve(points=points, sentence=_sentence(points) if len(points) > 1 else reason)


def _point(tried: Sequence[Tried], share: float, on: Scoring) -> LabelPoint:
    transfer, scratch, head = (of_kind(tried, kind, share) for kind in ("transfer", "scratch", "head"))
    pair = paired(transfer, scratch)
    # the arms at all labels do not tell their number, the heads beside them do
    n_labels = [each.n_labels for found in (transfer, scratch, head) for each in found.values() if each.n_labels]
    return LabelPoint(
        share=share,
        n_labels=round(float(np.mean(n_labels))) if n_labels else None,
        n_seeds=0 if pair is None else len(pair[0]),
        transfer=_scored(transfer, on),
        scratch=_scored(scratch, on),
        difference=None if pair is None else difference_of(*pair, on).interval,
        head=_scored(head, on),
    )


def _scored(found: dict[int, Tried], on: Scoring) -> Interval | None:
    return score_of(stacked(list(found.values())), on) if found else None


def _sentence(points: Sequence[LabelPoint]) -> str:
    gains = [
        f"{_points(each.difference)} with {100 * each.share:g}% of the labels{_of(each, points[-1].n_seeds)}"
        for each in points
        if each.difference is not None
    ]
    return f"Gain of transfer over scratch in points: {', '.join(gains)}.{_enough(points)}{_alone(points)}"


def _points(gain: Interval) -> str:
    estimate, low, high = (f"{round(100 * each, 1) + 0.0:.1f}" for each in (gain.estimate, gain.low, gain.high))
    return f"{estimate} ({low} to {high})"


def _of(point: LabelPoint, n_seeds: int) -> str:
    parts = [f"{point.n_labels:,} images"] if point.n_labels else []
    parts += [f"{point.n_seeds} {'seed' if point.n_seeds == 1 else 'seeds'}"] if point.n_seeds < n_seeds else []
    return f" ({', '.join(parts)})" if parts else ""


def _enough(points: Sequence[LabelPoint]) -> str:
    """The smallest share at which transfer scores at least as scratch does with all labels."""
    whole = points[-1].scratch
    if whole is None:
        return ""
    reaching = [each for each in points if each.transfer and each.transfer.estimate >= whole.estimate]
    if not reaching or reaching[0].share == 1:
        return ""
    enough = reaching[0]
    assert enough.transfer is not None
    return (
        f" With {100 * enough.share:g}% of the labels transfer scores {100 * enough.transfer.estimate:.1f}%, "
        f"scratch with all of them {100 * whole.estimate:.1f}%."
    )


def _alone(points: Sequence[LabelPoint]) -> str:
    if all(each.n_seeds != 1 for each in points):
        return ""
    return " Where only one seed was trained, the interval is that of the test images: other seeds may differ by more."
